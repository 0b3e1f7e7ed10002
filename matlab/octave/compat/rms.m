% Y = rms (X)
% Y = rms (X, DIMENSION)
% Root of the mean of squares.

function y = rms (x, varargin)
  y = sqrt (mean (abs (x) .^ 2, varargin{:}));
end
