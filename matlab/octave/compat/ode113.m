% [T, Y] = ode113 (FUNCTION, SPAN, START, OPTIONS, ...)
% As `ode45`, by which it is solved here.

function varargout = ode113 (varargin)
  [varargout{1:nargout}] = ode45 (varargin{:});
end
