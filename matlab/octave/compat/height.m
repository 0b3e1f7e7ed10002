% N = height (X)
% Number of rows.

function n = height (x)
  n = rows (x);
end
