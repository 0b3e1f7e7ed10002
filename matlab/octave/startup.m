% Runs first in every interpreter: makes Octave behave as a session's interpreter, says that it is ready (only then
% does the service open the WebSocket port), and at last runs the user's own startup.m.

PS1 (getenv ("SESSION_PROMPT")); PS2 (""); PS4 ("");  % the prompt is a frame: the service waits for it
more off
page_screen_output (false);
sighup_dumps_octave_core (false);           % no octave-workspace file in the user's folder when the session ends
sigterm_dumps_octave_core (false);
crash_dumps_octave_core (false);
[~] = evalc ("graphics_toolkit gnuplot");   % evalc keeps its banner to itself; no `ans`, which is the user's
set (0, "defaultfigurevisible", "off");     % there is no screen
setenv ("OCTAVE_LATEX_BINARY", "false");    % or the shell says that it has no `latex`

confirm_recursive_rmdir (false);            % as in MATLAB, and nobody at a terminal could answer
optimize_diagonal_matrix (false);           % MATLAB has no such kinds of matrices, shows them in full, and has
optimize_permutation_matrix (false);        % NaN for 0 * Inf in them, too
suppress_verbose_help_message (true);       % about Octave's manual, which is not here
missing_function_hook ("__session_missing__");

warning ("off", "backtrace");               % its lines would be about our functions
for id = {"missing-glyph", "substituted-glyph", ...   % from measuring text; gnuplot, which draws it, chooses fonts
          "negative-data-log-axis", ...               % told again and again while a figure is drawn
          "LaTeX:internal-error", ...                 % there is none; such text is shown as it is
          "abbreviated-property-match", ...           % MATLAB has no words for these: it takes names cut short,
          "legacy-function", "num-to-str"}            % has the functions, and makes [65 "b"] a text
  warning ("off", ["Octave:" id{1}]);
end
clear id

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
