% Y = normalize (X)
% Y = normalize (X, "range")
% A vector, or each column of a matrix, moved and scaled to mean 0 and standard deviation 1, or to the range from 0 to 1.

function y = normalize (x, method = "zscore")
  switch (lower (method))
    case "zscore"
      y = zscore (x);
    case "range"
      y = (x - min (x)) ./ range (x);
    otherwise
      error ("normalize: `%s` is not known here; \"zscore\" and \"range\" are.", method);
  end
end
