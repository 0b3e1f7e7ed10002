% SECONDS = timeit (FUNCTION)
% How long a function without arguments takes: the median of several times.

function seconds = timeit (f)
  f ();                                      % the first time is not like the others
  times = zeros (1, 11);
  for i = 1:numel (times)
    began = tic ();
    f ();
    times(i) = toc (began);
  end
  seconds = median (times);
end
