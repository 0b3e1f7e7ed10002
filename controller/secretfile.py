"""The secret that the tokens of all sessions come from: one file in the state folder, made once, read by us alone."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from controller.errors import SettingsInvalid

NAME = "token-secret"
SIZE = 32
"""Bytes."""


def load(state_dir: Path) -> bytes:
    """The secret; a new one if there is none yet. To be called by the one who holds the folder's lock.

    Raises:
        SettingsInvalid: it cannot be read or kept, others can read it, or it is none.
    """
    file = state_dir / NAME
    try:
        if not file.exists():
            _make(file)
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            secret = stream.read(SIZE + 1)
    except OSError as error:
        raise SettingsInvalid(f"The sessions' secret {file} cannot be kept: {error.strerror}.") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsInvalid(
            f"Others than you may read the sessions' secret {file}. Remove it and have sessions with tokens made anew, "
            f"or, if nobody has read it, `chmod 600 {file}`."
        )
    if len(secret) != SIZE:
        raise SettingsInvalid(f"{file} is not the sessions' secret. Remove it and have sessions with tokens made anew.")
    return secret


def _make(file: Path) -> None:
    """Whole or not at all, and on disk before any token is made with it."""
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(secrets.token_bytes(SIZE))
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.rename(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
