% H = xline (X)
% H = xline (X, STYLE, NAME, VALUE...)
% An upright line through the axes at X; STYLE and what follows are as for `plot`.

function h = xline (x, style = "k", varargin)
  limits = ylim ();
  held = ishold ();
  hold on
  drawn = plot ([x x], limits, style, varargin{:});
  ylim (limits);
  if (! held)
    hold off
  end
  if (nargout > 0)
    h = drawn;
  end
end
