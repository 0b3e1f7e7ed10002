% __session_define_functions__ (FILE)
% Let the functions at the end of a script be known before it runs, and those of the user's scripts that it runs.
function __session_define_functions__ (file, known = {})
  text = __session_read__ (file);
  for name = unique ([regexp(text, '(?:^|[;,\n])[ \t]*([A-Za-z]\w*)[ \t\r]*(?=[;,\n]|$)', "tokens"){:}])
    script = script_of (name{1});
    if (! isempty (script) && ! any (strcmp (script, known)))
      known{end+1} = script;
      __session_define_functions__ (script, known);
    end
  end
  functions = __session_local_functions__ (text);
  if (! isempty (functions))
    define (functions);
  end
end

% The user's file that a statement of nothing but NAME runs, if it runs one.
function file = script_of (name)
  for folder = __session_folders__ ()
    file = [folder{1} "/" name ".m"];
    if (is_file (file))
      evalin ("base", ["__session_keep__ (exist ('" name "', 'var'));"]);   % as an argument, so that it does not become `ans`
      if (__session_keep__ ())
        break
      end
      return
    end
  end
  file = "";
end

function yes = is_file (name)
  [info, err] = stat (name);
  yes = ! err && S_ISREG (info.mode);
end

function define (functions)
  command = getenv ("SESSION_COMMAND");
  before = __session_read__ (command);
  put (command, functions);
  try                                       % no unwind_protect: see __session_read__
    source (command);
  end_try_catch
  put (command, before);
end

function put (file, text)
  id = fopen (file, "w");
  fputs (id, text);
  fclose (id);
end
