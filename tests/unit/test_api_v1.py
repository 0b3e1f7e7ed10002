"""The fuller interface beside the seed's: the whole wish of a user, and all that is known of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from controller.access import Access
from controller.model import Phase, RunState, Wish
from tests.api_world import SITE, ApiWorld, api_world
from tests.support import eventually
from tests.wish_place import Place


@pytest.fixture
async def world() -> AsyncIterator[ApiWorld]:
    async with api_world() as world:
        yield world


async def test_put_declares_and_tells_all(world: ApiWorld) -> None:
    status, body = await world.call("PUT", "/v1/users/7", json={"profile": "large", "session_id": "s-1"})
    assert status == 201
    assert world.wish(7) == Wish(profile="large", session_id="s-1")
    assert body["desired"] == {
        "state": "running",
        "profile": "large",
        "session_id": "s-1",
        "restart_at": None,
        "paused": False,
        "resources": {"image": "matlab-session:octave", "cpus": 4, "memory": 8 * 2**30},
    }
    assert body["observed"]["status"] == "running"
    assert body["addresses"] == {"host": "127.0.0.1", "http_port": 30007, "ws_port": 31007}
    assert (await world.call("PUT", "/v1/users/7", json={}))[0] == 200
    assert world.wish(7) == Wish()


async def test_patch_changes_what_it_names_and_nothing_else(world: ApiWorld) -> None:
    assert (await world.call("PATCH", "/v1/users/7", json={"state": "stopped"}))[0] == 404
    await world.call("PUT", "/v1/users/7", json={"profile": "large", "session_id": "s-1"})
    status, body = await world.call("PATCH", "/v1/users/7", json={"state": "stopped"})
    assert (status, body["observed"]["status"]) == (200, "exited")
    assert world.wish(7) == Wish(RunState.STOPPED, "large", "s-1")
    assert (await world.call("PATCH", "/v1/users/7", json={"profile": None, "state": None}))[0] == 200
    assert world.wish(7) == Wish(session_id="s-1")
    for wrong in ({"image": None}, {"state": "on"}, {"profile": "none such"}):
        assert (await world.call("PATCH", "/v1/users/7", json=wrong))[0] == 400
    assert world.wish(7) == Wish(session_id="s-1")


async def test_a_patch_for_a_session_that_is_over_changes_nothing(world: ApiWorld) -> None:
    await world.call("PUT", "/v1/users/7", json={"session_id": "new"})
    for query in ("session_id=old", "session_id=old&session_id=old"):
        status, body = await world.call("PATCH", f"/v1/users/7?{query}", json={"state": "stopped"})
        assert (status, body["code"]) == (409, "session_conflict")
    assert world.wish(7) == Wish(session_id="new")
    assert (await world.call("PATCH", "/v1/users/7?session_id=new", json={"session_id": "next"}))[0] == 200
    assert (await world.call("PATCH", "/v1/users/7?session_id=$", json={}))[1]["code"] == "invalid_session_id"
    assert world.wish(7) == Wish(session_id="next")


async def test_the_addresses_that_open_a_session_are_told_of_one_that_is_there() -> None:
    locked = replace(SITE, access=Access("lab", locked=True, secret=b"s" * 32))
    async with api_world(site=locked) as world:
        await world.call("PUT", "/v1/users/2", json={"state": "stopped"})
        await world.create(7)
        await world.create(8)
        _, body = await world.call("GET", "/v1/users")
        nowhere, seven, eight = ((each["access_url"], each["ws_url"]) for each in body["users"])
        assert nowhere == (None, None)
        assert len({seven, eight}) == 2
        _, one = await world.call("GET", "/v1/users/7")
        assert (one["access_url"], one["ws_url"]) == seven
        token = URL(one["access_url"]).query["token"]
        assert seven == (f"http://lab:30007/?token={token}", f"ws://lab:31007/?token={token}")
        for path in ("/list", "/health/matlab-user-7", "/v1/users/7/logs", "/v1/status"):
            assert token not in str(await world.call("GET", path))
        assert token not in str(await world.create(7))
        assert token not in str([record.__dict__ for record in world.log])


async def test_the_address_is_that_of_the_container_as_it_was_made(world: ApiWorld) -> None:
    await world.create(7)
    _, body = await world.call("GET", "/v1/users/7")
    assert (body["access_url"], body["ws_url"]) == ("http://127.0.0.1:30007/", "ws://127.0.0.1:31007/")


async def test_get_shows_conditions_and_why(world: ApiWorld) -> None:
    await world.create(7)

    async def ready() -> bool:
        _, body = await world.call("GET", "/v1/users/7")
        return {each["type"]: each["status"] for each in body["conditions"]} == {
            "Ready": "True",
            "Reconciling": "False",
            "Stalled": "False",
            "Degraded": "False",
            "WebReady": "True",
            "SessionReady": "True",
            "Busy": "False",
            "Enclosed": "True",
            "WithinQuota": "Unknown",
        }

    await eventually(ready)
    _, body = await world.call("GET", "/v1/users/7")
    assert body["why"] == "The session runs and both its services answer; nothing is left to do."
    assert body["observed"]["services"]["web"] == "healthy"
    assert (body["observed"]["session"]["state"], body["observed"]["session"]["restarts"]) == ("idle", 0)
    (shown,) = (await world.call("GET", "/v1/users"))[1]["users"]
    assert shown["why"] == body["why"]


async def test_a_patch_waits_for_what_is_wanted_when_its_turn_comes(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another call had the session stopped between this one's arrival and its write: it waited for a run for ever."""
    await world.create(7)
    change = world.store.change

    async def after_another(*what: Any) -> Any:
        world.store.want(u7=Wish(state=RunState.STOPPED))
        return await change(*what)

    monkeypatch.setattr(world.store, "change", after_another)
    status, body = await world.call("PATCH", "/v1/users/7", json={"profile": "large"})
    assert (status, body["observed"]["status"]) == (200, "exited")
    assert world.wish(7) == Wish(state=RunState.STOPPED, profile="large")


async def test_put_of_stopped_stops_and_keeps(world: ApiWorld) -> None:
    await world.create(7)
    status, body = await world.call("PUT", "/v1/users/7", json={"state": "stopped"})
    assert (status, body["observed"]["status"]) == (200, "exited")
    assert world.wish(7) == Wish(state=RunState.STOPPED)


async def test_put_that_cannot_be_fulfilled_yet_is_accepted(world: ApiWorld) -> None:
    world.engine.images.clear()
    status, body = await world.call("PUT", "/v1/users/7", json={})
    assert status == 202
    stalled = next(each for each in body["conditions"] if each["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "ImageMissing")
    assert "does not have the image" in body["why"]


async def test_put_with_a_restart_in_the_future_does_not_wait_for_it(world: ApiWorld) -> None:
    moment = "2099-01-01T00:00:00.000Z"
    status, body = await asyncio.wait_for(world.call("PUT", "/v1/users/7", json={"restart_at": moment}), 8)
    assert status == 201
    assert body["desired"]["restart_at"] == moment
    assert world.wish(7) == Wish(restart_at=datetime(2099, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"state": "paused"}, "invalid_state"),
        ({"state": None}, "invalid_state"),
        ({"state": []}, "invalid_state"),
        ({"profile": "huge"}, "unknown_profile"),
        ({"profile": None}, "unknown_profile"),
        ({"profile": []}, "unknown_profile"),
        ({"restart_at": "tomorrow"}, "invalid_restart_at"),
        ({"restart_at": "2026-01-01T00:00:00"}, "invalid_restart_at"),
        ({"restart_at": "0001-01-01T00:00:00+14:00"}, "invalid_restart_at"),
        ({"restart_at": 5}, "invalid_restart_at"),
        ({"restart_at": None}, "invalid_restart_at"),
        ({"session_id": None}, "invalid_session_id"),
    ],
)
async def test_put_refuses_what_the_schema_does_not_have(world: ApiWorld, body: object, code: str) -> None:
    status, answer = await world.call("PUT", "/v1/users/7", json=body)
    assert (status, answer["code"]) == (400, code)
    assert world.wish(7) is None
    if code == "unknown_profile":
        assert answer["allowed"] == ["large", "standard"]


async def test_many_entries_are_one_change(world: ApiWorld) -> None:
    await world.call("PUT", "/v1/users/1", json={"profile": "large", "session_id": "s"})
    await world.create(2)
    before = world.store.current.generation
    body = {"users": {"1": {"state": "stopped", "session_id": None}, "2": None, "3": {}, "4": None}}
    assert await world.call("PATCH", "/v1/users", json=body) == (200, {"generation": before + 1})
    assert dict(world.store.current.users) == {1: Wish(RunState.STOPPED, "large"), 3: Wish()}
    await eventually(lambda: [c.user_id for c in world.engine.containers() if c.phase is Phase.RUNNING] == [3])
    assert await world.call("PATCH", "/v1/users", json=body) == (200, {"generation": before + 1})


async def test_now_is_the_engines_now(world: ApiWorld) -> None:
    await world.create(1)
    await world.create(2)
    first = world.informer.view(1).container
    now = (await world.engine.info()).now
    assert (await world.call("PATCH", "/v1/users", json={"users": {"1": {"restart_at": "now"}}}))[0] == 200
    wish = world.wish(1)
    assert wish
    assert wish.restart_at
    assert timedelta(0) < wish.restart_at - now < timedelta(minutes=1)
    await eventually(lambda: world.informer.view(1).container != first)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_users"),
        ({"users": []}, "invalid_users"),
        ({"users": {"1": "stopped"}}, "invalid_users"),
        ({"users": {"101": {}}}, "invalid_user_id"),
        ({"users": {"01": {}}}, "invalid_user_id"),
        ({"users": {"2": {}, "1": {"state": "paused"}}}, "invalid_state"),
        ({"users": {"1": {"restart_at": "soon"}}}, "invalid_restart_at"),
        ({"users": {"1": {"image": "x"}}}, "unknown_field"),
        ({"users": {"1": {}}, "forced": True}, "unknown_field"),
        ({"users": {"1": {}}, "force": 1}, "invalid_force"),
    ],
)
async def test_of_many_all_are_changed_or_none(world: ApiWorld, body: object, code: str) -> None:
    before = world.store.current
    status, answer = await world.call("PATCH", "/v1/users", json=body)
    assert (status, answer["code"]) == (400, code)
    assert world.store.current == before


async def test_delete_removes(world: ApiWorld) -> None:
    await world.create(7, session_id="new")
    assert (await world.call("DELETE", "/v1/users/7?session_id=old"))[0] == 409
    assert (await world.call("DELETE", "/v1/users/7"))[0] == 200
    assert world.engine.containers() == ()
    assert (await world.call("DELETE", "/v1/users/7"))[0] == 404
    assert (await world.call("GET", "/v1/users/7"))[0] == 404


async def test_a_profile_that_the_settings_lost_is_told_and_not_hidden(world: ApiWorld) -> None:
    await world.store.change(7, lambda _: Wish(profile="gone"), "an older day")
    await eventually(lambda: world.informer.view(7).progress.error)
    status, body = await world.call("GET", "/v1/users/7")
    assert status == 200
    assert body["desired"]["profile"] == "gone"
    assert body["desired"]["resources"] is None
    assert "gone" in body["why"]
    assert (await world.call("GET", "/v1/users"))[1]["total"] == 1


async def test_users_are_those_declared_and_those_there(world: ApiWorld) -> None:
    await world.create(10)
    await world.call("PUT", "/v1/users/2", json={"state": "stopped"})
    _, body = await world.call("GET", "/v1/users")
    assert [(each["user_id"], each["observed"]["status"]) for each in body["users"]] == [(2, None), (10, "running")]


async def test_what_is_shown_while_the_engine_is_away_says_so(world: ApiWorld) -> None:
    await world.create(7)
    await world.engine_leaves()
    _, body = await world.call("GET", "/v1/users/7")
    assert body["observed"]["stale"] is True
    assert {each["status"] for each in body["conditions"]} == {"Unknown"}
    assert (await world.call("GET", "/v1/users"))[1]["stale"] is True


async def test_while_the_engine_is_away_nobody_is_said_not_to_be_there(world: ApiWorld) -> None:
    await world.engine_leaves()
    status, body = await world.call("GET", "/v1/users/7")
    assert (status, body["desired"], body["observed"]["observed_at"]) == (200, None, None)
    assert {each["status"] for each in body["conditions"]} == {"Unknown"}
    assert body["why"].startswith("The engine cannot be reached")


async def test_of_an_engine_that_hangs_the_last_answer_is_told(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not when it was last found to be there again, which may be weeks ago."""
    await world.create(7)
    view = world.informer.view(7)
    weeks = datetime.now(UTC) - timedelta(weeks=2)
    world.informer._users[7] = replace(view, engine=replace(view.engine, last_seen=weeks))
    world.engine.latency["find"] = 5
    monkeypatch.setattr("controller.api.LOOK_SECONDS", 0.1)
    monkeypatch.setattr("controller.api.HEALTH_AGE", 0)
    _, body = await world.call("GET", "/v1/users/7")
    assert body["observed"]["stale"]
    assert body["observed"]["age_seconds"] < 60
    _, health = await world.call("GET", "/health/matlab-user-7")
    assert health["status"] == "unknown"
    assert re.search(r"last answered [0-9]+ s ago", health["details"])


async def test_logs(world: ApiWorld) -> None:
    assert (await world.call("GET", "/v1/users/7/logs"))[0] == 404
    await world.create(7)
    status, body = await world.call("GET", "/v1/users/7/logs?tail=1")
    assert status == 200
    assert body == {"user_id": 7, "container_id": "matlab-user-7", "lines": ["started"]}
    for tail in ("0", "-1", "x", "10001", "", "1_0", "%D9%A5"):
        status, body = await world.call("GET", f"/v1/users/7/logs?tail={tail}")
        assert (status, body["code"]) == (400, "invalid_tail")


async def test_while_the_engine_is_away_nobody_is_said_to_have_no_container(world: ApiWorld) -> None:
    await world.engine_leaves()
    status, body = await world.call("GET", "/v1/users/7/logs")
    assert (status, body["code"]) == (503, "engine_unavailable")
    assert body["error"]


async def test_status_tells_of_the_file_the_engine_and_the_queue(world: ApiWorld) -> None:
    await world.create(7)
    status, body = await world.call("GET", "/v1/status")
    assert status == 200
    assert (body["version"], body["instance"], body["generation"]) == ("1.0", "test", 2)
    assert body["desired_state"]["valid"] is True
    assert body["engine"]["reachable"] is True
    assert set(body["queue"]) >= {"queued", "working", "starting", "backing_off"}
    assert (body["users"]["declared"], body["users"]["running"]) == (1, 1)


async def test_liveness_and_readiness(world: ApiWorld) -> None:
    assert await world.call("GET", "/healthz") == (200, {"status": "alive"})
    assert await world.call("GET", "/readyz") == (200, {"status": "ready"})
    await world.engine_leaves()
    assert (await world.call("GET", "/healthz"))[0] == 200
    assert (await world.call("GET", "/readyz"))[0] == 503
    world.engine.away = False
    await eventually(lambda: world.informer.engine.reachable, 15)
    world.store.health = replace(world.store.health, valid=False)
    assert (await world.call("GET", "/readyz"))[0] == 200  # the last good state is in force
    world.store.current = replace(world.store.current, generation=0)
    assert (await world.call("GET", "/readyz"))[0] == 503


async def test_head_is_answered_without_a_body(world: ApiWorld) -> None:
    async with world.http.head("/list") as response:
        assert response.status == 200
        assert await response.read() == b""


async def test_a_call_for_many_that_would_end_many_changes_nothing_unless_somebody_has_agreed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    crowd = "version: 1\nusers:\n" + "".join(f"  {user_id}: {{}}\n" for user_id in range(1, 11)) + "...\n"
    async with api_world(real_store=await place.running(crowd)) as world:
        await eventually(lambda: all(world.informer.view(user_id).container for user_id in range(1, 11)))
        few, many = ({"users": dict.fromkeys(map(str, ids))} for ids in (range(1, 3), range(3, 11)))
        assert (await world.call("PATCH", "/v1/users", json=few))[0] == 200
        status, told = await world.call("PATCH", "/v1/users", json=many)
        assert (status, told["code"]) == (409, "needs_approval")
        assert "8 of 8 sessions" in told["error"]
        assert set(world.store.current.users) == set(range(3, 11))
        assert world.store.pending is None
        assert (await world.call("PATCH", "/v1/users", json={**many, "force": True}))[0] == 200
        assert not world.store.current.users
    await place.close()
