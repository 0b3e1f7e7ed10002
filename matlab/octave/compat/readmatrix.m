% A = readmatrix (FILE)
% The numbers of a text file, of which lines at its head that hold none are left out. What is no number is NaN.

function A = readmatrix (file)
  A = importdata (file);
  if (isstruct (A))
    A = A.data;
  end
end
