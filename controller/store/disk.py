"""The desired state's file as the disk has it: read without trust, replaced whole and durably. All of it blocks.

Nothing here knows what the text means.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import os
import re
import secrets
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from controller import spec
from controller.errors import NotPersisted
from controller.store.home import Found, Moved, Replaced
from controller.store.watcher import watched

log = logging.getLogger(__name__)

T = TypeVar("T")


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
        found = self.look()
        if not make_it or not found.missing:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace(self._path, spec.EMPTY_WISH.encode(), found, spec.MAX_BYTES)
        except Moved:
            return  # somebody has just made one
        except OSError as error:
            raise NotPersisted(f"The desired state's file {self._path} cannot be made: {error.strerror}.") from error
        log.info("desired state made, with nobody in it", extra={"pairs": {"file": self._path}})

    def leftovers(self) -> list[Path]:
        return leftovers(self._path)

    def look(self) -> Found:
        return read(self._path, spec.MAX_BYTES)

    def taken(self) -> None:
        """Each text names its generation."""

    def replace(self, raw: bytes, found: Found, note: str, *, keep: bool) -> Replaced:
        if raw == found.raw:
            return Replaced()
        return replace(self._path, raw, found, spec.MAX_BYTES, keep=keep)

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


def replace(path: Path, raw: bytes, expected: Found, limit: int, *, keep: bool = False) -> Replaced:
    """Put `raw` where `path` leads (a symbolic link stays one), whole or not at all, surviving a power cut.

    The two files trade places in one step, so that what somebody wrote up to that very moment is not lost. After it the
    new text is what everybody reads, so that nothing that fails from there on is told as a text that was not written.

    Args:
        expected: what the new text was made from, as `read` found it.
        keep: the file that is replaced stays beside the new one.

    Raises:
        Moved: it was something else already; nothing was replaced.
        OSError: it could not be written; the file is as it was.
    """
    target = Path(os.path.realpath(path))
    temporary = _beside(target)
    try:
        _write(temporary, raw, like=target)
        if read(path, limit) != expected:
            raise Moved
        traded = _put(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if traded and read(temporary, limit).raw != expected.raw:
        replaced = Replaced(displaced=temporary)
    elif traded and keep:
        replaced = Replaced(kept=_though_it_fails(lambda: set_aside(temporary, target), temporary) or temporary)
    else:
        replaced = Replaced()
        _though_it_fails(lambda: temporary.unlink(missing_ok=True), temporary)
    _though_it_fails(lambda: _sync_folder(target.parent), target.parent)
    return replaced


def _though_it_fails(what: Callable[[], T], path: Path) -> T | None:
    """What is left to do once the new text has its name: a file stays that a start clears away, or a power cut may take
    the name back, and the history has what it stood for."""
    try:
        return what()
    except OSError as error:
        pairs = {"path": path, "why": error.strerror}
        log.warning("the text is written, and what follows it failed", extra={"pairs": pairs})
        return None


def set_aside(file: Path, target: Path) -> Path:
    """Give a file the name of a text that was refused. A slow writer's next bytes still end up in it."""
    kept = target.with_name(f"{target.name}.rejected-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    os.rename(file, kept)
    return kept


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")


def target_of(leftover: Path) -> Path:
    """The file beside which it was left."""
    return leftover.with_name(leftover.name[1:].rsplit(".", 2)[0])


def leftovers(path: Path) -> list[Path]:
    """What writes that were killed halfway have left: our own texts, whole or not, or the one that they displaced."""
    target = Path(os.path.realpath(path))
    ours = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{16}}\.tmp")
    with contextlib.suppress(OSError):
        return sorted(each for each in target.parent.iterdir() if ours.fullmatch(each.name))
    return []


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


def _put(temporary: Path, target: Path) -> bool:
    """Give the new file its name; whether `temporary` names the old one now, or still the new one.

    Raises:
        Moved: there was no file, and now there is.
    """
    try:
        exchange(temporary, target)
    except FileNotFoundError:
        try:
            os.link(temporary, target)
        except FileExistsError as error:
            raise Moved from error
        return False
    return True


def exchange(one: Path, other: Path) -> None:
    """Two files trade their names in one step: renameat2 with RENAME_EXCHANGE, which Python does not offer."""
    call, here = getattr(_LIBC, "renameat2", None), -100  # AT_FDCWD: the paths as they are
    if call is not None:
        if call(here, os.fsencode(one), here, os.fsencode(other), 2) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(number, os.strerror(number), str(other))
    # Where kernel or file system cannot, a writer could be overtaken for a moment.
    aside = _beside(other)
    os.link(other, aside)
    try:
        os.replace(one, other)
        os.replace(aside, one)
    except OSError:
        with contextlib.suppress(OSError):
            os.replace(aside, other)
            aside.unlink(missing_ok=True)
        raise


_LIBC = ctypes.CDLL(None, use_errno=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
