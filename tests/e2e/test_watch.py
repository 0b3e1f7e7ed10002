"""Who looks on sees what becomes of real containers, and misses nothing when the controller is killed meanwhile."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.rig import Rig
from tests.streams import listening
from tests.support import Lab


@pytest.fixture
async def http(lab: Lab) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{lab.api_port}") as session:
        yield session


async def test_a_session_that_dies_is_seen_to_die_and_to_come_back(
    rig: Rig, lab: Lab, http: aiohttp.ClientSession
) -> None:
    await rig.create(1)
    await rig.comes_up(1)
    async with listening(http) as listener:
        await listener.all()
        await asyncio.to_thread(lab.container(1).kill)
        killed, seen, phases = time.monotonic(), 0.0, ["running"]
        while phases[-2:] != ["exited", "running"]:
            for user in (await listener.next("users", 20)).data["users"]:
                seen = seen or time.monotonic()
                phases.append(user["observed"]["status"])
    assert seen - killed < 1, "some 20 ms are usual; the rest is for a busy machine"


async def test_what_happened_while_the_controller_was_killed_and_started_is_told_afterwards(
    rig: Rig, lab: Lab, http: aiohttp.ClientSession
) -> None:
    async with listening(http, "/v1/events") as listener:
        await rig.create(1)
        before = await listener.all()
    await rig.stop(signal.SIGKILL)
    await asyncio.to_thread(lab.container(1).kill)
    await rig.start()
    await rig.comes_up(1)
    async with listening(http, "/v1/events", {"Last-Event-ID": str(before[-1].id)}) as listener:
        missed = await listener.all()
    _, said = await rig.call("GET", "/v1/events?limit=1000")
    told = [each.data for each in before + missed]
    assert told == [each for each in said["events"] if each["id"] >= told[0]["id"]]
    assert "start: exited with code 137" in [each.data["message"] for each in missed]


async def test_the_controller_stops_at_once_whoever_looks_on(rig: Rig, http: aiohttp.ClientSession) -> None:
    async with listening(http) as listener, listening(http, "/v1/events") as other:
        await listener.next("usage")
        began = time.monotonic()
        assert await rig.stop() == 0
        await listener.ended(1)
        await other.ended(1)
    assert time.monotonic() - began < 3
