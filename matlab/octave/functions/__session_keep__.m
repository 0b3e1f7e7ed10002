% __session_keep__ (VALUE)
% VALUE = __session_keep__ ()
% Keep a value, and give it back.

function value = __session_keep__ (given)
  persistent kept;
  if (nargin == 1)
    kept = given;
  else
    value = kept;
    kept = [];
  end
end
