% savefig (FILE)
% savefig (H, FILE)
% Keep a figure in a file that `openfig` reads.

function savefig (varargin)
  hgsave (varargin{:});
end
