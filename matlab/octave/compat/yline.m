% H = yline (Y)
% H = yline (Y, STYLE, LABEL, NAME, VALUE...)
% Level lines through the axes at Y. STYLE and what follows LABEL are as for `plot`.

function h = yline (y, style = "k", varargin)
  limits = xlim ();
  label = varargin(1:rem (end, 2));
  held = ishold ();
  hold on
  y = y(:)';
  drawn = plot (repmat (limits(:), size (y)), [y; y], style, varargin{numel(label)+1:end});
  for text_above = label
    text (repmat (limits(2), size (y)), y, text_above{1}, "horizontalalignment", "right", ...
          "verticalalignment", "bottom");
  end
  xlim (limits);
  if (! held)
    hold off
  end
  if (nargout > 0)
    h = drawn;
  end
end
