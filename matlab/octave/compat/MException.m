% ME = MException (IDENTIFIER, TEMPLATE, VALUES...)
% An error to be thrown later by `throw (ME)` or `error (ME)`: a struct such as `catch ME` gives.

function ME = MException (identifier, template, varargin)
  ME = struct ("message", sprintf (template, varargin{:}), "identifier", identifier, ...
               "stack", struct ("file", {}, "name", {}, "line", {}, "column", {}));
end
