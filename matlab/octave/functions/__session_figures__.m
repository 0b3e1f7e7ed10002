% LIST = __session_figures__ ()
% The figures that are open, each with whether it changed since this was asked last.
% __session_figures__ ("keep")
% Remember which changed so far: `drawnow` takes the mark away by which a change is known.

function list = __session_figures__ (option)
  persistent drawn_since = [];
  list = {};
  figures = sort (get (0, "children"))';
  if (isempty (figures))
    return
  end
  modified = arrayfun (@(h) strcmp (get (h, "__modified__"), "on"), figures);
  if (nargin == 1)
    drawn_since = [drawn_since, figures(modified)];
    return
  end
  list = cell (1, numel (figures));
  for i = 1:numel (figures)
    h = figures(i);
    changed = modified(i) || any (drawn_since == h);
    size_in_pixels = getpixelposition (h)(3:4);
    list{i} = struct ("number", h, "name", get (h, "name"), "width", size_in_pixels(1), ...
                      "height", size_in_pixels(2), "changed", changed);
    set (h, "__modified__", "off");
  end
  drawn_since = [];
end
