% uiputfile ()
% Needs a window, which a session does not have.

function varargout = uiputfile (varargin)
  error ("uiputfile: there is no window to choose in; give the file's name.");
end
