% AX = nexttile ()
% AX = nexttile (NUMBER)
% Axes in the next tile of a `tiledlayout`, or in the tile of that number.

function ax = nexttile (number)
  tiles = getappdata (gcf (), "tiles");
  if (isempty (tiles))
    tiles = [1, 1, 0];
  end
  if (nargin == 0)
    number = tiles(3) + 1;
  end
  made = subplot (tiles(1), tiles(2), number);
  setappdata (gcf (), "tiles", [tiles(1:2), number]);
  if (nargout > 0)
    ax = made;
  end
end
