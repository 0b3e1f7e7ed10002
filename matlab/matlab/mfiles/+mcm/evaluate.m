function report = evaluate(code)
% REPORT = mcm.evaluate(CODE)
% Run CODE in the base workspace; how it ended, as JSON.

outcome = struct('status', 'ok');
try
    evalin('base', check(code));
    evalin('base', code);
catch err
    outcome.status = 'error';
    outcome.error = describe(err);
end
report = jsonencode(outcome);
end

function guarded = check(code)
% Code that is parsed as CODE is, and does nothing: all of it is parsed before any of it runs. The lines keep their
% numbers, but for a block comment, which has to begin on a line of its own.
separator = ', ';
if strncmp(strtrim(code), '%{', 2)
    separator = char(10);
end
guarded = ['if 0', separator, code, char(10), 'end'];
end

function description = describe(err)
% As a struct of identifier, message and stack, without the frames by which CODE came to be run.
frames = {};
for i = 1:numel(err.stack)
    frame = err.stack(i);
    if ~isempty(strfind(frame.file, '/+mcm/evaluate.m')) %#ok<STREMP>
        break
    end
    frames{end + 1} = struct('file', frame.file, 'name', frame.name, 'line', frame.line); %#ok<AGROW>
end
description = struct('identifier', err.identifier, 'message', err.message, 'stack', {frames});
end
