% doc (NAME)
% As `help`.

function doc (varargin)
  help (varargin{:});
end
