% clc ()
% Clear the command window: whatever shows what the session prints takes this sequence for it, as terminals do.

function clc ()
  fputs (stdout, "\033[H\033[2J");
end
