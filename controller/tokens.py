"""The tokens that open the API: who has one, kept as digests in one file of the state folder, for us and the operator.

`matlabctl token` writes the file and a running controller reads it at each call, so both hold at once. A token is 256
random bits, so one round of SHA-256 keeps it: there is nothing to guess. It is shown when it is made, and never again,
but for the one that the controller makes for this machine's own use (`api-token`, beside the file).

Who made or revoked one is written to the history before it holds, so that none can be there unrecorded.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import logging
import os
import pwd
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from controller import secretfile
from controller.caller import Scope
from controller.errors import SettingsInvalid
from controller.events import Event, EventKind, EventReason
from controller.spec import format_instant
from controller.store import history

log = logging.getLogger(__name__)

FILE, LOCAL_FILE, LOCK = "api-tokens.json", "api-token", "api-tokens.lock"
LOCAL = "local"
"""The name of the token that this machine's own commands use."""
MARK = "mcm_"
"""Every token begins with it, so that people and scanners know one when they see it."""
SIZE = 32
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Token:
    name: str
    scope: Scope
    digest: str
    made: datetime
    expires: datetime | None = None

    def lives(self, now: datetime) -> bool:
        return self.expires is None or now < self.expires


def found(tokens: Sequence[Token], given: str, now: datetime) -> Token | None:
    """Whose token this is. Each is compared whole, so that the time it takes tells nothing."""
    digest = _digest(given)
    matching = [each for each in tokens if hmac.compare_digest(each.digest, digest)]
    return matching[0] if matching and matching[0].lives(now) else None


class TokenFile:
    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir
        self._file = state_dir / FILE
        self._seen: tuple[int, int, int] | None = None
        self._tokens: tuple[Token, ...] = ()

    @property
    def local(self) -> Path:
        """Where this machine's own token stands, if there is one."""
        return self._folder / LOCAL_FILE

    def current(self) -> tuple[Token, ...]:
        """Read anew if the file changed; nobody's where it cannot be read."""
        try:
            stat = self._file.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._tokens, self._seen = self._read(), seen
                names = ", ".join(f"{each.name} ({each.scope})" for each in self._tokens)
                log.info("the API's tokens were read", extra={"pairs": {"tokens": names}})
        except FileNotFoundError:
            self._tokens, self._seen = (), None
        except (OSError, SettingsInvalid) as error:
            if self._tokens or self._seen is None:
                log.error("the API's tokens cannot be read: nobody gets in", extra={"pairs": {"why": str(error)}})
            self._tokens, self._seen = (), (0, 0, 0)
        return self._tokens

    def kept(self) -> tuple[Token, ...]:
        """For people. Raises SettingsInvalid: the file cannot be read."""
        try:
            return self._read()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise SettingsInvalid(
                f"The tokens in {self._file} cannot be read: {error.strerror}. Run this as the controller's user."
            ) from error

    # ------------------------------------------------------------ changes

    def add(self, name: str, scope: Scope, expires: datetime | None = None) -> str:
        """The token itself.

        Raises:
            SettingsInvalid: the name is taken, or the file cannot be written.
        """
        with self._changing() as tokens:
            if any(each.name == name for each in tokens):
                raise SettingsInvalid(f"There is a token named {name} already. Revoke it first, or take another name.")
            given = MARK + secrets.token_urlsafe(SIZE)
            made = Token(name, scope, _digest(given), datetime.now(UTC), expires)
            self._record(EventReason.TOKEN_MADE, made, hand_of(os.getuid()))
            self._write([*tokens, made])
            return given

    def remove(self, name: str) -> None:
        """Raises SettingsInvalid: there is none of this name, or the file cannot be written."""
        with self._changing() as tokens:
            found = next((each for each in tokens if each.name == name), None)
            if found is None:
                known = ", ".join(each.name for each in tokens) or "none"
                raise SettingsInvalid(f"There is no token named {name}. There are: {known}.")
            self._record(EventReason.TOKEN_REVOKED, found, hand_of(os.getuid()))
            self._write([each for each in tokens if each is not found])
            if name == LOCAL:
                self.local.unlink(missing_ok=True)

    def add_local(self) -> bool:
        """Make this machine's own token, with every right, unless there is one. Whether it was made.

        Raises:
            SettingsInvalid: it cannot be kept.
        """
        with self._changing() as tokens:
            if any(each.name == LOCAL for each in tokens) and self.local.exists():
                return False
            given = MARK + secrets.token_urlsafe(SIZE)
            made = Token(LOCAL, Scope.WRITE, _digest(given), datetime.now(UTC))
            self._record(EventReason.TOKEN_MADE, made, "")
            secretfile.put(self.local, f"{given}\n".encode())
            self._write([*(each for each in tokens if each.name != LOCAL), made])
            return True

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self._folder / LOCK).open("a") as lock:
                secretfile.give_to_owner(lock.fileno(), self._folder)
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield list(self._read() if self._file.exists() else ())
        except sqlite3.Error as error:
            raise SettingsInvalid(
                f"The history in {self._folder} cannot be written: {error}. No token was changed."
            ) from error
        except OSError as error:
            raise SettingsInvalid(
                f"The tokens in {self._folder} cannot be changed: {error.strerror}. Run this as the controller's user."
            ) from error

    def _record(self, what: EventReason, token: Token, writer: str) -> None:
        """On disk on return. Raises sqlite3.Error."""
        until = f", until {format_instant(token.expires)}" if token.expires else ""
        event = Event(EventKind.TOKEN, what, f"{token.name}, to {token.scope}{until}", writer=writer)
        path = self._folder / history.FILE
        with path.open("a") as file:  # it may be the folder's first
            secretfile.give_to_owner(file.fileno(), self._folder)
        with contextlib.closing(history.History(path)) as kept:
            kept.add_events([(datetime.now(UTC), event)])

    def _read(self) -> tuple[Token, ...]:
        try:
            kept = json.loads(self._file.read_text())["tokens"]
            return tuple(_token(each) for each in kept)
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsInvalid(
                f"{self._file} is not the API's list of tokens: {error}. Remove it, and make tokens anew."
            ) from error

    def _write(self, tokens: Sequence[Token]) -> None:
        kept = [asdict(each) for each in tokens]
        text = json.dumps({"tokens": kept}, indent=2, default=datetime.isoformat) + "\n"
        secretfile.put(self._file, text.encode())


def local_token(state_dir: Path) -> str:
    """This machine's own, for whoever may read it; empty if there is none, or not for them."""
    try:
        return (state_dir / LOCAL_FILE).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def hand_of(uid: int) -> str:
    """A user of this machine, as a change is signed."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"uid {uid}"


def _digest(given: str) -> str:
    return hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()


def _token(kept: dict[str, str | None]) -> Token:
    expires = kept["expires"]
    token = Token(
        str(kept["name"]),
        Scope(str(kept["scope"])),
        str(kept["digest"]),
        datetime.fromisoformat(str(kept["made"])),
    )
    return token if expires is None else replace(token, expires=datetime.fromisoformat(expires))
