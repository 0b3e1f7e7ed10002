function report = answer(question, params)
% REPORT = mcm.answer(QUESTION, PARAMS)
% What the function of that name says to the parameters, which come as JSON; as JSON.

reply = struct();
try
    reply.value = feval(['mcm.', question], jsondecode(params));
catch err
    reply = struct('error', err.message);
end
report = jsonencode(reply, 'ConvertInfAndNaN', false);
end
