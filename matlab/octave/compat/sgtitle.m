% H = sgtitle (TEXT, NAME, VALUE...)
% A title above all axes of a figure.

function h = sgtitle (text, varargin)
  h = annotation ("textbox", [0 0.93 1 0.06], "string", text, "horizontalalignment", "center", ...
                  "linestyle", "none", "fontsize", 12, varargin{:});
  if (nargout == 0)
    clear h
  end
end
