% TEXT = replace (TEXT, OLD, NEW)
% TEXT, or a cell array of texts, with OLD replaced by NEW. OLD may be a cell array, too.

function text = replace (text, old, new)
  old = cellstr (old);
  new = cellstr (new);
  for i = 1:numel (old)
    text = strrep (text, old{i}, new{min (i, end)});
  end
end
