% TEXT = getReport (ME)
% The message of an error, and where in the user's code it happened.

function text = getReport (ME)
  text = ["error: " ME.message];
  for frame = ME.stack(:)'
    if (frame.line > 0 && ! strncmp (frame.name, "__session_", 10))
      text = sprintf ("%s\n    in %s, line %d", text, frame.name, frame.line);
    end
  end
end
