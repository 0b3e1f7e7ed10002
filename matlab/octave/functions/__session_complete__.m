% NAMES = __session_complete__ (PARAMS, MATCHES)
% MATCHES is what `completion_matches` returned at the prompt: a row for each name.

function names = __session_complete__ (params, matches)
  names = unique (cellstr (matches))';
  names = names(! cellfun ("isempty", names));
  names = names(1:min (end, params.most));
end
