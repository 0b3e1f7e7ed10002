"""What a folder takes on the disk: blocks, as `du` counts them, a little at a time.

What is in a user's folder is a stranger's work, and changes while we look. So no link is followed and no other file
system entered; each folder is opened from the one that it is in, so that none can be swapped for a link meanwhile; what
is gone is gone; and neither depth nor number nor hard links can make this take more memory or files than stated here.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

DEEPEST = 100
"""Folders within folders that are counted; each takes two files that we hold open."""
MOST_LINKS = 100_000
"""Files with several names that are remembered, so that each counts once."""
BLOCK = 512
"""Bytes: the unit of `st_blocks`, whatever the file system's own is."""
GONE = (FileNotFoundError, NotADirectoryError)


def nearest(path: Path) -> Path:
    """The path, or the nearest above it that is there: what is made there comes to that disk."""
    return next(each for each in (path, *path.parents) if each.exists())


@dataclass(frozen=True, slots=True)
class _Level:
    """A folder that is being counted."""

    folder: int
    entries: Iterator[os.DirEntry[str]]
    opened: ExitStack
    """Both of them."""


class Census:
    """One count of one folder. Blocks on the disk; not to be used by two threads at once."""

    def __init__(self, folder: Path) -> None:
        self.size = 0
        """Bytes counted so far."""
        self.complete = True
        """Nothing was left out."""
        self._folder = folder
        self._begun = False
        self._device = 0
        self._levels: list[_Level] = []
        self._linked: set[int] = set()

    def work(self, seconds: float) -> bool:
        """Go on counting for about so long; whether all is counted."""
        end = time.monotonic() + seconds
        if not self._begun:
            self._begun = True
            try:
                self._enter(str(self._folder), None)
            except FileNotFoundError:
                pass  # nothing is there yet
            except OSError:
                self.complete = False
        while self._levels and time.monotonic() < end:
            self._step(self._levels[-1])
        return not self._levels

    def give_up(self) -> None:
        """Leave the rest uncounted."""
        self.complete = False
        while self._levels:
            self._levels.pop().opened.close()

    def _step(self, level: _Level) -> None:
        try:
            entry = next(level.entries, None)
            if entry is None:
                self._levels.pop().opened.close()
            elif entry.is_dir(follow_symlinks=False):
                self._enter(entry.name, level.folder)
            else:
                self._add(entry.stat(follow_symlinks=False))
        except GONE:
            pass
        except OSError:
            self.complete = False

    def _enter(self, name: str, within: int | None) -> None:
        """
        Raises:
            OSError: it is gone, became a link, or may not be read.
        """
        if len(self._levels) >= DEEPEST:
            self.complete = False
            return
        with ExitStack() as opened:
            folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)
            opened.callback(os.close, folder)
            found = os.fstat(folder)
            if within is None:
                self._device = found.st_dev
            if found.st_dev == self._device:
                entries = opened.enter_context(os.scandir(folder))
                self._add(found)
                self._levels.append(_Level(folder, entries, opened.pop_all()))

    def _add(self, found: os.stat_result) -> None:
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            if found.st_ino in self._linked:
                return
            if len(self._linked) >= MOST_LINKS:
                self.complete = False
                return
            self._linked.add(found.st_ino)
        self.size += found.st_blocks * BLOCK
