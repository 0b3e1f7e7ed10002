"""Tells that somebody touched a file. A hint only: whoever is told looks for themselves."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

log = logging.getLogger(__name__)


@contextlib.contextmanager
def watched(path: Path, poke: Callable[[], object]) -> Iterator[None]:
    """Poke soon after each change of the file, in the watcher's own thread; where there can be no watcher, never.

    The folder is watched, not the file, since editors put a new file in its place. Our own looks are no changes.
    """
    real = Path(os.path.realpath(path))
    kinds: list[type[FileSystemEvent]] = [
        FileCreatedEvent,
        FileModifiedEvent,
        FileMovedEvent,
        FileDeletedEvent,
        FileClosedEvent,
    ]
    observer = Observer()
    try:
        handler = _Watcher(frozenset({path.name, real.name}), poke)
        for folder in {path.parent.resolve(), real.parent}:
            observer.schedule(handler, folder, event_filter=kinds)
        observer.start()
    except OSError as error:
        pairs = {"folder": path.parent, "why": error.strerror}
        log.warning("the desired state's folder cannot be watched, only polled", extra={"pairs": pairs})
        yield
        return
    try:
        yield
    finally:
        observer.stop()
        observer.join()


class _Watcher(FileSystemEventHandler):
    """Pokes when something happens to a file of one of these names. Called in the observer's thread."""

    def __init__(self, names: frozenset[str], poke: Callable[[], object]) -> None:
        self._names = names
        self._poke = poke

    def on_any_event(self, event: FileSystemEvent) -> None:
        if self._names & {os.path.basename(os.fsdecode(path)) for path in (event.src_path, event.dest_path)}:
            self._poke()
