% DESCRIPTION = __session_figure__ (PARAMS)
% All that a figure shows, as numbers: its axes, and in each the lines, patches, surfaces, images and texts that it
% consists of; groups (bar, contour, errorbar, …) are taken apart. Matrices go column by column.

function description = __session_figure__ (params)
  h = params.number;
  if (! isfigure (h))
    error ("There is no figure %d.", h);
  end
  description.size = getpixelposition (h)(3:4);
  description.color = color_of (get (h, "color"));
  description.axes = {};
  description.numbers = 0;
  for ax = flipud (findall (h, "type", "axes"))'
    if (! any (strcmp (get (ax, "tag"), {"legend", "colorbar"})))
      [description.axes{end+1}, count] = axes_of (ax, params.most - description.numbers);
      description.numbers += count;
      if (description.numbers > params.most)
        description.axes = {};
        return
      end
    end
  end
end

function [a, count] = axes_of (ax, most)
  for name = {"position", "xlim", "ylim", "zlim", "clim", "view", "xscale", "yscale", "zscale", "xdir", "ydir", ...
              "zdir", "xgrid", "ygrid", "zgrid", "visible", "xticklabelmode", "yticklabelmode", "xtickmode", "ytickmode", "xtick", "ytick", ...
              "xticklabel", "yticklabel", "yaxislocation", "xaxislocation", "dataaspectratiomode", ...
              "plotboxaspectratiomode", "plotboxaspectratio"}
    a.(name{1}) = get (ax, name{1});
  end
  for name = {"xticklabel", "yticklabel"}
    a.(name{1}) = cellstr (a.(name{1}))';
  end
  for name = {"title", "xlabel", "ylabel", "zlabel"}
    a.(name{1}) = string_of (get (get (ax, name{1}), "string"));
  end
  a.color = color_of (get (ax, "color"));
  a.colormap = reshape (colormap (ax)', 1, []);
  a.colorbar = linked (ax, "__colorbar_handle__");
  a.legend = linked (ax, "__legend_handle__");
  a.parts = {};
  count = 0;
  labels = cellfun (@(name) get (ax, name), {"title", "xlabel", "ylabel", "zlabel"});
  [a.parts, count] = collect (flipud (setdiff (allchild (ax), labels, "stable"))', "", 0, most, a.parts, count);
end

function yes = linked (ax, property)
  yes = isprop (ax, property) && ! isempty (get (ax, property)) && all (ishghandle (get (ax, property)));
end

% GROUP: number of the group that a part belongs to, 0 for none.
function [parts, count] = collect (handles, group_name, group, most, parts, count)
  for h = handles
    kind = get (h, "type");
    if (strcmp (get (h, "visible"), "off") || count > most)
      continue
    end
    name = group_name;
    if (isprop (h, "displayname") && ! isempty (get (h, "displayname")))
      name = get (h, "displayname");
    end
    if (any (strcmp (kind, {"hggroup", "hgtransform"})))
      [parts, count] = collect (flipud (allchild (h))', name, h, most, parts, count);
    elseif (any (strcmp (kind, {"line", "patch", "surface", "image", "text"})))
      part = feval ([kind "_of"], h);
      part.kind = kind;
      part.name = name;
      part.group = group;
      parts{end+1} = part;
      for field = fieldnames (part)'
        count += numel (part.(field{1}));
      end
    end
  end
end

function p = line_of (h)
  p = struct ("x", row (get (h, "xdata")), "y", row (get (h, "ydata")), "z", row (get (h, "zdata")), ...
              "color", color_of (get (h, "color")), "style", get (h, "linestyle"), "width", get (h, "linewidth"));
  p = with_marker (p, h);
end

function p = patch_of (h)
  v = get (h, "vertices");
  f = get (h, "faces");
  p = struct ("vertices", row (v'), "dimensions", columns (v), "faces", row (f'), "corners", columns (f), ...
              "c", row (get (h, "facevertexcdata")'), "c_columns", columns (get (h, "facevertexcdata")), ...
              "scaled", strcmp (get (h, "cdatamapping"), "scaled"), ...
              "face", color_of (get (h, "facecolor")), "edge", color_of (get (h, "edgecolor")), ...
              "alpha", get (h, "facealpha"), "style", get (h, "linestyle"), "width", get (h, "linewidth"));
  if (! isnumeric (p.alpha))
    p.alpha = 1;
  end
  p = with_marker (p, h);
end

function p = surface_of (h)
  z = get (h, "zdata");
  c = get (h, "cdata");
  p = struct ("x", row (get (h, "xdata")), "y", row (get (h, "ydata")), "z", row (z), "rows", rows (z), ...
              "columns", columns (z), "c", row (c), "rgb", ndims (c) == 3, ...
              "face", color_of (get (h, "facecolor")), "edge", color_of (get (h, "edgecolor")), ...
              "width", get (h, "linewidth"));
end

function p = image_of (h)
  c = get (h, "cdata");
  p = struct ("x", row (get (h, "xdata")), "y", row (get (h, "ydata")), "c", row (double (c)), "rows", rows (c), ...
              "columns", columns (c), "rgb", ndims (c) == 3, "whole", isinteger (c), ...
              "scaled", strcmp (get (h, "cdatamapping"), "scaled"));
end

function p = text_of (h)
  p = struct ("position", row (get (h, "position")), "units", get (h, "units"), ...
              "string", string_of (get (h, "string")), "color", color_of (get (h, "color")), ...
              "size", get (h, "fontsize"), "horizontal", get (h, "horizontalalignment"), ...
              "vertical", get (h, "verticalalignment"), "rotation", get (h, "rotation"));
end

function p = with_marker (p, h)
  p.marker = get (h, "marker");
  p.marker_size = get (h, "markersize");
  p.marker_face = color_of (get (h, "markerfacecolor"));
  p.marker_edge = color_of (get (h, "markeredgecolor"));
end

function r = row (values)
  r = reshape (double (full (values)), 1, []);
end

function c = color_of (color)
  c = color;                                 % "none", "flat", "auto", …
  if (isnumeric (color))
    c = sprintf ("#%02x%02x%02x", round (255 * color));
  end
end

function s = string_of (s)
  s = strjoin (cellstr (s)', "\n");
end
