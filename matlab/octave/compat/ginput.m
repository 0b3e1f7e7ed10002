% ginput ()
% Needs a window, which a session does not have.

function varargout = ginput (varargin)
  error ("ginput: there is no window to click into; figures are shown by the session's page.");
end
