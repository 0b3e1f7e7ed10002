"""The desired state's file as the disk has it: read without trust, replaced whole and durably. All of it blocks.

Nothing here knows what the text means.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
import secrets
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from controller import spec
from controller.errors import NotPersisted
from controller.store.home import Found, Moved
from controller.store.watcher import watched

log = logging.getLogger(__name__)


class FileHome:
    """A `Home`: one file that people edit."""

    numbered = True
    read_only = ""
    sync = None

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        return str(self._path)

    def open(self, make_it: bool) -> None:
        clear_leftovers(self._path)
        if not make_it or not self.look().missing:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace(self._path, spec.EMPTY_WISH.encode(), still=lambda: self.look().missing)
        except OSError as error:
            raise NotPersisted(f"The desired state's file {self._path} cannot be made: {error.strerror}.") from error
        log.info("desired state made, with nobody in it", extra={"pairs": {"file": self._path}})

    def look(self) -> Found:
        return read(self._path, spec.MAX_BYTES)

    def replace(self, raw: bytes, found: Found, note: str, *, keep: bool) -> Path | None:
        if raw == found.raw:
            return None
        return replace(self._path, raw, still=lambda: self.look() == found, keep=keep)

    async def follow(self, poke: Callable[[], object]) -> None:
        with watched(self._path, poke):
            await asyncio.Event().wait()

    def refresh(self) -> None:
        """The watcher tells at once."""

    def close(self) -> None:
        """Nothing is held."""


def read(path: Path, limit: int) -> Found:
    """At most one byte more than `limit`; never waits, whatever `path` is."""
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Found(None, f"{path} is not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                return Found(file.read(limit + 1))
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return Found(None, f"there is no file {path}", missing=True)
    except OSError as error:
        return Found(None, f"{path} cannot be read: {error.strerror}")


def replace(path: Path, raw: bytes, *, still: Callable[[], bool], keep: bool = False) -> Path | None:
    """Put `raw` where `path` leads (a symbolic link stays one), whole or not at all, surviving a power cut.

    Args:
        still: whether the file is still what the new text was made from; asked last.
        keep: the file that is replaced stays beside the new one; its path is returned.

    Raises:
        Moved: it was not.
        OSError: it could not be written; the file is as it was.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        _write(temporary, raw, like=target)
        if not still():
            raise Moved
        kept = _keep(target) if keep else None
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)
    return kept


def clear_leftovers(path: Path) -> None:
    """Remove what a write that was killed halfway left behind."""
    target = Path(os.path.realpath(path))
    ours = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{16}}\.tmp")
    with contextlib.suppress(OSError):
        for leftover in target.parent.iterdir():
            if ours.fullmatch(leftover.name):
                leftover.unlink()


def _write(temporary: Path, raw: bytes, like: Path) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        with contextlib.suppress(FileNotFoundError):
            old = os.stat(like)
            if not stat.S_ISREG(old.st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file", str(like))
            # Only root may give a file away; where we may not, its people keep what the mode grants them.
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, old.st_uid, old.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
        file.write(raw)
        file.flush()
        os.fsync(descriptor)


def _keep(target: Path) -> Path:
    """A second name for the file, so that it outlives its replacement, and a slow writer's next bytes with it."""
    name = f"{target.name}.rejected-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    kept = target.with_name(name)
    try:
        os.link(target, kept)
    except OSError:  # a file system without hard links: for a moment there is no file at all
        os.rename(target, kept)
    return kept


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
