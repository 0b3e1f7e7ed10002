"""Every generation of the desired state, with time, writer and text, in SQLite: the newest is the last good state.

Synchronous and for one thread: `yaml_file.py` keeps it in the thread that does all its blocking work.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from controller.spec import format_instant, parse_instant

KEPT = 1000
"""Older generations are forgotten: 100 users' texts of this many are about 10 MB."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS generations (
    number INTEGER PRIMARY KEY,
    at     TEXT NOT NULL,
    writer TEXT NOT NULL,
    text   TEXT NOT NULL
) STRICT
"""


@dataclass(frozen=True, slots=True)
class Generation:
    """One state as it came into force."""

    number: int
    at: datetime
    writer: str
    """Who brought it: `api <request id>`, or `file` for an edit by hand."""
    text: str


class History:
    """Raises `sqlite3.Error` where the database cannot be used."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
        self._db.execute(_SCHEMA)

    def last(self) -> Generation | None:
        return self._one("SELECT * FROM generations ORDER BY number DESC LIMIT 1")

    def get(self, number: int) -> Generation | None:
        return self._one("SELECT * FROM generations WHERE number = ?", number)

    def add(self, generation: Generation) -> None:
        """Durable on return. A generation that was written but never came into force is replaced."""
        row = (generation.number, format_instant(generation.at), generation.writer, generation.text)
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO generations VALUES (?, ?, ?, ?)", row)
            self._db.execute("DELETE FROM generations WHERE number <= ?", (generation.number - KEPT,))

    def forget(self, number: int) -> None:
        """It did not come into force after all."""
        self._db.execute("DELETE FROM generations WHERE number = ?", (number,))

    def close(self) -> None:
        self._db.close()

    def _one(self, query: str, *values: int) -> Generation | None:
        row = self._db.execute(query, values).fetchone()
        if row is None:
            return None
        number, at, writer, text = row
        moment = parse_instant(at)
        if moment is None:
            raise sqlite3.DataError(f"generation {number} has no readable time: {at}")
        return Generation(number, moment, writer, text)
