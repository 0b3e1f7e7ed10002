"""What happens is written down, whoever is cancelled and whatever the disk says meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from controller.events import EVERY_KIND, Event, EventKind, EventReason
from controller.store import journal
from controller.store.history import FILE, History
from controller.store.journal import Journal
from tests.support import eventually, meanwhile


def an_event(message: str) -> Event:
    return Event(EventKind.ENGINE, EventReason.LOST, message)


async def opened(folder: Path) -> Journal:
    kept = Journal()
    await kept.blocking(lambda: kept.open(folder / FILE))
    return kept


async def messages(kept: Journal) -> list[str]:
    return [each.event.message for each in await kept.events(None, 0, 99, EVERY_KIND)]


async def test_what_waits_for_the_thread_is_written_though_whoever_waits_is_cancelled(tmp_path: Path) -> None:
    kept, busy = await opened(tmp_path), threading.Event()
    held = asyncio.create_task(kept.blocking(lambda: busy.wait(10)))
    await asyncio.sleep(0)
    kept.record(an_event("the last word"))
    for work in (kept.keep_recording(), kept.delivered(["platform"])):
        task = asyncio.create_task(work)
        await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    busy.set()
    await held
    await kept.close()
    again = await opened(tmp_path)
    assert await messages(again) == ["the last word"]
    await again.close()


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """What the disk says in the place of writing, as long as anything stands there."""
    errors, real = list[Exception](), History.add_events

    def add_events(self: History, events: Any) -> None:
        if errors:
            raise errors[0]
        real(self, events)

    monkeypatch.setattr(History, "add_events", add_events)
    return errors


async def test_what_the_disk_does_not_take_is_written_once_it_does(
    tmp_path: Path, refused: list[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "AGAIN_SECONDS", 0.3)
    kept = await opened(tmp_path)
    refused.append(sqlite3.OperationalError("database or disk is full"))
    async with meanwhile(kept.keep_recording()):
        kept.record(an_event("first"))
        await asyncio.sleep(0.1)
        kept.record(an_event("second"))
        assert await messages(kept) == []
        refused.clear()
        count = "SELECT count(*) FROM events"
        await eventually(lambda: kept.blocking(lambda: kept.history._db.execute(count).fetchone() == (2,)))
    assert await messages(kept) == ["first", "second"]
    await kept.close()


async def test_a_disk_that_takes_nothing_for_long_does_not_fill_the_memory(
    tmp_path: Path, refused: list[Exception], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal, "UNWRITTEN_KEPT", 3)
    kept = await opened(tmp_path)
    refused.append(sqlite3.OperationalError("database or disk is full"))
    for number in range(5):
        kept.record(an_event(f"{number}"))
    assert await messages(kept) == []
    refused.clear()
    assert await messages(kept) == ["2", "3", "4"]
    assert [each.__dict__["pairs"]["lost"] for each in caplog.records] == [2]
    await kept.close()


async def test_what_no_database_takes_keeps_nothing_else_from_being_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = await opened(tmp_path)
    async with meanwhile(kept.keep_recording()):
        for message in ("before", "half \ud83d of a character", "after"):
            kept.record(an_event(message))
        await asyncio.sleep(0.1)
        kept.record(an_event("later"))
        assert await messages(kept) == ["before", "after", "later"]
    assert "event cannot be written, and is lost" in caplog.text
    await kept.close()
