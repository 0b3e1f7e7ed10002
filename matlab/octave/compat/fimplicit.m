% H = fimplicit (FUNCTION)
% H = fimplicit (FUNCTION, [XMIN XMAX YMIN YMAX])
% Where a function of two variables is 0, from -5 to 5 if not given.

function varargout = fimplicit (f, limits = [-5 5])
  [varargout{1:nargout}] = ezplot (f, limits);
end
