% OPTIONS = optimoptions (SOLVER, NAME, VALUE...)
% OPTIONS = optimoptions (OPTIONS, NAME, VALUE...)
% Options as `optimset` makes them. Solvers here pass over those that they do not know.

function options = optimoptions (solver, varargin)
  options = struct ();
  if (isstruct (solver))
    options = solver;
  end
  for i = 1:2:numel (varargin)
    options.(varargin{i}) = varargin{i+1};
  end
end
