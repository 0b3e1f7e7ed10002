% __session_serve__ (LINE)
% Evaluate LINE where the user's variables are, and then each line that the service types. Octave's own prompt would
% do it, too, but it looks at every file on the path before it does what a line says: 3 ms. Here only the user's
% folders are looked at; Octave's own cannot change.
function __session_serve__ (line)
  prompt = [getenv("SESSION_FRAME") '{"frame":"prompt","served":true}' "\a"];
  while (true)
    evalin ("base", line);
    logging = diary ();
    if (logging)                            % a diary is the user's; shown later, a prompt in it would be taken for one
      diary ("off");
    end
    line = builtin ("input", prompt, "s");
    if (logging)
      diary ("on");
    end
    if (users_folders_changed ())
      rehash ();
    end
  end
end

% Whether there may be other files in them than at the last look. Times of folders are whole seconds, and what changed
% in a folder inside of one of private functions, classes or packages leaves its own time alone.
function yes = users_folders_changed ()
  persistent looked = 0;
  before = looked;
  looked = time ();
  yes = true;
  for folder = __session_folders__ ()
    info = stat (folder{1});
    if (isempty (info) || info.mtime + 1 > before || ! isempty (glob (strcat (folder{1}, {"/private", "/[@+]*"}))))
      return
    end
  end
  yes = false;
end
