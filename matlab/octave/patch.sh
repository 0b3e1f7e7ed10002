#!/bin/sh
# Octave's `print` hands PNG, PDF, EPS and JPEG to Ghostscript and epstool, which are not here; gnuplot draws them by
# itself as well, but does not do so as fine as `-r` wants it, and a figure's first time in another size than its second.
# `optimset` and `legend` complain of what MATLAB takes. `run` wants a script's functions before what calls them.
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
edit __print_parse_opts__.m 'arg_st.canvas_size = paperposition(3:4);' '/arg_st.canvas_size = paperposition(3:4);/a\
    if (isfigure (arg_st.figure) \&\& strcmp (get (arg_st.figure, "paperpositionmode"), "auto"))\
      arg_st.canvas_size = getpixelposition (arg_st.figure)(3:4);\
    endif'
edit __gnuplot_print__.m '^  pipeline = "";$' '/^  pipeline = "";$/a\
  if (any (strcmp (opts.devopt, {"pngcairo", "jpeg"})) \&\& ! isempty (opts.ghostscript.resolution))\
    scale = opts.ghostscript.resolution / get (0, "screenpixelsperinch");\
    gp_opts = sprintf ("%s size %d,%d fontscale %g linewidth %g", gp_opts, round (scale * opts.canvas_size), scale, scale);\
  endif'
edit ../../appearance/private/__gnuplot_legend__.m "legend: 'best' not yet" "/legend: 'best' not yet/d"
edit ../../../optimization/optimset.m 'warning ("optimset: unrecognized option: ' '/optimset: unrecognized option: %s", key/d'
edit ../../../miscellaneous/run.m '^  if (! isempty (d))$' '/^  if (! isempty (d))$/i\
  __session_define_functions__ (script);'
