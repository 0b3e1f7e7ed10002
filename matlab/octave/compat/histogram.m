% H = histogram (X)
% H = histogram (X, NUMBER)
% H = histogram (X, EDGES)
% Bars over the bins of `histcounts`.

function h = histogram (x, varargin)
  numbers = cellfun (@isnumeric, varargin(1:min (1, end)));
  [counts, edges] = histcounts (x, varargin{1:sum (numbers)});
  bars = bar ((edges(1:end-1) + edges(2:end)) / 2, counts, 1, varargin{sum (numbers)+1:end});
  if (nargout > 0)
    h = bars;
  end
end
