% LINES = splitlines (TEXT)
% A column of the lines of TEXT.

function lines = splitlines (text)
  lines = regexp (text, '\r?\n', "split")';
end
