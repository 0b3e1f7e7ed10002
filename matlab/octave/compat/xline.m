% H = xline (X)
% H = xline (X, STYLE, LABEL, NAME, VALUE...)
% Upright lines through the axes at X. STYLE and what follows LABEL are as for `plot`.

function h = xline (x, style = "k", varargin)
  limits = ylim ();
  label = varargin(1:rem (end, 2));
  held = ishold ();
  hold on
  x = x(:)';
  drawn = plot ([x; x], repmat (limits(:), size (x)), style, varargin{numel(label)+1:end});
  for text_beside = label
    text (x, repmat (limits(2), size (x)), text_beside{1}, "rotation", 90, "horizontalalignment", "right", ...
          "verticalalignment", "bottom");
  end
  ylim (limits);
  if (! held)
    hold off
  end
  if (nargout > 0)
    h = drawn;
  end
end
