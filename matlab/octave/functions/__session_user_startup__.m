% __session_user_startup__ ()
% Put the user's folder for code on the path and run the user's own startup.m, if there is one. A broken one is
% reported and the session goes on.

function __session_user_startup__ ()
  folder = fullfile (getenv ("SESSION_FOLDER"), "Documents", "MATLAB");
  file = fullfile (folder, "startup.m");
  if (! isfolder (folder))
    return
  end
  addpath (folder);
  if (! isfile (file))
    return
  end
  try
    source (file, "base");
  catch err
    printf ("startup.m: %s\n", strtrim (__session_describe_error__ (err, file).message));
  end_try_catch
  __session_diary__ (false);
end
