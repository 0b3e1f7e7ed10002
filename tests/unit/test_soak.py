"""What an hour of soak says where the disk fills: which file it is, and which table of the history."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.soak import Sample, sizes, tables, verdicts
from bench.steady import Verdict
from controller.events import Event, EventKind, EventReason
from controller.store.history import FILE, History

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def an_hour(events: Callable[[float], float]) -> list[Sample]:
    """A sample each minute; so many KiB are the events at each of them."""
    return [
        Sample(
            60.0 * n, 72, 25, 44, 19, {"wish.yaml": 2, FILE: 300 + events(n)}, {"generations": 300, "events": events(n)}
        )
        for n in range(61)
    ]


def test_what_grows_on_the_disk_is_named() -> None:
    told = list(verdicts(an_hour(lambda minutes: 10 * minutes)))
    assert [verdict for _, verdict in told if verdict is not None] == [*[Verdict.FLAT] * 4, Verdict.GROWS]
    assert [line.split()[0] for line, _ in told] == [
        *("memory", "descriptors", "threads", "tasks", "disk"),
        *(FILE, "wish.yaml", "events", "generations"),
    ]
    assert "second half  +600.00" in told[-2][0]


def test_a_disk_that_rests_is_flat() -> None:
    assert [verdict for _, verdict in verdicts(an_hour(lambda _: 600)) if verdict is not None] == [Verdict.FLAT] * 5


def test_the_parts_of_a_history_are_all_of_it(tmp_path: Path) -> None:
    database = tmp_path / "state" / FILE
    database.parent.mkdir()
    with closing(History(database)) as history:
        event = Event(EventKind.ENGINE, EventReason.LOST, "it is away " * 400)
        history.add_events([(NOW, event)] * 50)
        found = tables(database)
    if not found:
        pytest.skip("this SQLite was built without dbstat")
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("DELETE FROM events")
        emptied = tables(database)
    assert {"events", "events_of_user", "generations", "(free)"} <= found.keys()
    assert found["events"] > 200 > 4 >= emptied["events"]
    assert sum(found.values()) == sum(emptied.values()) == database.stat().st_size / 1024
    assert sizes(tmp_path, [database, tmp_path / "gone"]) == {f"state/{FILE}": sum(found.values())}
