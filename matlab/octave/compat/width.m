% N = width (X)
% Number of columns.

function n = width (x)
  n = columns (x);
end
