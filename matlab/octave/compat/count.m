% N = count (TEXT, PATTERN)
% How often PATTERN is in TEXT; a cell array of texts is answered element by element.

function n = count (text, pattern)
  n = cellfun ("numel", strfind (cellstr (text), pattern, "overlaps", false));
end
