% MISSING = ismissing (X)
% Where X has no value: NaN among numbers, blanks among characters, an empty text in a cell array.

function missing = ismissing (x)
  if (iscellstr (x))
    missing = cellfun ("isempty", x);
  elseif (ischar (x))
    missing = x == " ";
  elseif (isfloat (x))
    missing = isnan (x);
  else
    missing = false (size (x));
  end
end
