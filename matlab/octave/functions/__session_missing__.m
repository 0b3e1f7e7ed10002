% TEXT = __session_missing__ (NAME)
% What Octave adds to the message that there is no function NAME, without its plea to contribute one.

function text = __session_missing__ (name)
  text = regexprep (__unimplemented__ (name), '\n*Please read <https://www.octave.org/missing.html>.*', '');
end
