% X = rmmissing (X)
% A vector without the elements, or a matrix without the rows, that are missing.

function x = rmmissing (x)
  if (isvector (x))
    x(ismissing (x)) = [];
  else
    x(any (ismissing (x), 2), :) = [];
  end
end
