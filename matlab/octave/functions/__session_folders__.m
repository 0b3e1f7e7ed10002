% FOLDERS = __session_folders__ ()
% Where the user's own functions and scripts are looked for: the path without Octave's folders and ours, in its order.
function folders = __session_folders__ ()
  folders = regexp (builtin ("path"), '(?<![^:])(?!/usr/|/opt/session/)[^:]+', "match");
end
