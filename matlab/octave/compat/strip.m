% TEXT = strip (TEXT)
% TEXT = strip (TEXT, SIDE)
% Without the blanks at its ends, or at one SIDE, "left" or "right".

function text = strip (text, side)
  if (nargin < 2 || ! strcmpi (side, "right"))
    text = regexprep (text, '^\s+', '');
  end
  if (nargin < 2 || ! strcmpi (side, "left"))
    text = regexprep (text, '\s+$', '');
  end
end
