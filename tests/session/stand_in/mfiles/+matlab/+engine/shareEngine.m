% matlab.engine.shareEngine (NAME)
% Convert the running session to a shared one.

function shareEngine (name)
  if (! isvarname (name))
    error ("MATLAB:engine:InvalidName", "'%s' is not a valid variable name.", name);
  end
  stand_in_send (struct ("frame", "share", "name", name));
end
