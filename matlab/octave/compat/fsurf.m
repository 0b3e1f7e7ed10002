% H = fsurf (FUNCTION)
% H = fsurf (FUNCTION, [XMIN XMAX YMIN YMAX])
% The surface of a function of two variables, from -5 to 5 if not given.

function varargout = fsurf (f, limits = [-5 5])
  [varargout{1:nargout}] = ezsurf (f, limits);
end
