% tiledlayout (ROWS, COLUMNS)
% Divide the figure into tiles, which `nexttile` takes one after the other.

function tiledlayout (rows, columns, varargin)
  clf
  setappdata (gcf (), "tiles", [rows, columns, 0]);
end
