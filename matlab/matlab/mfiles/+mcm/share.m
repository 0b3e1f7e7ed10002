function share()
% mcm.share()
% Run by matlab-proxy when MATLAB has started, after any startup.m of MATLAB's own search: go to the user's folder and
% share the engine. Only then does the session's service open the WebSocket port.

cd(getenv('SESSION_FOLDER'));
matlab.engine.shareEngine(getenv('SESSION_ENGINE'));
end
