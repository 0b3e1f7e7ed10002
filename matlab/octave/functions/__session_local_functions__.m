% TEXT = __session_local_functions__ (TEXT)
% Of a script that ends with functions, as MATLAB has them since R2016b, only the functions, in the lines where they
% were: Octave knows a script's function only after it has come to it. Empty where there is nothing to know before.

function text = __session_local_functions__ (text)
  code = without_strings_and_comments (text);
  first = regexp (code, '^[ \t]*function\>', "once", "lineanchors");
  if (isempty (first) || is_blank (code(1:first-1)) || ! only_functions (code(first:end)))
    text = "";
  else
    text = [repmat("\n", 1, sum (text(1:first-1) == "\n")), text(first:end)];
  end
end

% The same number of characters, so that places stay what they were. The patterns never go back into a string: PCRE
% remembers each way back on the stack, and a long string would be the interpreter's end.
function code = without_strings_and_comments (text)
  block = '^[ \t]*[%#]\{[ \t]*$.*?^[ \t]*[%#]\}[ \t]*$';
  string = '(?<![\w)\]}.''])''[^''\n]*+(?:''''[^''\n]*+)*+''|"[^"\\\n]*+(?:(?:""|\\.)[^"\\\n]*+)*+"';
  [first, last] = regexp (text, [block '|' string '|[%#][^\n]*|\.\.\.[^\n]*'], "lineanchors");
  code = text;
  for i = 1:numel (first)
    code(first(i):last(i)) = " ";
  end
end

% Whether every function is closed by an `end` and nothing follows but the next.
function yes = only_functions (code)
  opening = "function|if|for|parfor|while|do|switch|try|unwind_protect|spmd";
  [first, last] = regexp (code, ['[(){}\[\]]|(?<![\w.])(?:' opening '|until|end(?:_?[a-z]+)*)\>']);
  [inside, depth, closed, yes] = deal (0, 0, 0, false);
  for i = 1:numel (first)
    word = code(first(i):last(i));
    if (any (word(1) == "([{"))
      inside++;
    elseif (any (word(1) == ")]}"))
      inside--;
    elseif (inside > 0)
      continue                                % the `end` of an index
    elseif (depth == 0 && ! (strcmp (word, "function") && is_blank (code(closed+1:first(i)-1))))
      return
    elseif (any (strcmp (word, "until")) || strncmp (word, "end", 3))
      depth--;
      closed = last(i);
    else
      depth++;
    end
  end
  yes = depth == 0 && is_blank (code(closed+1:end));
end

function yes = is_blank (code)
  yes = isempty (regexp (code, '[^\s;,]', "once"));
end
