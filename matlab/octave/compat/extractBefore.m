% PART = extractBefore (TEXT, PATTERN)
% PART = extractBefore (TEXT, POSITION)
% What is before the first PATTERN, or before a position. Empty where there is no such pattern.

function part = extractBefore (text, where)
  if (ischar (where))
    where = [strfind(text, where), 1](1);
  end
  part = text(1:where-1);
end
