% VALUE = input (PROMPT)
% TEXT = input (PROMPT, "s")
% Print PROMPT and wait for a line of text. The line is evaluated as an expression, and its value returned; with "s"
% the text itself is.

function value = input (prompt, option)
  if (nargin < 1 || nargin > 2)
    print_usage ();
  end
  fputs (stdout, prompt);
  as_text = nargin == 2 && ischar (option) && strncmp (option, "s", 1);
  kind = {"value", "text"}{as_text + 1};
  __session_send__ (struct ("frame", "input", "prompt", prompt, "kind", kind));
  text = builtin ("input", "", "s");
  if (as_text)
    value = text;
  elseif (isempty (strtrim (text)))
    value = [];
  else
    evalin ("caller", ["__session_keep__ (" text ");"]);   % as an argument, so that it does not become `ans`
    value = __session_keep__ ();
  end
end
