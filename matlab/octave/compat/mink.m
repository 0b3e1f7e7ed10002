% [VALUES, INDICES] = mink (X, K)
% The K smallest elements of a vector, or of each column of a matrix.

function [values, indices] = mink (x, k)
  [values, indices] = sort (x, "ascend");
  if (isvector (x))
    values = values(1:min (k, end));
    indices = indices(1:min (k, end));
  else
    values = values(1:min (k, end), :);
    indices = indices(1:min (k, end), :);
  end
end
