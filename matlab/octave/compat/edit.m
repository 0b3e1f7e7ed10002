% edit FILE
% Opens the editor of the session's page, when typed into its command window by itself.

function edit (varargin)
  error ("edit: only the page opens its editor, when `edit FILE` is typed there by itself.");
end
