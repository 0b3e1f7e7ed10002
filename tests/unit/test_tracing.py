"""One call followed through all that it led to, by the id that its caller gave it; what no call asked for has none."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.caller import request_of
from controller.events import EVERY_KIND
from controller.model import Wish
from controller.store.history import FILE, History
from tests.api_world import ApiWorld, api_world
from tests.support import eventually
from tests.wish_place import Place

FIRST = {"X-Request-ID": "platform-42"}
SECOND = {"X-Request-ID": "platform-43"}
PLAIN = Wish()


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    async with api_world(real_store=await place.running("version: 1\nusers: {}\n...\n")) as world:
        yield world


async def _events(world: ApiWorld, query: str = "") -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = (await world.call("GET", f"/v1/events?limit=1000{query}"))[1]["events"]
    return events


async def test_one_call_is_found_by_its_id_wherever_it_led_to(
    world: ApiWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "controller")
    async with world.http.post("/create", json={"user_id": 7}, headers=FIRST) as response:
        assert (response.status, response.headers["X-Request-ID"]) == (201, "platform-42")
    traced = [record for record in caplog.records if record.__dict__["pairs"].get("request_id") == "platform-42"]
    assert [record.getMessage() for record in traced] == [
        "desired state changed",
        "action done",
        "action done",
        "request",
    ]
    assert [record.__dict__["pairs"].get("action") for record in traced] == [None, "create", "start", None]
    found = [each for each in await _events(world) if each["request_id"] == "platform-42"]
    assert [(each["kind"], each["reason"]) for each in found] == [
        ("wish", "Added"),
        ("action", "ActionDone"),
        ("action", "ActionDone"),
    ]
    _, audit = await world.call("GET", "/v1/audit")
    assert [each["what"] for each in audit["records"] if each["request_id"] == "platform-42"] == [
        "Added",
        "ActionDone",
        "ActionDone",
    ]
    _, history = await world.call("GET", "/v1/history")
    assert [each["request_id"] for each in history["generations"]] == ["platform-42", None]
    assert (await world.call("GET", "/v1/history/2"))[1]["request_id"] == "platform-42"
    assert (await world.call("GET", "/v1/users/7"))[1]["asked"]["request_id"] == "platform-42"


async def test_an_action_has_the_id_of_the_call_that_asked_for_this_user_and_not_of_the_last_one(
    world: ApiWorld,
) -> None:
    await world.call("POST", "/create", json={"user_id": 7}, headers=FIRST)
    await world.call("POST", "/create", json={"user_id": 8}, headers=SECOND)
    await world.call("POST", "/restart/matlab-user-7", json={}, headers={"X-Request-ID": "again"})
    await world.call("POST", "/destroy/matlab-user-8", json={}, headers={"X-Request-ID": "enough"})
    actions = await _events(world, "&kind=action")
    assert [(each["user_id"], each["message"].partition(":")[0], each["request_id"]) for each in actions] == [
        (7, "create", "platform-42"),
        (7, "start", "platform-42"),
        (8, "create", "platform-43"),
        (8, "start", "platform-43"),
        (7, "restart", "again"),
        (8, "stop", "enough"),
        (8, "remove", "enough"),
    ]


async def test_an_action_that_failed_has_it_too(world: ApiWorld) -> None:
    world.engine.images.clear()
    await world.call("POST", "/create", json={"user_id": 7}, headers=FIRST)
    [failed] = await _events(world, "&kind=action")
    assert (failed["reason"], failed["request_id"]) == ("ActionFailed", "platform-42")


async def test_what_no_call_asked_for_has_none(world: ApiWorld, place: Place) -> None:
    await world.call("POST", "/create", json={"user_id": 7}, headers=FIRST)
    place.edit("  7:", "  8: {}\n  7:")
    await eventually(lambda: world.informer.view(8).ready_since)
    assert {each["request_id"] for each in await _events(world, "&user_id=8")} == {None}
    assert {each["request_id"] for each in await _events(world, "&kind=session")} == {None}


async def _deeds(world: ApiWorld) -> list[tuple[str, str | None]]:
    actions = await _events(world, "&kind=action&user_id=7")
    return [(each["message"].partition(":")[0], each["request_id"]) for each in actions]


async def test_what_is_done_once_a_call_was_carried_out_is_the_controllers_own(world: ApiWorld) -> None:
    await world.call("POST", "/create", json={"user_id": 7}, headers=FIRST)
    await eventually(lambda: world.informer.view(7).progress.settled)
    world.engine.kill("matlab-user-7")
    await eventually(lambda: world.informer.view(7).progress.last.startswith("start: exited"))
    assert await _deeds(world) == [("create", "platform-42"), ("start", "platform-42"), ("start", None)]
    _, audit = await world.call("GET", "/v1/audit?user_id=7")
    assert [each["request_id"] for each in audit["records"]] == ["platform-42"] * 3 + [None]
    await world.call("POST", "/restart/matlab-user-7", json={}, headers=SECOND)
    assert (await _deeds(world))[-1] == ("restart", "platform-43")


async def test_a_call_has_what_it_asked_for_at_a_later_time(world: ApiWorld) -> None:
    await world.call("POST", "/create", json={"user_id": 7}, headers=FIRST)
    due = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    status, _ = await world.call("PATCH", "/v1/users/7", json={"restart_at": due}, headers=SECOND)
    assert status == 200
    await eventually(lambda: world.informer.view(7).progress.last.startswith("restart"))
    assert (await _deeds(world))[-1] == ("restart", "platform-43")


async def test_what_a_later_life_does_no_call_of_an_earlier_one_asked_for(place: Place) -> None:
    store = await place.store("version: 1\nusers: {}\n...\n")
    await store.amend(lambda state: state.with_entry(7, PLAIN), "api platform-42, token ci, from 10.0.0.5")
    await place.close()
    async with api_world(real_store=await place.running()) as world:
        await eventually(lambda: world.informer.view(7).container)
        await eventually(lambda: world.informer.view(7).progress.settled)
        assert await _deeds(world) == [("create", None), ("start", None)]


async def test_the_one_who_approves_is_the_one_who_did_it(world: ApiWorld) -> None:
    text = "version: 1\nusers:\n" + "".join(f"  {user_id}: {{}}\n" for user_id in range(1, 9)) + "...\n"
    await world.call("PUT", "/v1/desired-state", json={"text": text}, headers=FIRST)
    await eventually(lambda: all(world.informer.view(user_id).container for user_id in range(1, 9)))
    lone = {"text": "version: 1\nusers: {1: {}}\n...\n"}
    _, held = await world.call("PUT", "/v1/desired-state", json=lone, headers=SECOND)
    chosen = {"id": held["pending"]["id"]}
    assert (await world.call("POST", "/v1/approve", json=chosen, headers={"X-Request-ID": "boss"}))[0] == 200
    told = [(each["reason"], each["request_id"]) for each in await _events(world, "&kind=brake")]
    assert told == [("Held", "platform-43"), ("Approved", "boss")]
    removed = [each["request_id"] for each in await _events(world, "&kind=wish") if each["reason"] == "Removed"]
    assert removed == ["boss"] * 7


async def test_it_is_remembered_over_a_restart(place: Place) -> None:
    store = await place.store("version: 1\nusers: {}\n...\n")
    await store.amend(lambda state: state.with_entry(7, PLAIN), "api platform-42, token ci, from 10.0.0.5")
    await place.close()
    asked = (await place.store()).asked(7)
    assert asked is not None
    assert asked.request_id == "platform-42"


@pytest.mark.parametrize(
    ("writer", "request_id"),
    [
        ("api 9c3f", "9c3f"),
        ("api matlabctl:ann:1f, user ann", "matlabctl:ann:1f"),
        ("api 1, token ci, from 10.0.0.5, rollback to 12", "1"),
        ("file, approved by api 2, token boss", "2"),
        ("api 1, approved by api 2", "2"),
        ("file", None),
        ("start", None),
        ("commit 1a2b by api 9 <api@example.org>", None),
        ("commit 1a2b by Eve, approved by api 9 <eve@example.org>", None),
        ("", None),
    ],
)
def test_the_line_that_signs_a_change_says_which_call_it_was(writer: str, request_id: str | None) -> None:
    assert request_of(writer) == request_id


def test_a_history_from_before_goes_on_and_has_none(tmp_path: Path) -> None:
    path = tmp_path / FILE
    History(path).close()
    with contextlib.closing(sqlite3.connect(path)) as old:
        for table in ("generations", "events"):
            old.execute(f"ALTER TABLE {table} DROP COLUMN request_id")
        old.execute("INSERT INTO generations VALUES (1, '2026-11-01T00:00:00Z', 'api 9', 'version: 1', '', '7')")
        old.execute(
            "INSERT INTO events (at, kind, reason, message, writer) "
            "VALUES ('2026-11-01T00:00:00Z', 'wish', 'Added', 'so it was', 'api 9')"
        )
        old.commit()
    with contextlib.closing(History(path)) as now:
        assert [each.request_id for each in now.newest(5)] == [None]
        assert [each.event.request_id for each in now.events(None, 0, 5, EVERY_KIND)] == [None]
        assert now.asked()[7].request_id is None
