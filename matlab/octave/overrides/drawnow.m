% drawnow ()
% Let what was changed in figures be seen. The session shows figures as they are when a command ends.

function drawnow (varargin)
  if (nargin < 2)
    __session_figures__ ("keep");
  end
  builtin ("drawnow", varargin{:});
end
