% DESCRIPTION = __session_describe_error__ (ERR, FILE)
% An error that came from sourcing FILE, as a struct of identifier, message and stack. Where the parser refused the
% file, `source` hides what it said, so it is asked again.

function description = __session_describe_error__ (err, file)
  description = struct ("identifier", err.identifier, "message", err.message, "stack", {err.stack});
  if (strcmp (err.message, ["source: error sourcing file '" file "'"]))
    try
      __parse_file__ (file);
    catch parse_error
      description.identifier = "Octave:parse-error";
      description.message = parse_error.message;
    end_try_catch
  end
end
