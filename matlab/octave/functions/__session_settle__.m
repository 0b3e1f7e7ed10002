% __session_settle__ (NUMBER)
% Typed after a Ctrl-C: if that came too late for its command it ends this one instead, and the service tries again.

function __session_settle__ (number)
  __session_send__ (struct ("frame", "settled", "number", number));
end
