% FOUND = contains (TEXT, PATTERN)
% FOUND = contains (TEXT, PATTERN, "IgnoreCase", true)
% Whether TEXT has PATTERN, or one of several, in it. A cell array of texts is answered element by element.

function found = contains (text, pattern, option, ignore)
  text = cellstr (text);
  pattern = cellstr (pattern);
  if (nargin == 4 && strcmpi (option, "IgnoreCase") && ignore)
    text = lower (text);
    pattern = lower (pattern);
  end
  found = false (size (text));
  for i = 1:numel (pattern)
    found |= ! cellfun ("isempty", strfind (text, pattern{i}));
  end
end
