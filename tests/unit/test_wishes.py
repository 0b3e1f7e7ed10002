"""The desired state as a whole over the API: a real store on a real disk, the real loop, a fake engine."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest

from controller.model import Wish
from tests.api_world import SITE, ApiWorld, api_world
from tests.fake_store import terms
from tests.support import eventually
from tests.unit.test_store_brake import TEN, lab
from tests.wish_place import Place


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    async with api_world(real_store=await place.running(TEN)) as world:
        await eventually(lambda: len(world.running) == 10)
        yield world


async def pending(world: ApiWorld) -> Any:
    return (await world.call("GET", "/v1/status"))[1]["pending"]


# ---------------------------------------------------------------- texts


async def test_the_text_in_force_is_told_and_taken_back(world: ApiWorld, place: Place) -> None:
    _, body = await world.call("GET", "/v1/desired-state")
    assert body == {"generation": 1, "text": TEN, "refused": None, "waiting": None}
    changed = TEN.replace("  2: {}", "  2: {profile: large}")
    assert await world.call("PUT", "/v1/desired-state", json={"text": changed}) == (200, {"generation": 2})
    assert place.file.read_text() == changed.replace("generation: 1", "generation: 2")


async def test_the_schema_names_the_profiles_and_the_users_that_there_may_be(world: ApiWorld) -> None:
    status, schema = await world.call("GET", "/v1/desired-state/schema")
    assert status == 200
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"version": 1, "users": {"100": {"profile": "large"}}})
    assert not validator.is_valid({"version": 1, "users": {"101": {}}})
    assert not validator.is_valid({"version": 1, "users": {"1": {"profile": "huge"}}})
    assert not validator.is_valid({"version": 1, "users": {}, "defaults": {"profile": "huge"}})


async def test_a_wrong_text_is_refused_with_its_places(world: ApiWorld, place: Place) -> None:
    wrong = TEN.replace("  2: {}", "  2: {stat: stopped}")
    status, body = await world.call("PUT", "/v1/desired-state", json={"text": wrong})
    assert (status, body["code"]) == (422, "wish_invalid")
    [problem] = body["problems"]
    assert (problem["line"], problem["column"]) == (6, 7)
    assert problem["message"].startswith("unknown key `stat`")
    assert place.file.read_text() == TEN


async def test_a_text_that_lies_there_and_is_not_in_force_is_told_until_it_is_mended(
    world: ApiWorld, place: Place
) -> None:
    broken = TEN.replace("  2: {}", "  2: {stat: stopped}")
    place.file.write_text(broken)
    await eventually(lambda: not world.store.health.valid)
    _, body = await world.call("GET", "/v1/desired-state")
    assert (body["text"], body["refused"], body["waiting"]) == (TEN, broken, None)
    mended = broken.replace("stat:", "state:")
    assert (await world.call("PUT", "/v1/desired-state", json={"text": mended}))[0] == 200
    _, body = await world.call("GET", "/v1/desired-state")
    assert (body["text"], body["refused"]) == (place.file.read_text(), None)
    place.file.write_bytes(b"\xff\xfe")
    await eventually(lambda: not world.store.health.valid)
    assert (await world.call("GET", "/v1/desired-state"))[1]["refused"] is None, "it is no text"


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("PUT", "/v1/desired-state", {"text": 5}, "invalid_text"),
        ("PUT", "/v1/desired-state", {"text": "", "generation": 0}, "invalid_generation"),
        ("POST", "/v1/plan", {"text": "", "generation": "1"}, "invalid_generation"),
        ("PUT", "/v1/desired-state", {"text": "", "force": "yes"}, "invalid_force"),
        ("PUT", "/v1/desired-state", {"text": "", "now": True}, "unknown_field"),
        ("POST", "/v1/plan", {}, "invalid_text"),
        ("POST", "/v1/approve", {"id": "../x"}, "invalid_id"),
        ("POST", "/v1/reject", {}, "invalid_id"),
        ("POST", "/v1/rollback", {"generation": "1"}, "invalid_generation"),
        ("POST", "/v1/rollback", {"generation": True}, "invalid_generation"),
        ("POST", "/v1/pause", {"user_ids": []}, "invalid_user_id"),
        ("POST", "/v1/pause", {"user_ids": [True]}, "invalid_user_id"),
        ("POST", "/v1/resume", {"user_ids": 5}, "invalid_user_id"),
        ("GET", "/v1/history?limit=0", None, "invalid_limit"),
        ("GET", "/v1/history/0x1", None, "invalid_generation"),
        ("GET", "/v1/events?user_id=-1", None, "invalid_user_id"),
        ("GET", "/v1/events?after=٣", None, "invalid_after"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    world: ApiWorld, place: Place, method: str, path: str, body: Any, code: str
) -> None:
    options = {} if body is None else {"json": body}
    status, answer = await world.call(method, path, **options)
    assert (status, answer["code"]) == (400, code)
    assert place.file.read_text() == TEN


async def test_a_text_as_large_as_the_file_may_be_is_read_and_no_larger(world: ApiWorld) -> None:
    padded = TEN.replace("# the lab", "# the lab" + "é" * 100_000)
    assert (await world.call("PUT", "/v1/desired-state", json={"text": padded}))[0] == 200
    for filler in ("#" * 300_000, "#" + "é" * 140_000):
        too_large = TEN.replace("# the lab", filler)
        status, body = await world.call("PUT", "/v1/desired-state", json={"text": too_large})
        assert (status, "larger than 256 KB" in str(body["problems"])) == (422, True)
    assert (await world.call("PUT", "/v1/desired-state", json={"text": TEN + "# \ud800"}))[0] == 422
    endless = io.BytesIO(b'{"text": "' + b"#" * 1_100_000)
    type_is_json = {"Content-Type": "application/json"}
    assert (await world.call("PUT", "/v1/desired-state", data=endless, headers=type_is_json))[0] == 413


# ---------------------------------------------------------------- the brake


async def test_an_edit_that_ends_a_class_waits_until_it_is_approved(world: ApiWorld, place: Place) -> None:
    place.file.write_text(lab(1, 2))
    waiting = await eventually(lambda: pending(world))
    assert waiting["removes"] == list(range(3, 11))
    assert (waiting["stops"], waiting["source"]) == ([], "file")
    told = (await world.call("GET", "/v1/desired-state"))[1]
    assert (told["text"], told["waiting"]) == (TEN, lab(1, 2))
    assert world.running == list(range(1, 11))
    status, body = await world.call("POST", "/v1/approve", json={"id": "0" * 12})
    assert (status, body["code"], body["pending"]["id"]) == (409, "not_pending", waiting["id"])
    assert await world.call("POST", "/v1/approve", json={"id": waiting["id"]}) == (200, {"generation": 2})
    await eventually(lambda: world.running == [1, 2])
    assert await pending(world) is None


async def test_a_text_that_ends_a_class_is_answered_with_what_waits(world: ApiWorld, place: Place) -> None:
    status, body = await world.call("PUT", "/v1/desired-state", json={"text": lab(1)})
    assert (status, body["code"]) == (409, "needs_approval")
    assert body["pending"] == await pending(world)
    assert (await world.call("GET", "/v1/desired-state"))[1]["waiting"] == lab(1)
    assert await world.call("POST", "/v1/reject", json={"id": body["pending"]["id"]}) == (200, {"generation": 1})
    assert await pending(world) is None
    assert place.file.read_text() == TEN
    assert (await world.call("PUT", "/v1/desired-state", json={"text": lab(1), "force": True}))[0] == 200
    await eventually(lambda: world.running == [1])


async def test_a_plan_tells_what_would_be_done_and_does_nothing(world: ApiWorld) -> None:
    assert await world.call("GET", "/v1/plan") == (200, {"generation": 1, "actions": []})
    text = lab(1).replace("1: {}", "1: {profile: large}")
    status, body = await world.call("POST", "/v1/plan", json={"text": text})
    assert (status, body["problems"]) == (200, [])
    assert "remove 2-10" in body["held"]
    assert body["changes"][:2] == [
        {"user_id": 1, "before": "{}", "after": "{profile: large}"},
        {"user_id": 2, "before": "{}", "after": None},
    ]
    assert [(step["user_id"], step["action"]) for step in body["actions"][:3]] == [
        (1, "update"),
        (2, "stop"),
        (2, "remove"),
    ]
    assert body["actions"][1]["reason"] == "the user is not in the desired state"
    _, body = await world.call("POST", "/v1/plan", json={"text": "x: ["})
    assert (body["actions"], body["changes"], body["held"]) == ([], [], "")
    assert body["problems"][0]["message"].startswith("this cannot be read as YAML")
    assert (await pending(world), len(world.running)) == (None, 10)


# ---------------------------------------------------------------- pauses


async def test_a_paused_user_is_shown_and_left_alone(world: ApiWorld, place: Place) -> None:
    status, body = await world.call("POST", "/v1/pause", json={"user_ids": [3]}, headers={"X-Request-ID": "me"})
    assert (status, body) == (200, {"generation": 2, "paused": False, "paused_users": [3]})
    assert "  3: {paused: true}   # seat 3" in place.file.read_text()
    world.engine.kill("matlab-user-3")
    world.engine.kill("matlab-user-4")
    await eventually(lambda: len(world.running) == 9)
    assert 3 not in world.running
    _, user = await world.call("GET", "/v1/users/3")
    by = "Paused for this user by api me in generation 2"
    assert (user["paused"], user["desired"]["paused"], user["asked"]["writer"]) == (True, True, "api me")
    reconciling = next(each for each in user["conditions"] if each["type"] == "Reconciling")
    assert (reconciling["status"], reconciling["reason"], reconciling["message"]) == ("False", "Paused", by)
    assert user["why"] == f"The container exited with code 137; {by[0].lower()}{by[1:]}: nothing is done."
    status, body = await world.create(3)
    assert (status, body["status"]) == (202, "pending"), "and nobody waits for it"
    assert (await world.call("POST", "/v1/resume", json={"user_ids": [3]}))[1]["paused_users"] == []
    await eventually(lambda: len(world.running) == 10)


async def test_what_a_call_asks_of_the_paused_and_holds_already_is_done(world: ApiWorld) -> None:
    """A bridge tries again what is not answered with 200 or 201, and then tells its user that it failed."""
    already = {"status": "already_running", "message": "Container is already running"}
    await world.call("POST", "/v1/pause", json={"user_ids": [3]})
    for session in ({}, {"session_id": "s-2"}):
        status, body = await world.create(3, **session)
        assert (status, body | already) == (200, body), session
    status, body = await world.call("PATCH", "/v1/users/3", json={"profile": "large"})
    assert status == 202, "what is declared of it is not in force"
    assert (await world.call("PATCH", "/v1/users/3", json={"paused": True}))[0] == 200, "the pause is"
    assert (await world.call("POST", "/restart/matlab-user-3"))[0] == 202
    await world.call("POST", "/v1/pause")
    world.engine.vanish("matlab-user-4")
    assert (await world.create(4))[0] == 202
    assert (await world.call("POST", "/destroy/matlab-user-4"))[0] == 200
    assert (await world.call("POST", "/destroy/matlab-user-5"))[0] == 202
    assert (await world.create(5))[0] == 200


async def test_everybody_is_paused_those_who_are_not_wanted_too(world: ApiWorld, place: Place) -> None:
    status, body = await world.call("POST", "/v1/pause")
    assert (status, body["paused"]) == (200, True)
    assert "generation: 2   # ours\npaused: true\n" in place.file.read_text()
    world.engine.kill("matlab-user-1")
    assert (await world.call("DELETE", "/v1/users/2"))[0] == 202
    place.edit("  4: {}   # seat 4\n", "")
    await eventually(lambda: 4 not in world.store.current.users)
    calls = len(world.engine.calls)
    await asyncio.sleep(0.1)
    assert world.engine.calls[calls:] == []
    assert {2, 4} <= set(world.running)
    assert (await world.call("GET", "/v1/plan"))[1]["actions"] == []
    assert (await world.call("GET", "/v1/status"))[1]["paused"] is True
    assert (await world.call("POST", "/v1/resume"))[1]["paused"] is False
    assert "paused" not in place.file.read_text()
    await eventually(lambda: world.running == [1, 3, *range(5, 11)])


async def test_a_user_who_is_not_there_cannot_be_paused(world: ApiWorld, place: Place) -> None:
    status, body = await world.call("POST", "/v1/pause", json={"user_ids": [1, 77]})
    assert (status, body["user_ids"]) == (404, [77])
    assert place.file.read_text() == TEN


# ---------------------------------------------------------------- what was


async def test_history_tells_and_rollback_goes_back(world: ApiWorld, place: Place) -> None:
    await world.call("PUT", "/v1/users/2", json={"state": "stopped"}, headers={"X-Request-ID": "oops"})
    _, body = await world.call("GET", "/v1/history?limit=1")
    [last] = body["generations"]
    assert {name: last[name] for name in ("generation", "writer", "summary", "in_force")} == {
        "generation": 2,
        "writer": "api oops",
        "summary": "stops 2",
        "in_force": True,
    }
    _, second = await world.call("GET", "/v1/history/2")
    assert second["changes"] == [{"user_id": 2, "before": "{}", "after": "{state: stopped}"}]
    assert second["text"] == place.file.read_text()
    assert (await world.call("GET", "/v1/history/1"))[1]["changes"][0] == {"user_id": 1, "before": None, "after": "{}"}
    assert (await world.call("GET", "/v1/history/3"))[0] == 404
    assert (await world.call("POST", "/v1/rollback", json={"generation": 3}))[0] == 404
    assert await world.call("POST", "/v1/rollback", json={"generation": 1}) == (200, {"generation": 3})
    assert place.file.read_text() == TEN.replace("generation: 1", "generation: 3")
    await eventually(lambda: len(world.running) == 10)


async def test_a_rollback_is_held_like_any_other_text(world: ApiWorld) -> None:
    for user_id in range(20, 60):
        await world.store.change(user_id, lambda _: Wish(), "api")
    status, body = await world.call("POST", "/v1/rollback", json={"generation": 1})
    assert (status, len(body["pending"]["removes"])) == (409, 40)
    assert (await world.call("POST", "/v1/approve", json={"id": body["pending"]["id"]}))[0] == 200
    assert list(world.store.current.users) == list(range(1, 11))


async def test_events_tell_what_happened_and_go_on_from_where_one_was(world: ApiWorld) -> None:
    await eventually(lambda: all(world.informer.view(user_id).ready_since for user_id in range(1, 11)))
    _, body = await world.call("GET", "/v1/events?user_id=5")
    told = [(event["kind"], event["reason"]) for event in body["events"]]
    assert told == [("wish", "Added"), ("action", "ActionDone"), ("action", "ActionDone"), ("session", "Ready")]
    start = body["events"][2]
    assert start["message"] == "start: made, and not started yet"
    assert (start["user_id"], start["generation"]) == (5, 1)
    last = (await world.call("GET", "/v1/events?limit=1"))[1]["events"][0]["id"]
    await world.engine_leaves()
    _, body = await world.call("GET", f"/v1/events?after={last}")
    assert [(event["kind"], event["reason"]) for event in body["events"]] == [("engine", "Lost")]


async def test_with_nothing_remembered_what_runs_goes_on(place: Place) -> None:
    """State folder and file are gone, and the containers are still there."""
    store = await place.running(TEN)
    async with api_world(real_store=store) as before:
        await eventually(lambda: len(before.running) == 10)
        engine = before.engine
    (place.state / "elsewhere").mkdir()
    again = Place(place.state / "elsewhere")
    forgetful = await again.running()
    async with api_world(real_store=forgetful, engine=engine) as world:
        waiting = await eventually(lambda: pending(world))
        assert (waiting["source"], waiting["removes"]) == ("start", list(range(1, 11)))
        calls = len(engine.calls)
        await asyncio.sleep(0.1)
        assert (engine.calls[calls:], len(world.running)) == ([], 10)
        assert (await world.call("POST", "/v1/approve", json={"id": waiting["id"]}))[0] == 200
        await eventually(lambda: world.running == [])
    await again.close()


def test_the_world_and_the_store_speak_of_one_site() -> None:
    """Else the brake would weigh other profiles than the loop acts on."""
    assert terms().site.profiles.keys() == SITE.profiles.keys()
