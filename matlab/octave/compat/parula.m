% MAP = parula (N)
% MATLAB's own color map is not free; `viridis` is like it.

function map = parula (varargin)
  map = viridis (varargin{:});
end
