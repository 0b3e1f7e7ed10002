% pause ()
% pause (SECONDS)
% Stop for SECONDS, or without an argument until somebody presses Enter.

function varargout = pause (varargin)
  if (nargin == 0)
    __session_send__ (struct ("frame", "input", "prompt", "", "kind", "key"));
    builtin ("input", "", "s");
  else
    [varargout{1:nargout}] = builtin ("pause", varargin{:});
  end
end
