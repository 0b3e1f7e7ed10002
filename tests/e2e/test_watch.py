"""Who looks on sees what becomes of real containers, and misses nothing when the controller is killed meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.test_healing import TRIES
from tests.rig import Rig
from tests.shell import COMMAND, environment
from tests.streams import listening
from tests.support import Lab, eventually


@pytest.fixture
async def http(lab: Lab) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{lab.api_port}") as session:
        yield session


async def test_a_session_that_dies_is_seen_to_die_and_to_come_back(
    rig: Rig, lab: Lab, http: aiohttp.ClientSession
) -> None:
    await rig.create(1)
    async with listening(http) as listener:
        took: list[float] = []
        while not took or (took[-1] >= 1 and len(took) < TRIES):
            await rig.comes_up(1)
            await listener.all()
            await asyncio.to_thread(lab.container(1).kill)
            killed, seen, phases = time.monotonic(), 0.0, ["running"]
            while phases[-2:] != ["exited", "running"]:
                for user in (await listener.next("users", 60)).data["users"]:
                    seen = seen or time.monotonic()
                    phases.append(user["observed"]["status"])
            took.append(seen - killed)
    assert took[-1] < 1, f"some 20 ms are usual; the rest is for a busy machine: {took}"


async def test_what_happened_while_the_controller_was_killed_and_started_is_told_afterwards(
    rig: Rig, lab: Lab, http: aiohttp.ClientSession
) -> None:
    async with listening(http, "/v1/events") as listener:
        await rig.create(1)
        before = [await listener.next(), *await listener.all()]
    await rig.stop(signal.SIGKILL)
    await asyncio.to_thread(lab.container(1).kill)
    await rig.start()
    await rig.comes_up(1)
    _, said = await rig.call("GET", "/v1/events?limit=1000")
    async with listening(http, "/v1/events", {"Last-Event-ID": str(before[-1].id)}) as listener:
        missed = await listener.up_to(said["events"][-1]["id"])
    told = [each.data for each in before + missed]
    assert told == [each for each in said["events"] if each["id"] >= told[0]["id"]]
    assert "start: exited with code 137" in [each.data["message"] for each in missed]


async def test_events_that_are_followed_are_told_once_each_over_a_restart(rig: Rig, lab: Lab, tmp_path: Path) -> None:
    followed, complained = tmp_path / "followed", tmp_path / "complained"
    with followed.open("wb") as told, complained.open("wb") as complaints:
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "events", "-f", "-o", "json"),
            cwd=tmp_path,
            env=environment(MCM_API_PORT=str(lab.api_port)),
            stdout=told,
            stderr=complaints,
        )
    try:
        await eventually(lambda: followed.stat().st_size)
        await rig.create(1)
        await rig.stop(signal.SIGKILL)
        await asyncio.to_thread(lab.container(1).kill)
        await eventually(lambda: complained.stat().st_size)
        await rig.start()
        await rig.comes_up(1)
        await rig.destroy(1)
        _, said = await rig.call("GET", "/v1/events?limit=1000")
        lines = await eventually(lambda: _lines(followed, len(said["events"])))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
    assert lines[: len(said["events"])] == said["events"]
    complaint = complained.read_text()
    assert complaint.count("\n") == 1
    assert "It is tried again until it can be." in complaint


def _lines(file: Path, count: int) -> list[Any]:
    """All of them, once there are so many."""
    lines = file.read_text().splitlines()
    return [json.loads(line) for line in lines] if len(lines) >= count else []


async def test_the_controller_stops_at_once_whoever_looks_on(rig: Rig, http: aiohttp.ClientSession) -> None:
    async with listening(http) as listener, listening(http, "/v1/events") as other:
        await listener.next("usage")
        began = time.monotonic()
        assert await rig.stop() == 0
        await listener.ended(1)
        await other.ended(1)
    assert time.monotonic() - began < 3
