% __session_send__ (FRAME)
% Tell the service something, in order with the printed text and yet not part of it: neither `diary` nor `evalc`
% sees it, since it goes to the terminal on a stream of its own.

function __session_send__ (frame)
  fflush (stdout);
  terminal = fopen ("/proc/self/fd/1", "w");
  fputs (terminal, [getenv("SESSION_FRAME") jsonencode(frame, "ConvertInfAndNaN", false) "\a"]);
  fclose (terminal);
end
