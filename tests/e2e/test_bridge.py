"""A bridge that knows us from its description alone: its good day, and the days when calls and machines misbehave."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bridge import WAITS, Answer, Bridge
from tests.faults.proxy import FaultProxy, Late, Tell
from tests.rig import Rig
from tests.support import Lab, eventually

ENGINE = Path(os.environ.get("DOCKER_HOST", "").removeprefix("unix://") or "/var/run/docker.sock")
IDLE = 5.0
"""Seconds; so long a bridge of ours sleeps at most, where it should for five minutes."""
HURRIED = 0.3
"""The same, where nothing is to come about in the time between two calls."""


@pytest.fixture
async def proxy(lab: Lab) -> AsyncIterator[FaultProxy]:
    """The engine, for a controller that is started with `DOCKER_HOST` here."""
    proxy = FaultProxy(lab.folder / "engine.sock", ENGINE)
    await proxy.open()
    yield proxy
    await proxy.close()


def a_bridge(rig: Rig, idle: float = IDLE) -> Bridge:
    return Bridge(rig.url, lambda seconds: time.sleep(min(seconds, idle)))


def statuses(bridge: Bridge, call: str) -> list[int]:
    return [status for what, status in bridge.seen if what.startswith(call)]


# ---------------------------------------------------------------- the good day


async def test_the_good_day(rig: Rig, lab: Lab) -> None:
    bridge, hurried = a_bridge(rig), a_bridge(rig, HURRIED)
    began = time.monotonic()
    health = await asyncio.to_thread(bridge.begin, 1, "lesson-1")
    assert time.monotonic() - began < 30, "a session is promised to be usable under 30 s after create"
    assert bridge.seen[0] == ("POST /create", 201)
    name = health["container_id"]
    assert name == lab.name(1)

    status, page = await asyncio.to_thread(bridge.page, health["http_port"])
    assert (status, "<html" in page["text"]) == (200, True)
    assert "X-Frame-Options" not in page["headers"]
    assert "ans = 2" in await asyncio.to_thread(bridge.evaluate, health["ws_port"], "1+1")
    assert await asyncio.to_thread(hurried.check, name, 2) == [True, True]

    status, told = await asyncio.to_thread(bridge.destroy, name, "lesson-1")
    assert (status, told) == (200, {"message": "Container destroyed successfully", "container_id": name})
    assert lab.containers() == []
    assert {status for _, status in (*bridge.seen, *hurried.seen)} <= {200, 201}, "nothing had to be repeated"


# ---------------------------------------------------------------- calls repeated, and out of order


async def test_a_late_destroy_of_an_old_session_does_not_end_the_new_one(rig: Rig, lab: Lab) -> None:
    bridge, hurried = a_bridge(rig), a_bridge(rig, HURRIED)
    health = await asyncio.to_thread(bridge.begin, 1, "old")
    name = health["container_id"]
    assert (await asyncio.to_thread(bridge.create, 1, "new"))[0] == 200, "the session that runs is the new one's now"
    status, told = await asyncio.to_thread(hurried.destroy, name, "old")
    assert (status, told["code"]) == (409, "session_conflict")
    assert statuses(hurried, "POST /destroy") == [409] * 4, "and goes on being that, however often it is repeated"
    status, after = await asyncio.to_thread(bridge.health, name)
    assert (bridge.is_healthy(after), after["started_at"]) == (True, health["started_at"])
    assert (await asyncio.to_thread(bridge.destroy, name, "new"))[0] == 200


async def test_a_create_that_is_repeated_while_it_is_pending_makes_one_session(
    idle_rig: Rig, lab: Lab, proxy: FaultProxy
) -> None:
    proxy.fault(Late(2), "^POST /containers/create$", times=1)
    await idle_rig.start(DOCKER_HOST=f"unix://{proxy.socket}", MCM_CREATE_TIMEOUT_SECONDS="1")
    bridges = a_bridge(idle_rig), a_bridge(idle_rig)
    answers = await asyncio.gather(*(asyncio.to_thread(each.create, 1, "lesson-1") for each in bridges))
    for bridge, (status, told) in zip(bridges, answers, strict=True):
        tries = statuses(bridge, "POST /create")
        assert tries[0] == 202
        assert set(tries[:-1]) == {202}
        assert status in (200, 201), told
    assert [each.name for each in lab.containers()] == [lab.name(1)]
    assert await asyncio.to_thread(bridges[0].ready, lab.name(1))
    assert [each.path for each in proxy.changes_since(0)].count("/containers/create") == 1


async def test_a_destroy_that_comes_before_its_create_finds_nothing_and_the_create_works(rig: Rig, lab: Lab) -> None:
    bridge, hurried = a_bridge(rig), a_bridge(rig, HURRIED)
    status, told = await asyncio.to_thread(hurried.destroy, lab.name(1), "lesson-1")
    assert (status, told["message"]) == (404, "Container not found")
    assert await asyncio.to_thread(bridge.begin, 1, "lesson-1")
    again = [await asyncio.to_thread(hurried.destroy, lab.name(1), "lesson-1") for _ in range(2)]
    assert [status for status, _ in again] == [200, 404]


# ---------------------------------------------------------------- the controller goes, and comes back


@pytest.mark.parametrize("call", ["create", "start"])
async def test_a_controller_killed_in_the_middle_of_create_is_only_a_delay(
    idle_rig: Rig, lab: Lab, proxy: FaultProxy, call: str
) -> None:
    """Killed when the engine has just made or started the container, and has not yet told of it."""
    rig, struck, back = idle_rig, asyncio.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        time.sleep(min(seconds, IDLE))
        if seconds == WAITS[-1]:
            back.wait(60)  # a machine that is busy with other tests may need longer to start it than a bridge waits

    bridge = Bridge(rig.url, sleep)

    async def kill() -> None:
        if not struck.is_set():
            struck.set()
            await rig.stop(signal.SIGKILL)

    path = {"create": "^POST /containers/create$", "start": "^POST /containers/[^/]+/start$"}[call]
    proxy.fault(Tell(kill, done=True), path, times=1)
    await rig.start(DOCKER_HOST=f"unix://{proxy.socket}")
    session = asyncio.create_task(asyncio.to_thread(bridge.begin, 1, "lesson-1"))
    await struck.wait()
    await rig.start(DOCKER_HOST=f"unix://{proxy.socket}")
    back.set()
    health = await session
    tries = statuses(bridge, "POST /create")
    assert tries[0] == 0, "the connection was cut"
    assert tries[-1] in (200, 201)
    assert set(tries[1:-1]) <= {0}, "nothing answered, and nothing refused"
    assert [each.name for each in lab.containers()] == [health["container_id"]]
    assert "ans = 2" in await asyncio.to_thread(bridge.evaluate, health["ws_port"], "1+1")
    assert (await asyncio.to_thread(bridge.destroy, health["container_id"], "lesson-1"))[0] == 200


# ---------------------------------------------------------------- the engine goes, and comes back


async def test_a_create_while_the_engine_is_away_is_taken_and_carried_out_when_it_is_back(
    idle_rig: Rig, lab: Lab, proxy: FaultProxy
) -> None:
    rig, bridge = idle_rig, a_bridge(idle_rig)
    await rig.start(DOCKER_HOST=f"unix://{proxy.socket}")
    await proxy.close()
    session = asyncio.create_task(asyncio.to_thread(bridge.begin, 1, "lesson-1"))
    await eventually(lambda: len(statuses(bridge, "POST /create")) >= 2)
    assert statuses(bridge, "POST /create")[:2] == [202, 202]
    await asyncio.sleep(3)
    await proxy.open()
    health = await session
    assert set(statuses(bridge, "POST /create")) <= {200, 201, 202}, "not once an error"
    assert len(lab.containers()) == 1
    assert bridge.is_healthy(health)


async def test_a_session_whose_engine_is_away_is_unknown_and_not_lost(
    idle_rig: Rig, lab: Lab, proxy: FaultProxy
) -> None:
    rig, bridge = idle_rig, a_bridge(idle_rig)
    await rig.start(DOCKER_HOST=f"unix://{proxy.socket}")
    health = await asyncio.to_thread(bridge.begin, 1, "lesson-1")
    name = health["container_id"]
    await proxy.close()

    async def unknown() -> Answer | None:
        status, told = await asyncio.to_thread(bridge.health, name)
        assert status == 200
        return (status, told) if told["status"] == "unknown" else None

    _, told = await eventually(unknown)
    assert (told["web_service"], told["websocket_service"]) == ("unknown", "unknown")
    assert told["age_seconds"] >= 0
    assert "ans = 2" in await asyncio.to_thread(bridge.evaluate, health["ws_port"], "1+1"), "the session goes on"
    destroyed = asyncio.create_task(asyncio.to_thread(bridge.destroy, name, "lesson-1"))
    await eventually(lambda: statuses(bridge, "POST /destroy") == [202])
    await proxy.open()
    status, _ = await destroyed
    assert status in (200, 202, 404), "taken while it was away, it is done once it is back"
    await eventually(lambda: lab.containers() == [])
