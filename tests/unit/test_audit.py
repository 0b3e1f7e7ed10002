"""The audit: every change with who, from where, from which generation to which, and why; and nothing is rewritten."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.caller import Scope
from controller.doorkeeper import Door, Doorkeeper
from controller.events import AUDITED, EVERY_KIND, Event, EventKind, EventReason
from controller.store import history
from controller.store.history import History
from controller.tokens import TokenFile, hand_of
from tests.api_world import ApiWorld, api_world
from tests.shell import plain, run
from tests.support import eventually
from tests.wish_place import Place

ONE = "version: 1\ngeneration: 1\nusers:\n  1: {}\n...\n"


class Watched:
    def __init__(self, world: ApiWorld, place: Place, token: str) -> None:
        self.world, self.place, self.token = world, place, token

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}", "X-Request-ID": "me"}
        return await self.world.call(method, path, headers=headers, **options)

    async def records(self, query: str = "") -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = (await self.call("GET", f"/v1/audit{query}"))[1]["records"]
        return records


@pytest.fixture
async def watched(place: Place, tmp_path: Path) -> AsyncIterator[Watched]:
    tokens = TokenFile(tmp_path / "tokens")
    keeper = Doorkeeper(Door(locked=True), tokens)
    async with api_world(real_store=await place.running(ONE), doorkeeper=keeper) as world:
        yield Watched(world, place, tokens.add("platform", Scope.WRITE))


def told(record: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(record[name] for name in names)


WHAT = ("what", "user_id", "before", "generation", "who", "where")


async def test_every_change_says_who_from_where_from_what_to_what_and_why(watched: Watched) -> None:
    await eventually(lambda: watched.world.informer.view(1).ready_since)
    await watched.call("PATCH", "/v1/users/1", json={"session_id": "s"})
    watched.place.edit("  1:", "  2: {}\n  1:")
    await eventually(lambda: watched.world.informer.view(2).ready_since)  # or it could start after the other has gone
    await watched.call("DELETE", "/v1/users/1")
    records = await eventually(lambda: _until_removed(watched))
    wishes = [told(each, *WHAT) for each in records if each["kind"] == "wish"]
    assert wishes == [
        ("Added", 1, None, 1, "file", "this machine"),
        ("Changed", 1, 1, 2, "api me, token platform", "this machine"),
        ("Added", 2, 2, 3, "file", "this machine"),
        ("Removed", 1, 3, 4, "api me, token platform", "this machine"),
    ]
    assert [each["why"] for each in records if each["kind"] == "wish"][1] == '{} → {session_id: "s"}'
    removed = records[-1]
    assert told(removed, "what", "who", "before", "why") == (
        "ActionDone",
        "controller",
        None,
        "remove: the user is not in the desired state",
    )
    calls = [each for each in records if each["kind"] == "action"]
    assert len(calls) == len(watched.world.engine.calls), "each call of the engine that changes something"
    assert {each["kind"] for each in records} <= set(AUDITED)


async def _until_removed(watched: Watched) -> list[dict[str, Any]] | None:
    records = await watched.records()
    return records if records[-1]["why"].startswith("remove") else None


async def test_a_change_that_failed_is_there_too_and_one_that_was_refused_is_not(watched: Watched) -> None:
    await eventually(lambda: watched.world.informer.view(1).ready_since)
    last = (await watched.records("?limit=1"))[0]["id"]
    watched.world.engine.images.clear()
    await watched.call("PUT", "/v1/users/3", json={})
    await watched.call("PUT", "/v1/users/4", json={"mystery": 1})
    records = await watched.records(f"?after={last}")
    assert [told(each, "what", "user_id") for each in records][:2] == [("Added", 3), ("ActionFailed", 3)]
    assert not await watched.records("?user_id=4")


async def test_a_first_state_that_names_nobody_is_a_change_as_well(place: Place) -> None:
    store = await place.store()
    [begun] = await store.events(None, 0, 9, AUDITED)
    assert (begun.event.reason, begun.event.before, begun.event.generation) == ("Begun", None, 1)


async def test_who_may_call_is_a_change_too_before_the_first_start_and_beside_a_running_controller(
    place: Place, tmp_path: Path
) -> None:
    env = {"MCM_STATE_DIR": str(place.state)}
    await asyncio.to_thread(run, tmp_path, "token", "create", "--name", "ci", "--scope", "read", **env)
    async with api_world(real_store=await place.running(ONE)) as world:
        assert TokenFile(place.state).add_local()
        done = await asyncio.to_thread(run, tmp_path, "token", "revoke", "ci", **env)
        assert done.returncode == 0, done.stderr
        await asyncio.to_thread(run, tmp_path, "token", "revoke", "ci", **env)  # there is none any more: no record
        _, answer = await world.call("GET", "/v1/audit?limit=1000")
    who = hand_of(os.getuid())
    assert [told(each, "what", "why", "who", "where") for each in answer["records"] if each["kind"] == "token"] == [
        ("TokenMade", "ci, to read", who, "this machine"),
        ("TokenMade", "local, to write", "controller", "this machine"),
        ("TokenRevoked", "ci, to read", who, "this machine"),
    ]


async def test_what_happened_is_kept_and_never_rewritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "EVENTS_KEPT", 10)
    monkeypatch.setattr(history, "AUDIT_KEPT", 30)
    kept, now = History(tmp_path / "history.sqlite3"), datetime.now(UTC)
    two = Event(EventKind.SESSION, EventReason.READY, "up"), Event(EventKind.WISH, EventReason.CHANGED, "wanted")
    kept.add_events([(now, two[each % 2]) for each in range(40)])
    found = kept.events(None, 0, 100, EVERY_KIND)
    assert [each.id for each in found if each.event.kind == "session"] == [31, 33, 35, 37, 39]
    assert [each.id for each in found if each.event.kind == "wish"] == list(range(12, 41, 2))
    kept.close()
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "history.sqlite3")) as database,
        pytest.raises(sqlite3.IntegrityError, match="not rewritten"),
    ):
        database.execute("UPDATE events SET writer = 'nobody'")


async def test_what_an_engine_says_at_length_is_kept_in_short(tmp_path: Path) -> None:
    with contextlib.closing(History(tmp_path / "history.sqlite3")) as kept:
        for said in ("no" * 1000, "no" * 100_000):
            kept.add_events([(datetime.now(UTC), Event(EventKind.ACTION, EventReason.ACTION_FAILED, said))])
        messages = [each.event.message for each in kept.events(None, 0, 9, EVERY_KIND)]
    assert messages == ["no" * 1000, "no" * 999 + "n…"]


async def test_events_of_an_earlier_version_are_there_and_say_what_they_know(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "history.sqlite3", isolation_level=None)) as database:
        columns = "kind TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL"
        columns += ", user_id INTEGER, generation INTEGER, container TEXT"
        database.execute(
            f"CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, {columns}) STRICT"
        )
        database.execute(
            "INSERT INTO events (at, kind, reason, message) VALUES ('2026-11-22T10:00:00.000Z', 'wish', 'Added', 'x')"
        )
    kept = History(tmp_path / "history.sqlite3")
    [found] = kept.events(None, 0, 9, AUDITED)
    kept.close()
    assert (found.event.message, found.event.writer, found.event.before) == ("x", "", None)


# ---------------------------------------------------------------- the command


async def test_the_command_shows_it_to_people_and_programs(watched: Watched, tmp_path: Path) -> None:
    await eventually(lambda: watched.world.informer.view(1).ready_since)
    server = ("--server", watched.world.url)
    done = await asyncio.to_thread(run, tmp_path, "create", "5", "--wait", "0", *server, MCM_TOKEN=watched.token)
    assert done.returncode == 0, done.stderr
    await eventually(lambda: watched.world.informer.view(5).ready_since)
    done = await asyncio.to_thread(run, tmp_path, "audit", *server, MCM_TOKEN=watched.token)
    lines = plain(done.stdout).splitlines()
    added = next(line for line in lines if "user 5" in line and "Added" in line)
    assert "1 → 2" in added
    assert "nothing → {}" in added
    assert ", token platform]" in added
    assert any("ActionDone" in line and "[controller]" in line for line in lines)
    done = await asyncio.to_thread(run, tmp_path, "audit", "5", "-o", "json", *server, MCM_TOKEN=watched.token)
    assert {each["user_id"] for each in json.loads(done.stdout)["records"]} == {5}
