% LINES = readlines (FILE)
% A column of the lines of a text file.

function lines = readlines (file)
  lines = splitlines (fileread (file));
end
