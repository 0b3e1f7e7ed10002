% __session_ask__ (ID, FUNCTION, GIVEN...)
% A question of the service, typed between two commands: call FUNCTION with the parameters that the service has put
% into SESSION_COMMAND (JSON) and with GIVEN, and send what it returns. GIVEN was evaluated at the prompt, where the
% user's variables are, and as an argument, so that `ans` stays what it was.

function __session_ask__ (id, name, varargin)
  answer = struct ("frame", "answer", "id", id);
  try
    answer.value = feval (name, jsondecode (__session_read__ (getenv ("SESSION_COMMAND"))), varargin{:});
  catch err
    answer.error = err.message;
  end_try_catch
  __session_send__ (answer);
end
