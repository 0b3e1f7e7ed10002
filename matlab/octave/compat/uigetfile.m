% uigetfile ()
% Needs a window, which a session does not have.

function varargout = uigetfile (varargin)
  error ("uigetfile: there is no window to choose in; give the file's name.");
end
