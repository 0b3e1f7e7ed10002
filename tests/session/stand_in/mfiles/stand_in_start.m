% Octave, so that it is called as MATLAB is by its engine.

PS1 (getenv ("SESSION_PROMPT")); PS2 (""); PS4 ("");
more off
warning ("off", "all");
evalc ("graphics_toolkit gnuplot");
set (0, "defaultfigurevisible", "off");
evalin ("base", getenv ("STAND_IN_CODE"));
