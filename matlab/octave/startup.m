% Runs first in every interpreter: makes Octave behave as a session's interpreter, says that it is ready (only then
% does the service open the WebSocket port), and at last runs the user's own startup.m.

PS1 (getenv ("SESSION_PROMPT")); PS2 (""); PS4 ("");  % the prompt is a frame: the service waits for it
more off
page_screen_output (false);
warning ("off", "backtrace");               % its lines would be about our functions
warning ("off", "Octave:missing-glyph");    % from measuring text; gnuplot, which draws it, chooses fonts by itself
warning ("off", "Octave:substituted-glyph");
sighup_dumps_octave_core (false);           % no octave-workspace file in the user's folder when the session ends
sigterm_dumps_octave_core (false);
crash_dumps_octave_core (false);
evalc ("graphics_toolkit gnuplot");         % evalc keeps its banner to itself
set (0, "defaultfigurevisible", "off");     % there is no screen

warning ("off", "Octave:shadowed-function");
addpath ("/opt/session/octave/overrides", "-end");
if (! isempty (getenv ("SESSION_PACKAGES")))  % as toolboxes in MATLAB: there without being asked for
  pkg ("load", strsplit (getenv ("SESSION_PACKAGES"), " "){:});
end
warning ("on", "Octave:shadowed-function");  % a user's own file that hides a function is worth a word

__session_send__ (struct ("frame", "ready", "version", version ()));

if (isempty (getenv ("SESSION_SAFE_MODE")))
  __session_user_startup__ ();
end
