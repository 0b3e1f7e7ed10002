% edit (FILE)
% Files are edited in the session's page.

function edit (varargin)
  error ("edit: files are opened by a double click in the page's current folder.");
end
