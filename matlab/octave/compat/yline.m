% H = yline (Y)
% H = yline (Y, STYLE, NAME, VALUE...)
% A level line through the axes at Y; STYLE and what follows are as for `plot`.

function h = yline (y, style = "k", varargin)
  limits = xlim ();
  held = ishold ();
  hold on
  drawn = plot (limits, [y y], style, varargin{:});
  xlim (limits);
  if (! held)
    hold off
  end
  if (nargout > 0)
    h = drawn;
  end
end
