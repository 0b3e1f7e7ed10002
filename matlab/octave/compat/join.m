% TEXT = join (TEXTS)
% TEXT = join (TEXTS, DELIMITER)
% The texts of a cell array in one, with DELIMITER (a blank) between them.

function text = join (texts, delimiter = " ")
  text = {strjoin(texts(:)', delimiter)};
end
