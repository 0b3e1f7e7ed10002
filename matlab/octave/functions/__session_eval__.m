% __session_eval__ (ID)
% Run the text that the service has put into SESSION_COMMAND in the base workspace, and report how it ended.
% The text is sourced as a script, so that all of it is parsed before any of it runs.

function __session_eval__ (id)
  result = struct ("frame", "end", "id", id, "status", "interrupted");
  file = getenv ("SESSION_COMMAND");
  unwind_protect
    try
      __session_define_functions__ (file);
    end_try_catch
    try
      source (file, "base");
      result.status = "ok";
    catch err
      result.status = "error";
      result.error = __session_describe_error__ (err, file);
    end_try_catch
  unwind_protect_cleanup
    PS1 (getenv ("SESSION_PROMPT"));        % the user may have changed it; the service waits for it
    try
      result.figures = __session_figures__ ();
    end_try_catch
    __session_send__ (result);
  end_unwind_protect
end
