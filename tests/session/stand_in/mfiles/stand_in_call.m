% stand_in_call (REQUEST)
% Call the function that the JSON text in the file REQUEST names, and tell what it returned.

function stand_in_call (file)
  request = jsondecode (fileread (file), "makeValidName", false);
  arguments = request.arguments;
  if (! iscell (arguments))
    arguments = num2cell (arguments);
  end
  reply = struct ("frame", "returned", "interrupted", true);
  unwind_protect
    try
      returned = cell (1, request.nargout);
      [returned{:}] = feval (request.function, arguments{:});
      reply = struct ("frame", "returned");
      if (request.nargout)
        reply.result = returned{1};
      end
    catch err
      reply = struct ("frame", "returned", "error", err.message);
    end_try_catch
  unwind_protect_cleanup
    stand_in_send (reply);
  end_unwind_protect
end
