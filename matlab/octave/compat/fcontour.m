% H = fcontour (FUNCTION)
% H = fcontour (FUNCTION, [XMIN XMAX YMIN YMAX])
% Lines of equal height of a function of two variables, from -5 to 5 if not given.

function varargout = fcontour (f, limits = [-5 5])
  [varargout{1:nargout}] = ezcontour (f, limits);
end
