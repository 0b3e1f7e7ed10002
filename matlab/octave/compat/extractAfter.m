% PART = extractAfter (TEXT, PATTERN)
% PART = extractAfter (TEXT, POSITION)
% What is after the first PATTERN, or after a position. Empty where there is no such pattern.

function part = extractAfter (text, where)
  if (ischar (where))
    where = [strfind(text, where) + numel(where) - 1, numel(text)](1);
  end
  part = text(where+1:end);
end
