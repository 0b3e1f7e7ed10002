% N = strlength (TEXT)
% Number of characters of TEXT, or of each text in a cell array.

function n = strlength (text)
  n = cellfun ("numel", cellstr (text));
end
