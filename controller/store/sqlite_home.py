"""The desired state's text in a database of its own, for hosts where no file shall lie about to be edited.

The text is the same as a file's, with comments, generation and end mark, so nothing is lost on the way from one to the
other. Whoever writes the row is a writer as an editor is. What is set aside stays in the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from controller import spec
from controller.errors import NotPersisted
from controller.store.home import Found, Moved, Replaced

_SCHEMA = """
CREATE TABLE IF NOT EXISTS desired_state (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    text TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS set_aside (
    at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    text TEXT NOT NULL
) STRICT;
"""
_BUSY_SECONDS = 5.0
"""How long another writer of the database is waited for."""


class SqliteHome:
    """A `Home`: one row."""

    numbered = True
    read_only = ""
    sync = None

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        return str(self._path)

    def open(self, make_it: bool) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._connected() as database:
                database.executescript(_SCHEMA)
                if make_it:
                    database.execute("INSERT OR IGNORE INTO desired_state VALUES (1, ?)", (spec.EMPTY_WISH,))
        except (sqlite3.Error, OSError) as error:
            raise NotPersisted(f"The desired state's database {self._path} cannot be made: {error}.") from error

    def leftovers(self) -> list[Path]:
        return []

    def look(self) -> Found:
        try:
            if not self._path.exists():
                return Found(None, f"there is no database {self._path}", missing=True)
            with self._connected() as database:
                return _found(database)
        except (sqlite3.Error, OSError) as error:
            return Found(None, f"{self._path} cannot be read: {error}")

    def taken(self) -> None:
        """Each text names its generation."""

    def replace(self, raw: bytes, found: Found, note: str, *, keep: bool) -> Replaced:
        if raw == found.raw:
            return Replaced()
        try:
            with self._connected() as database:
                database.executescript(_SCHEMA)
                database.execute("BEGIN IMMEDIATE")
                now = _found(database)
                if now.raw != found.raw:
                    raise Moved
                if keep:
                    database.execute("INSERT INTO set_aside (text) SELECT text FROM desired_state")
                database.execute("INSERT OR REPLACE INTO desired_state VALUES (1, ?)", (raw.decode(),))
                database.execute("COMMIT")
        except sqlite3.Error as error:
            if self.look().raw == raw:  # the disk failed at the very end: everybody reads the new one
                return Replaced()
            raise NotPersisted(f"The desired state cannot be written to {self._path}: {error}.") from error
        return Replaced()

    async def follow(self, poke: Callable[[], object]) -> None:
        """Other writers are rare here, and are found by the store's own looks."""
        await asyncio.Event().wait()

    def refresh(self) -> None:
        """There is no elsewhere."""

    def close(self) -> None:
        """Nothing is held."""

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Raises sqlite3.Error. What was not committed by its end is undone."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
            yield database


def _found(database: sqlite3.Connection) -> Found:
    """Raises sqlite3.Error."""
    there = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'desired_state'").fetchone()
    row = database.execute("SELECT text FROM desired_state").fetchone() if there else None
    if row is None:
        return Found(None, "the database has no desired state in it", missing=True)
    return Found(str(row[0]).encode(), writer="database")
