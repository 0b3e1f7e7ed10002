"""Our secrets, each one file in the state folder, made once, for us and the operator alone.

One is what the tokens of all sessions come from, another what a forge's webhook proves itself with. What our own
webhooks are signed with is in files of the operator's.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
from pathlib import Path

from controller.errors import SettingsInvalid

NAME, REFRESH_NAME = "token-secret", "refresh-secret"
SIZE = 32
"""Bytes."""
MIN_LETTERS = 16
"""For an operator who sets one of their own."""
MAX_BYTES = 4096
MARK = b"whsec_"


def load(state_dir: Path) -> bytes:
    """The secret; a new one if there is none yet. To be called by the one who holds the folder's lock.

    Raises:
        SettingsInvalid: it cannot be read or kept, others can read it, or it is none.
    """
    file = state_dir / NAME
    try:
        if not file.exists():
            put(file, secrets.token_bytes(SIZE))
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


def refresh_secret(state_dir: Path) -> str:
    """What `POST /v1/refresh` asks for, as text, since people copy it into a forge's settings.

    Raises:
        SettingsInvalid: it cannot be read or kept, or is none.
    """
    file = state_dir / REFRESH_NAME
    try:
        if not file.exists():
            put(file, f"{secrets.token_urlsafe(SIZE)}\n".encode())
        secret = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"The webhook's secret {file} cannot be kept: {error}.") from error
    if len(secret) < MIN_LETTERS:
        raise SettingsInvalid(
            f"{file} is not the webhook's secret: it has fewer than {MIN_LETTERS} letters. Remove it."
        )
    return secret


def webhook_key(file: Path) -> bytes:
    """What a webhook of ours signs with: `whsec_` and Base64, as Standard Webhooks has it, or the letters as they are.

    Raises:
        SettingsInvalid: it cannot be read, others can read it, or it is none.
    """
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            secret = stream.read(MAX_BYTES).strip()
    except OSError as error:
        raise SettingsInvalid(f"The webhook's secret {file} cannot be read: {error.strerror}.") from error
    if mode & stat.S_IRWXO:
        raise SettingsInvalid(f"Everybody may read the webhook's secret {file}: `chmod o= {file}`.")
    try:
        key = base64.b64decode(secret.removeprefix(MARK), validate=True) if secret.startswith(MARK) else secret
    except ValueError:
        key = b""
    if len(key) < MIN_LETTERS:
        raise SettingsInvalid(
            f"{file} is no webhook's secret: it has to have at least {MIN_LETTERS} letters, or `whsec_` and as many "
            "bytes in Base64."
        )
    return key


def put(file: Path, secret: bytes) -> None:
    """Whole or not at all, on disk on return, for the folder's owner alone, also where root writes it.

    Raises:
        OSError: it could not be written.
    """
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        give_to_owner(descriptor, file.parent)
        stream.write(secret)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.rename(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def give_to_owner(descriptor: int, folder: Path) -> None:
    """What root makes here belongs to the controller's user, too."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
