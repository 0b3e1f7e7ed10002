% __session_serve__ (LINE)
% Evaluate LINE where the user's variables are, and then each line that the service types. Octave's own prompt would
% do it, too, but it looks at every file on the path before it does what a line says: 3 ms. Here only the user's
% folders are looked at; Octave's own cannot change.
%
% Octave never reads a folder again that it read in a later second than the one in which the folder says to have changed.
% That may be the one before: the kernel dates a change by its last tick, up to 10 ms ago. So no folder is read in the
% first hundredths of a second, or a file that is made just after it would be missing for good.
function __session_serve__ (line)
  prompt = [getenv("SESSION_FRAME") '{"frame":"prompt","served":true}' "\a"];
  unwind_protect
    while (true)
      __session_diary__ (true);
      evalin ("base", line);
      __session_diary__ (false);
      line = builtin ("input", prompt, "s");
      if (users_folders_changed ())
        while (builtin ("mod", builtin ("time"), 1) < 0.02), end
        rehash ();
      end
    end
  unwind_protect_cleanup                    % a Ctrl-C leads to Octave's own prompt
    __session_diary__ (false);
  end_unwind_protect
end

% Whether there may be other files in them than at the last look. Times of folders are whole seconds, and the second may
% be the one before; what changed in a folder inside of one of private functions, classes or packages leaves its own time
% alone. A user may have scripts of these functions' names, so that only the built-in ones are called here.
function yes = users_folders_changed ()
  persistent looked = 0;
  before = looked;
  looked = builtin ("time");
  yes = true;
  for folder = __session_folders__ ()
    info = builtin ("stat", folder{1});
    inside = {[folder{1} "/private"], [folder{1} "/[@+]*"]};
    if (isempty (info) || info.mtime + 1.02 > before || ! isempty (builtin ("glob", inside)))
      return
    end
  end
  yes = false;
end
