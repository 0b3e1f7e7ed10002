"""The controller is killed at every call it makes of the engine, before and after, and stopped in every other way."""

from __future__ import annotations

import asyncio
import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.proxy import Tell
from tests.faults.world import LENGTH, World
from tests.rig import ROOT
from tests.support import eventually

LIVES = 16 * LENGTH
"""Crash points before and after: each life ends at one call further than the one before."""
DEEDS_EVERY = 4


async def killed_at(world: World, call: int, *, done: bool) -> bool:
    """Whether this life came so far as to be killed at its call of this number, and not all was done before."""

    async def kill() -> None:
        assert world.rig.process is not None
        world.rig.process.send_signal(signal.SIGKILL)
        await world.rig.process.wait()

    assert world.rig.process is not None
    rule = world.proxy.fault(Tell(kill, done), r"^(GET|POST|DELETE) /(containers|networks|info|version)", 1, skip=call)
    await world.serve(wait=False)
    ended = asyncio.create_task(world.rig.process.wait())
    await asyncio.wait([ended], timeout=10)
    world.proxy.lift()
    if not ended.done():
        ended.cancel()
        await world.rig.stop(signal.SIGKILL)
    return rule.points > 0


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_sigkill_at_each_call(world: World, done: bool) -> None:
    struck = 0
    for life in range(LIVES):
        if life % DEEDS_EVERY == 0:
            await world.deeds()
        await world.rig.stop(signal.SIGKILL)
        struck += await killed_at(world, life, done=done)
        if life % DEEDS_EVERY == DEEDS_EVERY - 1:
            await world.serve()
            await world.held("controller", f"SIGKILL {'after' if done else 'before'} an engine call", struck)
            struck = 0


async def test_sigterm_amid_work(world: World) -> None:
    for _ in range(4):
        await world.deeds()
        assert await world.rig.stop(signal.SIGTERM) == 0
        await world.serve()
        await world.held("controller", "SIGTERM amid work", 1)


async def test_stopped_while_the_world_changes(world: World) -> None:
    assert world.rig.process is not None
    world.rig.process.send_signal(signal.SIGSTOP)
    await asyncio.to_thread(world.hands)
    await asyncio.sleep(60)
    world.rig.process.send_signal(signal.SIGCONT)
    await world.held("controller", "SIGSTOP while the world changes", 1)


async def test_killed_while_it_starts(world: World) -> None:
    for n in range(1, 13):
        await world.rig.stop(signal.SIGKILL)
        await world.serve(wait=False)
        await asyncio.sleep(n * 0.08)  # not to wait for anything: the moment is what is tried
        await world.rig.stop(signal.SIGKILL)
    await world.serve()
    await world.held("controller", "SIGKILL while it starts", 12)


async def test_a_second_one_makes_no_call(world: World) -> None:
    assert world.rig.process is not None
    pid = world.rig.process.pid
    world.rig.process.send_signal(signal.SIGSTOP)  # so that every call is the second one's
    await eventually(lambda: _stopped(pid))
    before = len(world.proxy.calls)
    command = [sys.executable, "-m", "controller", "serve", "--config", str(world.lab.folder / "controller.yaml")]
    environment = world.rig.environment(
        DOCKER_HOST=f"unix://{world.proxy.socket}", MCM_API_PORT=str(world.lab.api_port + 1)
    )
    second = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (second.returncode, "Another controller" in second.stderr) == (1, True)
    assert len(world.proxy.calls) == before, "15: it asked the engine"
    world.rig.process.send_signal(signal.SIGCONT)
    await world.held("controller", "a second controller", 1)


def _stopped(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


async def test_few_descriptors(world: World) -> None:
    """With 64 it has not enough for its connections: it may be slow, and must be right."""
    await world.rig.stop(signal.SIGTERM)
    await world.serve(wait=False)
    assert world.rig.process is not None
    resource.prlimit(world.rig.process.pid, resource.RLIMIT_NOFILE, (64, 64))
    await eventually(world.rig.answers)
    await world.deeds()
    await world.held("controller", "64 file descriptors", 1)
    await world.rig.stop(signal.SIGTERM)
    await world.serve()
    await world.settles()


FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
ANOTHER_DAY = Path(__file__).parent / "another_day"


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed (`apt-get install faketime`)")
@pytest.mark.parametrize("shift", ["+1d", "-1d"])
async def test_another_day_on_the_clock(world: World, shift: str) -> None:
    await world.rig.stop(signal.SIGTERM)
    logged = len(world.rig.log())
    await world.serve(
        LD_PRELOAD=str(FAKETIME), FAKETIME=shift, FAKETIME_DONT_FAKE_MONOTONIC="1", PYTHONPATH=str(ANOTHER_DAY)
    )
    day = datetime.now(UTC) + timedelta(days=int(shift.removesuffix("d")))
    await world.deeds()
    log = world.rig.log()[logged:]
    assert f"\n{day:%Y-%m-%dT}" in log, log
    assert "Invalid argument" not in log, log
    await world.held("controller", f"the clock a day {'ahead of' if shift[0] == '+' else 'behind'} the engine's", 1)
    await world.rig.stop(signal.SIGTERM)
    await world.serve()
    await world.deeds()
    await world.held("controller", "the clock put right again", 1)
