#!/bin/sh
# Takes out of the build stage what Octave's package pulls in but `octave-cli` never loads (the desktop, graphics
# drivers, MPI and the solvers that want it), its own windows (asked for one, it ends for want of a screen), and what
# only people at a terminal read. Ends by proving that nothing which stayed misses a library.
set -eu

unneeded=$(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' \
    'libllvm*' 'libz3-*' 'libgl1-mesa-dri' 'libglx-mesa0' 'libegl*' 'libgbm*' 'libdrm*' 'libwayland*' \
    'libqt5*' 'libfltk*' 'libqscintilla2*' 'libinput*' 'libwacom*' 'libcups2' 'libavahi*' 'xkb-data' 'libxkbcommon*' \
    'openmpi*' 'libopenmpi*' 'libpmix*' 'libucx*' 'libfabric*' 'ibverbs*' 'libhdf5-openmpi*' 'libfftw3-mpi*' \
    'libpetsc*' 'libtrilinos*' 'libmumps*' 'libhypre*' 'libscalapack*' 'libptscotch*' 'libscotch*' \
    'libsuperlu*' 'libcombblas*' 'libsundials-*petsc*' 'libfftw3-long*' \
    'openssh-client' 'shared-mime-info' 'libx11-data' | sed -n 's/^installed //p')
# shellcheck disable=SC2086  # one word per package
dpkg --purge --force-depends $unneeded

rm -rf /usr/bin/octave /usr/libexec/octave/*/exec/*/octave-* /usr/lib/*/octave/*/liboctgui.so* \
    /usr/lib/*/octave/*/oct/*/__*fltk*.oct /usr/share/octave/*/doc /usr/share/octave/*/etc/tests /usr/share/locale /usr/share/man /usr/share/doc /usr/share/info /usr/share/icons \
    /var/lib/apt/lists /var/cache/apt /var/log /tmp/*
mkdir /var/log
sed -i /fltk/d /usr/lib/*/octave/*/oct/*/PKG_ADD

find /usr/bin/octave-cli /usr/bin/gnuplot* /usr/lib/*/octave /usr/lib/python3* -type f |
    xargs ldd 2> /dev/null | grep 'not found' && { echo 'prune.sh took away a library that is needed' >&2; exit 1; }
fc-cache --system-only
