% TEXT = reverse (TEXT)
% TEXT, or each text in a cell array, from its end to its beginning.

function text = reverse (text)
  if (iscell (text))
    text = cellfun (@fliplr, text, "UniformOutput", false);
  else
    text = fliplr (text);
  end
end
