% exportgraphics (H, FILE)
% exportgraphics (H, FILE, "Resolution", DPI)
% Write the figure that H is in to a file; its name says of what kind.

function exportgraphics (h, file, varargin)
  options = struct ("resolution", 150);
  for i = 1:2:numel (varargin)
    options.(lower (varargin{i})) = varargin{i+1};
  end
  print (ancestor (h, "figure"), file, sprintf ("-r%d", options.resolution));
end
