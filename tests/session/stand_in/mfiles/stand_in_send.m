% stand_in_send (FRAME)
% Tell the process around Octave something, in order with what is printed.

function stand_in_send (frame)
  fflush (stdout);
  puts ([getenv("SESSION_FRAME") jsonencode(frame) "\a"]);
  fflush (stdout);
end
