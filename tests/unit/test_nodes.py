"""The nodes of a swarm as the API and `matlabctl` have them, over the real loop and a fake engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.events import EventKind, EventReason
from controller.model import Phase, RunState, Wish
from controller.reconciler import HEALTHY_AFTER
from tests.api_world import ApiWorld, api_world
from tests.shell import COMMAND, Ask, environment
from tests.support import eventually
from tests.worlds import GIB

MOVE = ("move", "matlab-user-1")


@pytest.fixture
async def world() -> AsyncIterator[ApiWorld]:
    async with api_world() as world:
        world.engine.add_node("n1")
        world.engine.add_node("n2", labels={"pool": "gpu"})
        yield world


async def nodes(world: ApiWorld) -> dict[str, Any]:
    status, told = await world.call("GET", "/v1/nodes")
    assert status == 200
    return {**told, "nodes": {each["name"]: each for each in told["nodes"]}}


async def class_of(world: ApiWorld, *user_ids: int) -> None:
    for user_id in user_ids:
        await world.create(user_id)
    await eventually(lambda: all(world.informer.view(user_id).ready_since for user_id in user_ids))


async def on(world: ApiWorld, name: str) -> list[int]:
    told: list[int] = (await nodes(world))["nodes"][name]["sessions"]
    return told


async def test_each_node_is_told_with_its_sessions(world: ApiWorld) -> None:
    await class_of(world, 1, 2, 3)
    told = await nodes(world)
    assert told["total"] == 2
    assert (told["nodes"]["n1"]["sessions"], told["nodes"]["n2"]["sessions"]) == ([1, 3], [2])
    assert told["nodes"]["n2"]["labels"] == {"pool": "gpu"}
    assert told["nodes"]["n1"]["leaving_since"] is None
    assert (told["moving"], told["waiting"], told["moves_at_once"]) == ([], [], 2)


async def test_one_host_has_no_nodes() -> None:
    async with api_world() as world:
        assert (await nodes(world))["nodes"] == {}
        status, body = await world.call("POST", "/v1/nodes/n1/drain")
        assert (status, body["code"]) == (404, "not_found")


async def test_a_node_that_is_drained_becomes_empty_and_takes_no_more(world: ApiWorld) -> None:
    await class_of(world, 1, 2, 3)
    status, told = await world.call("POST", "/v1/nodes/n1/drain")
    assert (status, told["availability"]) == (200, "pause")
    assert told["leaving_since"]

    async def empty() -> bool:
        return await on(world, "n1") == []

    await eventually(empty)
    assert await on(world, "n2") == [1, 2, 3]
    await world.create(4)
    assert 4 in await on(world, "n2")
    status, told = await world.call("POST", "/v1/nodes/id-n1/activate")
    assert (status, told["availability"], told["leaving_since"]) == (200, "active", None)
    assert [(each.kind, each.reason, each.message) for each in world.store.events if each.kind is EventKind.NODE] == [
        (EventKind.NODE, EventReason.DRAINING, "node n1 is to be empty"),
        (EventKind.NODE, EventReason.ACTIVATED, "node n1 takes sessions"),
    ]


async def test_two_are_on_the_way_at_a_time_and_the_others_say_that_they_wait(world: ApiWorld) -> None:
    await class_of(world, 1, 2, 3, 4, 5, 6, 7, 8)
    there = await on(world, "n1")
    assert len(there) == 4
    world.services.web = False  # whoever is moved does not arrive
    await world.call("POST", "/v1/nodes/n1/drain")

    async def two_have_gone() -> bool:
        told = await nodes(world)
        return len(told["moving"]) == 2 and told["nodes"]["n1"]["sessions"] == told["waiting"]

    await eventually(two_have_gone)
    waiting = (await nodes(world))["waiting"]
    assert len(waiting) == 2
    for user_id in waiting:
        why = (await world.call("GET", f"/v1/users/{user_id}"))[1]["why"]
        assert "it waits for its turn to be moved, 2 at a time: the node n1 is being emptied" in why
    world.services.web = True

    async def empty() -> bool:
        return await on(world, "n1") == []

    await eventually(empty)


async def test_a_session_that_waits_for_its_turn_can_be_stopped_meanwhile(world: ApiWorld) -> None:
    await class_of(world, 1, 2, 3, 4, 5, 6)
    world.services.web = False
    await world.call("POST", "/v1/nodes/n1/drain")

    async def one_waits() -> bool:
        return len((await nodes(world))["waiting"]) == 1

    await eventually(one_waits)
    (user_id,) = (await nodes(world))["waiting"]
    status, _ = await world.call("PUT", f"/v1/users/{user_id}", json={"state": "stopped"})
    assert status == 200
    assert (await nodes(world))["waiting"] == []


async def test_what_no_other_node_has_room_for_goes_on_where_it_is(world: ApiWorld) -> None:
    await class_of(world, 1)
    run_before = world.informer.view(1).container
    world.engine.full = True
    await world.call("POST", "/v1/nodes/n1/drain")

    async def told() -> bool:
        return "No other node takes sessions" in (await world.call("GET", "/v1/users/1"))[1]["why"]

    await eventually(told)
    view = world.informer.view(1)
    assert view.container is not None
    assert run_before is not None
    assert view.container.started_at == run_before.started_at
    assert (await nodes(world))["moving"] == []


async def test_who_finds_no_room_is_tried_ever_less_often_though_the_session_is_well(world: ApiWorld) -> None:
    await class_of(world, 1)
    world.engine.full = True
    await world.call("POST", "/v1/nodes/n1/drain")
    await eventually(lambda: world.informer.view(1).progress.failures >= 2)
    ready = world.informer.view(1).ready_since
    assert ready is not None
    world.informer._put(replace(world.informer.view(1), ready_since=ready - 2 * HEALTHY_AFTER))
    failures, tries = world.informer.view(1).progress.failures, world.engine.calls.count(MOVE)
    world.engine.set_limits("matlab-user-1", 2, 4 * GIB)  # as they are: only a reason to look between two tries
    await eventually(lambda: world.engine.calls.count(MOVE) > tries)
    await eventually(lambda: world.informer.view(1).progress.failures == failures + 1)


async def test_a_paused_users_session_is_left_where_it_is(world: ApiWorld) -> None:
    await class_of(world, 1)
    world.store.want(u1=Wish(RunState.RUNNING, paused=True))
    await world.call("POST", "/v1/nodes/n1/drain")
    await class_of(world, 2)
    assert await on(world, "n1") == [1]


async def test_a_session_that_has_ended_is_on_no_node(world: ApiWorld) -> None:
    await class_of(world, 1)
    world.store.want(u1=Wish(RunState.RUNNING, paused=True))
    world.engine.kill("matlab-user-1")
    await eventually(lambda: (c := world.informer.view(1).container) and c.phase is Phase.EXITED)
    assert await on(world, "n1") == []


async def test_names_that_two_nodes_have_are_not_guessed_at(world: ApiWorld) -> None:
    world.engine.add_node("n2", id="id-other")
    status, body = await world.call("POST", "/v1/nodes/n2/drain")
    assert status == 404
    assert "id-n2, id-other" in body["details"]


async def test_a_session_is_told_on_the_one_node_that_it_is_on_though_another_has_its_name(world: ApiWorld) -> None:
    await class_of(world, 1, 2, 3)
    world.engine.add_node("n2", id="id-other")
    _, told = await world.call("GET", "/v1/nodes")
    assert {each["id"]: each["sessions"] for each in told["nodes"]} == {"id-n1": [1, 3], "id-n2": [2], "id-other": []}
    user = (await world.call("GET", "/v1/users/2"))[1]
    assert user["observed"]["container"]["node"]["id"] == "id-n2"


async def test_matlabctl_shows_nodes_and_waits_until_one_is_empty(world: ApiWorld, ask: Ask) -> None:
    await class_of(world, 1, 2, 3)
    shown = (await ask("node", "list")).stdout
    assert [line.split()[0] for line in shown.splitlines()] == ["NODE", "n1", "n2"]
    done = await ask("node", "drain", "n1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "n1 takes no more sessions."
    assert done.stdout.splitlines()[-1] == "n1 is empty."
    assert "to be empty since" in (await ask("node", "list")).stdout
    assert (await ask("node", "activate", "n1")).stdout == "n1 takes sessions.\n"
    assert json.loads((await ask("node", "list", "-o", "json")).stdout)["nodes"][0]["availability"] == "active"


async def test_matlabctl_says_who_is_left_on_a_node_and_why(world: ApiWorld, tmp_path: Path) -> None:
    await class_of(world, 1, 2, 3)
    world.store.want(u1=Wish(), u2=Wish(), u3=Wish(paused=True))
    world.engine.full = True
    own = environment(MCM_API_PORT=str(world.port))
    words = (*COMMAND, "node", "drain", "n1")
    waiting = await asyncio.create_subprocess_exec(*words, cwd=tmp_path, env=own, stdout=asyncio.subprocess.PIPE)
    assert waiting.stdout is not None
    said: list[str] = []
    while len([line for line in said if "still there" in line]) < 2:
        said.append((await asyncio.wait_for(waiting.stdout.readline(), 60)).decode().rstrip())
        assert said[-1]
    assert said[0] == "n1 takes no more sessions."
    full = "No other node takes sessions. The session goes on where it is."
    assert any(line.startswith(f"  still there: 1. {full}") for line in said)
    world.engine.full = False
    world.store.want(u1=Wish(), u2=Wish(), u3=Wish())
    said += (await waiting.communicate())[0].decode().splitlines()
    assert said[-1] == "n1 is empty."
    assert said.count("  still there: 3. Paused: `matlabctl resume` lets it go.") == 1, "it is said again, unchanged"


async def test_since_when_a_node_is_lost_is_told(world: ApiWorld, ask: Ask) -> None:
    lost_at = datetime(2026, 11, 30, 10, 18, 18, 551_000, tzinfo=UTC)
    world.engine.add_node("n3", state="down", updated_at=lost_at)
    assert datetime.fromisoformat((await nodes(world))["nodes"]["n3"]["updated_at"]) == lost_at
    assert "down since" in (await ask("node", "list")).stdout


async def test_matlabctl_names_the_nodes_that_there_are(world: ApiWorld, ask: Ask) -> None:
    done = await ask("node", "drain", "n9")
    assert done.returncode == 1
    assert done.stderr == "Error: There is no node n9. There are n1, n2.\n"
