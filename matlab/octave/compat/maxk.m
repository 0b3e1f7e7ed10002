% [VALUES, INDICES] = maxk (X, K)
% The K largest elements of a vector, or of each column of a matrix.

function [values, indices] = maxk (x, k)
  [values, indices] = sort (x, "descend");
  if (isvector (x))
    values = values(1:min (k, end));
    indices = indices(1:min (k, end));
  else
    values = values(1:min (k, end), :);
    indices = indices(1:min (k, end), :);
  end
end
