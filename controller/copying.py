"""A user's folder copied whole to another place, and whether both are the same.

To be called while no session writes to either. The copying is `rsync`'s: owners, modes, times, links, ACLs and
attributes stay as they are. Nothing is lost where it is copied to: what was there otherwise is set aside. It blocks.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from controller.errors import MatlabManagerError

COMMAND = (
    *("rsync", "--archive", "--hard-links", "--acls", "--xattrs", "--numeric-ids", "--delete"),
    *("--stats", "--no-human-readable"),
)
USERS_ONLY = ("--filter=+ /user_[1-9]*/***", "--filter=- *")
"""Of a whole `data_root`."""


class CopyFailed(MatlabManagerError):
    """A user's folder could not be copied, or the copy is another than what it was made from."""

    code = "copy_failed"


@dataclass(frozen=True, slots=True)
class Amount:
    """What is copied: not what is the same at both places."""

    files: int
    size: int
    """Bytes."""


def amount(source: Path, target: Path) -> Amount:
    """Of all users' folders below `source`, what would have to be copied to `target`.

    Raises:
        CopyFailed: one of them cannot be looked at.
    """
    return _rsync(source, target, ("--dry-run", *USERS_ONLY))


def copy(source: Path, target: Path, aside: Path, held: Sequence[int] = ()) -> Amount:
    """Make `target` what `source` is, wherever the last try ended.

    Args:
        aside: where what `target` had otherwise is kept; on the same file system.
        held: descriptors that stay open until the copying has ended, should this process end before.

    Raises:
        CopyFailed: it cannot be read, or not be written whole.
    """
    return _rsync(source, target, ("--backup", f"--backup-dir={aside}"), held)


def difference(source: Path, target: Path) -> str:
    """The first path below both that is not there in both with the same mode, owner and content; empty where all are.

    Raises:
        CopyFailed: something cannot be read.
    """
    try:
        for one, other in zip_longest(_manifest(source), _manifest(target)):
            if one != other:
                return min(each[0] for each in (one, other) if each is not None)
    except OSError as error:
        raise CopyFailed(f"{error.filename} cannot be read: {error.strerror}.") from error
    return ""


Line = tuple[str, int, int, int, str]
"""Path, mode, owner, group, and what it holds or leads to."""


def _manifest(folder: Path) -> Iterator[Line]:
    """Of the folder and all below, in one order. No link is followed."""

    def fail(error: OSError) -> None:
        raise error  # else what cannot be listed would pass for empty

    yield _line(folder, ".")
    for place, folders, files in os.walk(folder, onerror=fail):
        folders.sort()
        for name in sorted((*folders, *files)):
            path = Path(place, name)
            yield _line(path, str(path.relative_to(folder)))


def _line(path: Path, name: str) -> Line:
    found = path.lstat()
    holds = ""
    if stat.S_ISREG(found.st_mode):
        with path.open("rb") as file:
            holds = hashlib.file_digest(file, "sha256").hexdigest()
    elif stat.S_ISLNK(found.st_mode):
        holds = os.readlink(path)
    return name, found.st_mode, found.st_uid, found.st_gid, holds


def _rsync(source: Path, target: Path, more: Sequence[str], held: Sequence[int] = ()) -> Amount:
    done = subprocess.run(  # noqa: S603 - our own words, and paths as arguments
        [*COMMAND, *more, "--", f"{source}/", f"{target}/"],
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        pass_fds=held,
    )
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if line.strip()), f"it ended with {done.returncode}")
        raise CopyFailed(f"{source} cannot be copied to {target}: {said}.")
    files, size = "Number of regular files transferred", "Total transferred file size"
    return Amount(_number(done.stdout, files), _number(done.stdout, size))


def _number(stats: str, name: str) -> int:
    told = re.search(rf"^{name}: (\d+)", stats, re.MULTILINE)
    return int(told[1]) if told else 0
