% clim ([LOW HIGH])
% LIMITS = clim ()
% As `caxis`: what the ends of the color map stand for.

function varargout = clim (varargin)
  [varargout{1:nargout}] = caxis (varargin{:});
end
