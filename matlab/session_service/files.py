"""Files of the user's folder, as the page's file pane and editor need them.

Whoever can connect can also run commands, and those reach all that the container has. So what is refused here (paths
that lead outside, links that do) keeps honest clients from mistakes; it is no wall.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

Json = dict[str, Any]

MOST_ENTRIES = 5000
LARGEST_TEXT = 1024 * 1024
"""Bytes that the editor opens; larger files are downloaded."""

ANY_REVISION = ""

LARGEST_UPLOAD = 1024 * 1024 * 1024
"""Bytes."""


class FileFault(Exception):
    """It cannot be done; `reason` says so in one word for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Files:
    """All paths are relative to the user's folder; the empty one is the folder itself.

    Every method raises `FileFault`.
    """

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()

    def list(self, path: str = "") -> Json:
        entries: list[Json] = []
        with _told(path), os.scandir(self._inside(path)) as found:
            for entry in found:
                if len(entries) == MOST_ENTRIES:
                    return {"entries": entries, "truncated": True}
                with contextlib.suppress(FileNotFoundError):  # somebody just removed it
                    entries.append(_described(entry))
        entries.sort(key=lambda e: (e["kind"] != "folder", str(e["name"]).lower()))
        return {"entries": entries, "truncated": False}

    def read(self, path: str) -> Json:
        file = self.file(path)
        with _told(path), file.open("rb") as stream:
            revision = _revision(os.fstat(stream.fileno()))
            data = stream.read(LARGEST_TEXT + 1)
        if len(data) > LARGEST_TEXT:
            raise FileFault("too_large", f"{path} is larger than {LARGEST_TEXT} bytes; download it instead.")
        try:
            return {"text": data.decode(), "revision": revision}
        except UnicodeDecodeError as error:
            raise FileFault("not_text", f"{path} is not text in UTF-8; download it instead.") from error

    def write(self, path: str, text: str, revision: str | None = ANY_REVISION) -> Json:
        """Replace or make a file. `revision`: the one that is to be replaced, `None` for a file that must be new."""
        file = self._inside(path)
        with _told(path):
            now = _revision(file.stat()) if file.exists() else None
            if revision not in (ANY_REVISION, now):
                raise FileFault("changed", f"{path} was changed, made or removed by somebody else.")
            if now is not None and not file.is_file():
                raise FileFault("not_a_file", f"{path} is no ordinary file.")
            with _replacing(file) as stream:
                stream.write(text.encode())
            return {"revision": _revision(file.stat())}

    def rename(self, path: str, to: str) -> None:
        old, new = self._entry(path), self._entry(to)
        with _told(path):
            if os.path.lexists(new):
                raise FileFault("exists", f"{to} is there already.")
            old.rename(new)

    def remove(self, path: str) -> None:
        """A file, a link (not what it leads to), or a folder with all that is in it."""
        entry = self._entry(path)
        with _told(path):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def mkdir(self, path: str) -> None:
        with _told(path):
            self._entry(path).mkdir()

    def file(self, path: str) -> Path:
        """An ordinary file that is there."""
        file = self._inside(path)
        with _told(path):
            if not stat.S_ISREG(file.stat().st_mode):
                raise FileFault("not_a_file", f"{path} is no ordinary file.")
        return file

    async def receive(self, path: str, pieces: AsyncIterable[bytes]) -> int:
        """Replace or make a file of what comes in; nobody sees half of it. The number of bytes."""
        file = self._inside(path)
        size = 0
        with _told(path):
            if file.exists() and not file.is_file():
                raise FileFault("not_a_file", f"{path} is no ordinary file.")
            with _replacing(file) as stream:
                async for piece in pieces:
                    size += len(piece)
                    if size > LARGEST_UPLOAD:
                        raise FileFault("too_large", f"More than {LARGEST_UPLOAD} bytes are not taken.")
                    await asyncio.to_thread(stream.write, piece)
        return size

    def _inside(self, path: str) -> Path:
        """Where the path leads, links followed."""
        with _told(path):
            resolved = self._below(path).resolve()
        if not resolved.is_relative_to(self._home):
            raise FileFault("outside", f"{path} leads out of the user's folder.")
        return resolved

    def _entry(self, path: str) -> Path:
        """The entry itself, which may be a link; not the user's folder."""
        name = self._below(path).name
        if name in ("", "..") or self._below(path) == self._home:
            raise FileFault("outside", "This is about what is in the user's folder, not about that folder.")
        return self._inside(str(Path(path).parent)) / name

    def _below(self, path: str) -> Path:
        if "\0" in path or Path(path).is_absolute() or ".." in Path(path).parts:
            raise FileFault("outside", "Paths are relative to the user's folder and do not lead out of it.")
        return self._home / path


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    """What the system refuses, as a sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileFault("not_found", f"There is no {path or 'such folder'}.") from error
    except FileExistsError as error:
        raise FileFault("exists", f"{path} is there already.") from error
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileFault("refused", f"{path or 'The folder'}: {reason}.") from error


@contextlib.contextmanager
def _replacing(file: Path) -> Iterator[BinaryIO]:
    """A new content for the file, which takes its place at the end, or never."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name[:50]}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        os.chmod(name, stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o644)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise


def _described(entry: os.DirEntry[str]) -> Json:
    link = entry.is_symlink()
    try:
        status = entry.stat()
    except OSError:  # a link to nowhere
        status = entry.stat(follow_symlinks=False)
    mode = status.st_mode
    return {
        "name": entry.name.encode(errors="replace").decode(),
        "kind": "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other",
        "size": status.st_size,
        "modified": datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
        "link": link,
    }


def _revision(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
