% TEXT = __session_read__ (FILE)
% All of FILE. Not `fileread`, which closes the file in an unwind_protect_cleanup: Octave forgets a Ctrl-C that comes
% in the last statement of one, and the command would run on.

function text = __session_read__ (file)
  id = fopen (file);
  text = fread (id, [1, Inf], "char=>char");
  fclose (id);
end
