% PARTS = split (TEXT)
% PARTS = split (TEXT, DELIMITER)
% A column of the parts of TEXT that are between delimiters, which are blanks if not given.

function parts = split (text, delimiter)
  if (nargin < 2)
    parts = regexp (text, '\s+', "split")';
  else
    parts = strsplit (text, delimiter, "CollapseDelimiters", false)';
  end
end
