#!/bin/sh
# Octave's `print` hands PNG, PDF, EPS and JPEG to Ghostscript and epstool, which are not here; gnuplot draws them by
# itself as well.
# Fails where Octave's files are not as they were when this was written.
set -eu
cd /usr/share/octave/[0-9]*/m/plot/util/private

edit() { # FILE PATTERN SCRIPT: run the sed script on the one line that matches
    [ "$(grep -c "$2" "$1")" = 1 ] || { echo "patch.sh: '$2' is not once in $1" >&2; exit 1; }
    sed -i "$3" "$1"
}

edit __print_parse_opts__.m 'warn_on_missing_ghostscript = true' 's/\(warn_on_missing_ghostscript = \)true/\1false/'
edit __print_parse_opts__.m 'elseif (strcmp (arg_st.devopt, "jpg"))' '/elseif (strcmp (arg_st.devopt, "jpg"))/i\
  elseif (any (strcmp (arg_st.devopt, {"png", "pdf"})) \&\& isfigure (arg_st.figure))\
    arg_st.devopt = [arg_st.devopt "cairo"];\
  elseif (any (strcmp (arg_st.devopt, {"eps", "epsc", "eps2", "epsc2"})) \&\& isfigure (arg_st.figure))\
    arg_st.devopt = "epscairo";'
edit __gnuplot_print__.m '"latex", "mf", "gif",' 's/"latex", "mf", "gif",/& "jpeg",/'
