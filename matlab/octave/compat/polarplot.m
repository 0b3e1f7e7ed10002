% H = polarplot (THETA, RHO, STYLE...)
% As `polar`.

function varargout = polarplot (varargin)
  [varargout{1:nargout}] = polar (varargin{:});
end
