% H = histogram (X)
% H = histogram (X, NUMBER)
% H = histogram (X, EDGES)
% H = histogram (..., "Normalization", KIND)
% Bars over the bins of `histcounts`; KIND is "count", "probability", "pdf", "cumcount" or "cdf".

function h = histogram (x, varargin)
  bins = varargin(cellfun (@isnumeric, varargin(1:min (1, end))));
  options = varargin(numel(bins)+1:end);
  [counts, edges] = histcounts (x, bins{:});
  for i = find (strcmpi (options(1:2:end), "Normalization")) * 2 - 1
    counts = normalized (counts, edges, options{i+1});
    options(i:i+1) = [];
  end
  bars = bar ((edges(1:end-1) + edges(2:end)) / 2, counts, 1, options{:});
  if (nargout > 0)
    h = bars;
  end
end

function counts = normalized (counts, edges, kind)
  switch (lower (kind))
    case "count"
    case "probability"
      counts /= sum (counts);
    case "pdf"
      counts = counts / sum (counts) ./ diff (edges);
    case "cumcount"
      counts = cumsum (counts);
    case "cdf"
      counts = cumsum (counts) / sum (counts);
    otherwise
      error ("histogram: there is no normalization `%s`.", kind);
  end
end
