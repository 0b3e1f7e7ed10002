"""A real dockerd is killed, stopped and started again beside a running controller, with and without live-restore; so is
its containerd.

A dockerd that is told to end takes no new connections, stops its containers, and serves the connections that it has
until it is gone. What is started on one of these may keep its port, or its containerd's task, for ever.
"""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.faults.world import LENGTH, World
from tests.support import eventually

RESTARTS = 3 * LENGTH


@pytest.mark.parametrize("live", [True, False], ids=["live-restore", "no live-restore"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_dockerd_ends(world: World, number: signal.Signals, live: bool) -> None:
    await forget_deaths(world)
    await restarted(world, signal.SIGTERM, live)
    world.everything_may_have_ended()
    await world.settles()

    await restarted(world, number, live)
    if not live:
        world.everything_may_have_ended()
    await asyncio.to_thread(world.hands)
    how = "killed" if number is signal.SIGKILL else "stopped"
    await world.held("engine", f"dockerd {how} and started again, {'with' if live else 'without'} live-restore", 1)
    await world.ask({22: None})
    await world.settles()


async def restarted(world: World, number: signal.Signals, live: bool) -> None:
    """And nothing is known of it meanwhile; a wish needs no engine."""
    await world.engine.stop(number)
    await eventually(lambda: says_unknown(world))
    await world.ask({22: {}})
    await world.engine.start(live_restore=live)


async def test_dockerd_is_restarted_again_and_again(world: World) -> None:
    """As `systemctl restart docker` does it: each time all sessions end, and all of them come back."""
    for _ in range(RESTARTS):
        await forget_deaths(world)
        await world.engine.stop()
        await world.engine.start()
        world.everything_may_have_ended()
        await world.held("engine", "dockerd restarted, beside a controller with eleven sessions", len(world.wants))


async def forget_deaths(world: World) -> None:
    """The next time that sessions end with their engine is not the next in a row, after which they would wait."""
    await world.ask({n: {} for n in world.wants})


async def says_unknown(world: World) -> bool:
    """21: nothing is known, and nothing else is said."""
    health = await world.rig.health(11)
    _, listed = await world.rig.call("GET", "/list")
    return health["web_service"] == "unknown" and listed["stale"] is True


async def test_dockerd_is_stopped_in_its_tracks(world: World) -> None:
    world.engine.send(signal.SIGSTOP)
    try:
        asked = asyncio.create_task(world.ask({2: {"state": "stopped"}, 3: {"profile": "large"}}))
        await eventually(lambda: says_unknown(world), 40)
        await asked
    finally:
        world.engine.send(signal.SIGCONT)
    await world.held("engine", "dockerd hangs (SIGSTOP) until its callers give up", 1)
    await world.ask({2: {"state": "running"}, 3: {"profile": "standard"}})
    await world.settles()


async def test_the_socket_is_gone_for_a_while(world: World) -> None:
    await world.proxy.close()
    await world.ask({2: {"state": "stopped"}, 4: {"profile": "roomy"}})
    await eventually(lambda: says_unknown(world), 40)
    await asyncio.to_thread(world.hands)
    await world.proxy.open()
    await world.held("engine", "the socket is gone while wishes and containers change", 1)
    await world.ask({2: {"state": "running"}, 4: {"profile": "standard"}})
    await world.settles()


async def test_containerd_is_killed(world: World) -> None:
    world.engine.kill_containerd()
    await world.deeds()
    world.everything_may_have_ended()
    await world.held("engine", "containerd killed", 1)
