% uigetdir ()
% Needs a window, which a session does not have.

function varargout = uigetdir (varargin)
  error ("uigetdir: there is no window to choose in; give the folder's name.");
end
