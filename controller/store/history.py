"""What is kept beside the file, in SQLite: every generation with its text, what waits for approval, what happened.

The newest generation is the last good state. Synchronous and for one thread: `wish_store.py` keeps it in the thread
that does all its blocking work.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prometheus_client import Counter

from controller.events import Event
from controller.spec import format_instant, parse_instant
from controller.store import Asked, Generation, Recorded

FILE = "history.sqlite3"
"""In the state folder."""
KEPT = 1000
"""Older generations are forgotten: 100 users' texts of this many are about 10 MB."""
EVENTS_KEPT = 20_000
"""Of what sessions and engine did by themselves, what is older is forgotten: about 4 MB."""
AUDIT_KEPT = 200_000
"""And of what was changed, and by whom: about 40 MB, years of a class."""
MESSAGE_KEPT = 2000
"""Characters of what is told of an event: an engine, or what stands before it, may say whole pages."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS generations (
    number  INTEGER PRIMARY KEY,
    at      TEXT NOT NULL,
    writer  TEXT NOT NULL,
    text    TEXT NOT NULL,
    summary TEXT NOT NULL DEFAULT '',
    users   TEXT NOT NULL DEFAULT '',
    request_id TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS waiting (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    text    TEXT NOT NULL,
    source  TEXT NOT NULL,
    writer  TEXT NOT NULL,
    since   TEXT NOT NULL,
    why     TEXT NOT NULL,
    in_file INTEGER NOT NULL,
    base    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS founding (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    file_made INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS webhooks (
    name TEXT PRIMARY KEY,
    done INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT NOT NULL,
    kind       TEXT NOT NULL,
    reason     TEXT NOT NULL,
    message    TEXT NOT NULL,
    user_id    INTEGER,
    generation INTEGER,
    container  TEXT,
    writer     TEXT NOT NULL DEFAULT '',
    before     INTEGER,
    request_id TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS events_of_user ON events (user_id, id);
CREATE INDEX IF NOT EXISTS passing_events ON events (id) WHERE kind IN ('session', 'engine');
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'what happened is not rewritten'); END;
"""
_TEXT = "TEXT NOT NULL DEFAULT ''"
_ADDED = {
    "generations": {"summary": _TEXT, "users": _TEXT, "request_id": "TEXT"},
    "events": {"writer": _TEXT, "before": "INTEGER", "request_id": "TEXT"},
}
"""Columns that the first databases did not have."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A whole text that somebody wants in force."""

    text: str
    source: str
    writer: str
    since: datetime
    in_file: bool
    """The file says it."""
    why: str = ""
    """Why it has to wait for approval."""
    base: int = 0
    """The generation that it goes on from, where its home tells and not the text itself."""


class Undecided(sqlite3.OperationalError):
    """Nobody can tell before the next start whether a transaction is there."""


class History:
    """Raises `sqlite3.Error` where the database cannot be used."""

    def __init__(self, path: Path, wrote: Callable[[], None] = lambda: None) -> None:
        """`wrote()` is called each time that events are there to be read, in the thread that wrote them."""
        self._wrote = wrote
        self.written = Counter("mcm_events", "Events that were written down.", ("kind", "reason"), registry=None)
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            self._prepare()
        except sqlite3.Error:
            self.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
        self._db.executescript(_SCHEMA)
        for table, columns in _ADDED.items():
            there = {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
            for column in columns.keys() - there:
                self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {columns[column]}")

    def close(self) -> None:
        self._db.close()

    # ------------------------------------------------------------ generations

    def last(self) -> Generation | None:
        found = self.newest(1)
        return found[0] if found else None

    def newest(self, limit: int) -> Sequence[Generation]:
        return self._generations("ORDER BY number DESC LIMIT ?", limit)

    def get(self, number: int) -> Generation | None:
        found = self._generations("WHERE number = ?", number)
        return found[0] if found else None

    def asked(self) -> dict[int, Asked]:
        """The last change of each user's entry (0: of what holds for all)."""
        found: dict[int, Asked] = {}
        rows = self._db.execute("SELECT number, at, writer, users, request_id FROM generations ORDER BY number")
        for number, at, writer, users, request_id in rows:
            found |= dict.fromkeys(_ids(users), Asked(number, _moment(at), writer, request_id))
        return found

    def add(self, generation: Generation, events: Iterable[Event]) -> None:
        """Durable on return, with its events. One of that number which never came into force goes, with its own.

        Raises:
            Undecided: it may be there at the next start.
        """
        users = " ".join(map(str, generation.users))
        at = format_instant(generation.at)
        row = (
            *(generation.number, at, generation.writer, generation.text),
            *(generation.summary, users, generation.request_id),
        )
        with self._decided():
            self._forget(generation.number)
            columns = "(number, at, writer, text, summary, users, request_id)"
            self._db.execute(f"INSERT INTO generations {columns} VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
            self._db.execute("DELETE FROM generations WHERE number <= ?", (generation.number - KEPT,))
            written = self._write_events((generation.at, event) for event in events)
        self._tell(written)

    def forget(self, number: int) -> None:
        """It did not come into force after all.

        Raises:
            Undecided: it may be there at the next start, or not.
        """
        with self._decided():
            self._forget(number)

    def _forget(self, number: int) -> None:
        if self._db.execute("DELETE FROM generations WHERE number = ?", (number,)).rowcount:
            self._db.execute("DELETE FROM events WHERE generation = ? AND kind IN ('wish', 'conflict')", (number,))

    @contextmanager
    def _decided(self) -> Iterator[None]:
        """A transaction that is durable at its end, or did not happen.

        Where all of it was written and only its sync failed, SQLite takes it for undone, and the next start finds it
        whole in the log. So another write takes its place there.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_FSYNC:
                self._write_over(error)
            raise

    def _write_over(self, failed: sqlite3.Error) -> None:
        try:
            self._db.execute("PRAGMA user_version = 0")  # writes a page, though it says what it said
        except sqlite3.Error as error:
            raise Undecided(f"{failed}, and so did what was to undo it") from error

    def _generations(self, which: str, value: int) -> Sequence[Generation]:
        columns = "number, at, writer, text, summary, users, request_id"
        rows = self._db.execute(f"SELECT {columns} FROM generations {which}", (value,))  # noqa: S608
        return [
            Generation(number, _moment(at), writer, text, summary, _ids(users), request_id)
            for number, at, writer, text, summary, users, request_id in rows
        ]

    # ------------------------------------------------------------ what waits

    def waiting(self) -> Offer | None:
        row = self._db.execute("SELECT text, source, writer, since, in_file, why, base FROM waiting").fetchone()
        if row is None:
            return None
        text, source, writer, since, in_file, why, base = row
        return Offer(text, source, writer, _moment(since), bool(in_file), why, base)

    def keep_waiting(self, offer: Offer | None) -> None:
        """Durable on return; `None`: nothing waits any more."""
        if offer is None:
            self._db.execute("DELETE FROM waiting")
            return
        since, in_file = format_instant(offer.since), int(offer.in_file)
        row = (offer.text, offer.source, offer.writer, since, offer.why, in_file, offer.base)
        self._db.execute("INSERT OR REPLACE INTO waiting VALUES (1, ?, ?, ?, ?, ?, ?, ?)", row)

    # ------------------------------------------------------------ the first start

    def founding(self) -> bool | None:
        """`None`: what ran before the first state is known. Else whether the file was made by us and says nothing."""
        row = self._db.execute("SELECT file_made FROM founding").fetchone()
        return None if row is None else bool(row[0])

    def begin_founding(self, file_made: bool) -> None:
        self._db.execute("INSERT OR REPLACE INTO founding VALUES (1, ?)", (int(file_made),))

    def end_founding(self) -> None:
        self._db.execute("DELETE FROM founding")

    # ------------------------------------------------------------ events

    def add_events(self, events: Sequence[tuple[datetime, Event]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            written = self._write_events(events)
        self._tell(written)

    def events(self, user_id: int | None, after: int, limit: int, kinds: Sequence[str]) -> Sequence[Recorded]:
        """Oldest first: the first ones after that id (-1: of all), or the last of all where `after` is 0."""
        order = "ASC" if after else "DESC"
        of_user, whom = ("", ()) if user_id is None else ("AND user_id = ? ", (user_id,))
        rows = self._db.execute(
            "SELECT id, at, kind, reason, message, user_id, generation, container, writer, before, request_id "  # noqa: S608
            f"FROM events WHERE id > ? {of_user}AND kind IN (SELECT value FROM json_each(?)) "
            f"ORDER BY id {order} LIMIT ?",
            (after, *whom, json.dumps(kinds), limit),
        )
        found = [Recorded(number, _moment(at), Event(*event)) for number, at, *event in rows]
        return found if after else found[::-1]

    # ------------------------------------------------------------ webhooks

    def delivered(self, names: Collection[str]) -> Mapping[str, int]:
        """The last event that each is done with. New ones begin after the last that there is; others are forgotten."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            last = "(SELECT coalesce(max(id), 0) FROM events)"
            new = f"INSERT OR IGNORE INTO webhooks SELECT value, {last} FROM json_each(?)"  # noqa: S608
            self._db.execute(new, (json.dumps([*names]),))
            others = "DELETE FROM webhooks WHERE name NOT IN (SELECT value FROM json_each(?))"
            self._db.execute(others, (json.dumps([*names]),))
        return dict(self._db.execute("SELECT name, done FROM webhooks"))

    def deliver(self, name: str, event_id: int) -> None:
        """Durable on return."""
        self._db.execute("UPDATE webhooks SET done = ? WHERE name = ?", (event_id, name))

    def _tell(self, written: Iterable[Event]) -> None:
        for event in written:
            self.written.labels(event.kind, event.reason).inc()
        self._wrote()

    def _write_events(self, events: Iterable[tuple[datetime, Event]]) -> Sequence[Event]:
        last, written = None, []
        for at, event in events:
            written.append(event)
            row = (event.kind, event.reason, _kept(event.message), event.user_id, event.generation, event.container)
            columns = "(at, kind, reason, message, user_id, generation, container, writer, before, request_id)"
            last = self._db.execute(
                f"INSERT INTO events {columns} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (format_instant(at), *row, event.writer, event.before, event.request_id),
            ).lastrowid
        if last is not None:
            passing = "DELETE FROM events WHERE id <= ? AND kind IN ('session', 'engine')"
            self._db.execute(passing, (last - EVENTS_KEPT,))
            self._db.execute("DELETE FROM events WHERE id <= ?", (last - AUDIT_KEPT,))
        return written


def _kept(message: str) -> str:
    return message if len(message) <= MESSAGE_KEPT else f"{message[: MESSAGE_KEPT - 1]}…"


def _ids(users: str) -> tuple[int, ...]:
    return tuple(map(int, users.split()))


def _moment(text: str) -> datetime:
    moment = parse_instant(text)
    if moment is None:
        raise sqlite3.DataError(f"this is no time: {text}")
    return moment
