% [COUNTS, EDGES] = histcounts (X)
% [COUNTS, EDGES] = histcounts (X, NUMBER)
% [COUNTS, EDGES] = histcounts (X, EDGES)
% How many elements of X are in each bin. A bin has its left edge, the last one both. Without edges or a number of
% bins, their width follows from the spread (Scott's rule), rounded to 1, 2, 3 or 5 times a power of ten.

function [counts, edges] = histcounts (x, bins = [])
  x = double (x(isfinite (x)))(:);
  if (isempty (x))
    x = 0;
  end
  if (isempty (bins))
    edges = edges_of (x);
  elseif (isscalar (bins))
    edges = linspace (min (x), max (x) + (max (x) == min (x)), bins + 1);
  else
    edges = bins(:)';
  end
  counts = histc (x, edges)(:)';
  counts(end-1) += counts(end);
  counts(end) = [];
end

function edges = edges_of (x)
  low = min (x);
  high = max (x);
  if (all (x == round (x)) && high - low <= 50)
    edges = [low - 0.5 : high + 0.5];
    return
  end
  width = max (3.5 * std (x) / numel (x) ^ (1/3), eps (high));
  unit = 10 ^ floor (log10 (width));
  width = unit * [1 2 3 5 10](lookup ([1.5 2.5 4 7.5], width / unit) + 1);
  first = width * floor (low / width);
  edges = first + width * (0 : max (1, ceil ((high - first) / width)));
end
