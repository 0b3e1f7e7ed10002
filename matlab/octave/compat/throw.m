% throw (ME)
% End with the error ME, which `MException` made or `catch` caught.

function throw (ME)
  error (struct ("message", ME.message, "identifier", ME.identifier));
end
