% ANSWER = __session_export__ (PARAMS)
% Draw a figure into a file in PARAMS.folder, by gnuplot's cairo terminals and its own for SVG.

function answer = __session_export__ (params)
  if (! isfigure (params.number))
    error ("There is no figure %d.", params.number);
  end
  terminals = struct ("png", "pngcairo", "pdf", "pdfcairo", "svg", "svg dynamic");
  points = struct ("png", 10, "pdf", 10, "svg", 12);
  position = getpixelposition (params.number);
  wanted = [params.width, params.height];
  if (any (wanted == 0))
    wanted = position(3:4);
  end
  if (strcmp (params.format, "pdf"))
    wanted /= 72;                            % inches
  end
  color = get (params.number, "color");
  if (! isnumeric (color))
    color = [1 1 1];
  end
  terminal = sprintf ('%s font "%s,%g" background rgb "#%02x%02x%02x" size %g,%g', terminals.(params.format), ...
                      "FreeSans", points.(params.format), round (255 * color), wanted);
  answer.file = [tempname(params.folder) "." params.format];
  before = get (0, "currentfigure");
  marked = get (params.number, "__modified__");
  unwind_protect
    set (0, "currentfigure", params.number);
    drawnow (terminal, answer.file);
  unwind_protect_cleanup
    set (0, "currentfigure", before);
    set (params.number, "__modified__", marked);
  end_unwind_protect
end
