function report = startup(folder)
% REPORT = mcm.startup(FOLDER)
% Put the user's folder for code on the path and run the user's own startup.m, if there is one and it did not run in
% this MATLAB. A broken one is reported and the session goes on. An empty FOLDER: not even put on the path.

outcome = struct('status', 'ok');
if ~isempty(folder) && isempty(getenv('SESSION_STARTED'))
    setenv('SESSION_STARTED', '1');
    code = fullfile(folder, 'Documents', 'MATLAB');
    if exist(code, 'dir')
        addpath(code);
    end
    if exist(fullfile(code, 'startup.m'), 'file')
        try
            evalin('base', 'startup');
        catch err
            fprintf('startup.m: %s\n', err.message);
        end
    end
end
report = jsonencode(outcome);
end
