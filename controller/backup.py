"""A controller's state in one file, and back: desired state, history and events, secrets, settings.

Users' files are not in it, nor is anything of the engine's. A desired state that lives on a branch of git stays there.
Written while the controller runs or not, and as of one moment: the text is read before its history, which can tell what
to make of a text that is a little older than itself.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from controller import main
from controller.errors import MatlabManagerError
from controller.settings import Settings
from controller.store.history import FILE as HISTORY
from controller.store.history import History
from controller.tokens import LOCK

FORMAT = 1
MANIFEST, WISH, SETTINGS = "manifest.json", "desired_state.yaml", "controller.yaml"
STATE = PurePosixPath("state")
NOT_STATE = ("lock", LOCK, f"{HISTORY}-wal", f"{HISTORY}-shm")
"""In the state folder, and of the moment only."""


class BackupFailed(MatlabManagerError):
    """A backup could not be written, or is none, or would take the place of something."""

    code = "backup_failed"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of."""

    format: int
    program: str
    """Its version."""
    made_at: str
    instance: str
    desired_state: str
    """Where it was."""
    generation: int
    """The newest in the history."""


@dataclass(frozen=True, slots=True)
class Contents:
    manifest: Manifest
    wish: bytes | None
    """`None`: it is elsewhere, on a branch."""
    settings: bytes | None
    state: dict[str, bytes]
    """Files of the state folder by name."""


# ---------------------------------------------------------------- out


def collect(settings: Settings, settings_file: Path | None) -> Contents:
    """Everything as it is now.

    Raises:
        BackupFailed: there is nothing, or something that is there cannot be read.
    """
    home = main.home_of(settings)
    found = home.look() if home.numbered else None
    if found is not None and found.raw is None and not found.missing:
        raise BackupFailed(f"The desired state cannot be read: {found.fault}.")
    try:
        state = {file.name: file.read_bytes() for file in sorted(_files(settings.state_dir))}
        history, generation = _copied(settings.state_dir / HISTORY)
        settings_text = settings_file.read_bytes() if settings_file else None
    except OSError as error:
        raise BackupFailed(f"{error.filename} cannot be read: {error.strerror}.") from error
    except sqlite3.Error as error:
        raise BackupFailed(f"The history {settings.state_dir / HISTORY} cannot be read: {error}.") from error
    if history is None:
        raise BackupFailed(f"There is nothing to back up: no controller has run on {settings.state_dir} yet.")
    state[HISTORY] = history
    now = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = Manifest(
        FORMAT, version("matlab-container-manager"), now, settings.instance, settings.desired_state_text, generation
    )
    return Contents(manifest, found.raw if found else None, settings_text, state)


def write(contents: Contents, file: Path) -> None:
    """A compressed tar that nobody else may read, for the secrets in it.

    Raises:
        BackupFailed: there is such a file, or it cannot be written.
    """
    inside = {MANIFEST: json.dumps(asdict(contents.manifest), indent=2).encode() + b"\n"}
    inside |= {name: raw for name, raw in ((WISH, contents.wish), (SETTINGS, contents.settings)) if raw is not None}
    inside |= {str(STATE / name): raw for name, raw in contents.state.items()}
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for name, raw in inside.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(raw), 0o600
                archive.addfile(member, io.BytesIO(raw))
    except FileExistsError as error:
        raise BackupFailed(f"{file} is there already, and nothing is overwritten: take another name.") from error
    except OSError as error:
        raise BackupFailed(f"{file} cannot be written: {error.strerror}.") from error


def _files(state_dir: Path) -> Iterator[Path]:
    """What the controller keeps there beside the history: its secrets."""
    for file in state_dir.iterdir() if state_dir.is_dir() else ():
        if (
            file.is_file()
            and not file.is_symlink()
            and file.name not in (*NOT_STATE, HISTORY)
            and file.suffix != ".new"
        ):
            yield file


def _copied(database: Path) -> tuple[bytes | None, int]:
    """A database whole, whoever writes to it meanwhile, and the newest generation in it."""
    if not database.exists():
        return None, 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / HISTORY
        with (
            contextlib.closing(sqlite3.connect(database)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        with contextlib.closing(History(copy)) as history:
            last = history.last()
        return copy.read_bytes(), last.number if last else 0


# ---------------------------------------------------------------- in


def read(file: Path) -> Contents:
    """A backup, with nothing in it that does not belong there.

    Raises:
        BackupFailed: it cannot be read, or is none that this program can take.
    """
    inside: dict[str, bytes] = {}
    try:
        with gzip.open(file) as packed:  # whole, to its check sum
            unpacked = io.BytesIO(packed.read())
        with tarfile.open(fileobj=unpacked) as archive:
            for member in archive:
                stream = archive.extractfile(member)
                if stream is None or not _belongs(PurePosixPath(member.name)):
                    raise BackupFailed(f"{file} is no backup of this program: it has {member.name} in it.")
                inside[member.name] = stream.read()
        manifest = Manifest(**json.loads(inside.pop(MANIFEST)))
    except (gzip.BadGzipFile, zlib.error, tarfile.TarError, EOFError, KeyError, TypeError, ValueError) as error:
        raise BackupFailed(f"{file} is no backup of this program, or is cut off.") from error
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read: {error.strerror}.") from error
    if manifest.format != FORMAT:
        raise BackupFailed(f"{file} was written by version {manifest.program}: install that or a later one.")
    state = {PurePosixPath(name).name: raw for name, raw in inside.items() if name.startswith(f"{STATE}/")}
    return Contents(manifest, inside.get(WISH), inside.get(SETTINGS), state)


def _belongs(name: PurePosixPath) -> bool:
    return str(name) in (MANIFEST, WISH, SETTINGS) or (name.parent == STATE and name.name not in ("", "..", *NOT_STATE))


def restore(contents: Contents, settings: Settings, *, replace: bool) -> Path | None:
    """Put a backup where the settings say. What was there is moved to a folder of its own, which is returned.

    Sessions that run and are not in the backup are nobody's mistake: the controller asks before it ends them.

    Raises:
        AlreadyRunning: a controller runs on that state.
        BackupFailed: there is something already and `replace` is not said, or it cannot be written.
    """
    state_dir, home = settings.state_dir, main.home_of(settings)
    with main.only_one(state_dir):
        there = [file for file in state_dir.iterdir() if file.name != "lock" and not file.name.startswith("before-")]
        found = home.look() if home.numbered else None
        if not replace and (there or (found is not None and not found.missing)):
            raise BackupFailed(
                f"There is a state in {state_dir} or a desired state in {home.name} already. "
                "With --replace, what is there is set aside."
            )
        try:
            aside = _set_aside(state_dir, there, found.raw if found else None)
            for name, raw in contents.state.items():
                descriptor = os.open(state_dir / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(raw)
            if found is not None and contents.wish is not None:
                home.open(make_it=True)
                home.replace(contents.wish, home.look(), "restored from a backup", keep=False)
            if HISTORY in contents.state:
                with contextlib.closing(History(state_dir / HISTORY)) as history:
                    history.begin_founding(file_made=True)
        except OSError as error:
            raise BackupFailed(f"{error.filename} cannot be written: {error.strerror}.") from error
        except sqlite3.Error as error:
            raise BackupFailed(f"The history in the backup cannot be used: {error}.") from error
    return aside


def _set_aside(state_dir: Path, files: list[Path], wish: bytes | None) -> Path | None:
    if not files and wish is None:
        return None
    aside = state_dir / f"before-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    aside.mkdir(mode=0o700)
    for file in files:
        file.rename(aside / file.name)
    if wish is not None:
        (aside / WISH).write_bytes(wish)
    return aside
