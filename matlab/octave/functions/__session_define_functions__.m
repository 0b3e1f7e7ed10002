% __session_define_functions__ (FILE)
% Let the functions at the end of a script be known before it runs. FILE may hold but the name of one to be run.

function __session_define_functions__ (file)
  text = fileread (file);
  name = regexp (text, '^\s*([A-Za-z]\w*)[\s;,]*$', "tokens", "once");
  if (! isempty (name))
    evalin ("base", ["__session_keep__ (exist ('" name{1} "'));"]);   % as an argument, so that it does not become `ans`
    if (__session_keep__ () == 2)
      text = fileread (which (name{1}));
    end
  end
  functions = __session_local_functions__ (text);
  if (isempty (functions))
    return
  end
  command = getenv ("SESSION_COMMAND");
  before = fileread (command);
  unwind_protect
    put (command, functions);
    source (command);
  unwind_protect_cleanup
    put (command, before);
  end_unwind_protect
end

function put (file, text)
  id = fopen (file, "w");
  fputs (id, text);
  fclose (id);
end
