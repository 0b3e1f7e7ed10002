% writelines (LINES, FILE)
% Write a text, or each text of a cell array, as a line.

function writelines (lines, file)
  [id, why] = fopen (file, "w");
  if (id < 0)
    error ("writelines: %s cannot be written: %s", file, why);
  end
  fprintf (id, "%s\n", cellstr (lines){:});
  fclose (id);
end
