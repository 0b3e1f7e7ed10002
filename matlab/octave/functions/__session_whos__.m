% VARIABLES = __session_whos__ (PARAMS, LIST)
% The variables of the base workspace, each with a short text of its value. LIST is what `whos` returns there.

function variables = __session_whos__ (params, list)
  variables = cell (1, numel (list));
  for i = 1:numel (list)
    summary = __session_summary__ (evalin ("base", list(i).name));
    summary.name = list(i).name;
    summary.bytes = list(i).bytes;
    summary.global = list(i).global;
    variables{i} = summary;
  end
end
