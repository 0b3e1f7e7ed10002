"""What a controller holds does not grow with what it has done: in memory, in descriptors, threads, tasks and history.

A soak of hours shows the same from outside (`make soak`); here each round does the same work, so that one thing that is
forgotten in each of them shows.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from controller.model import Phase
from controller.store import history
from tests.api_world import ApiWorld, api_world
from tests.support import eventually
from tests.unit.test_store_brake import TEN
from tests.wish_place import Place

USERS = range(11, 16)
"""Those who come and go."""
WARM_UP, ROUNDS = 5, 10
KEPT = {"KEPT": 30, "EVENTS_KEPT": 100, "AUDIT_KEPT": 200}


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    """Whoever runs the tests keeps what is logged, and would be found to grow."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def test_nothing_grows_with_what_was_done(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in KEPT.items():
        monkeypatch.setattr(history, name, most)
    # One thread for what blocks: how many there come to be depends on how busy the machine is.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    store = await place.running(TEN)
    async with api_world(real_store=store) as world:
        await eventually(lambda: len(running(world)) == 10)
        for _ in range(WARM_UP):
            await a_round(world)
        before, parts = await counted(), held()
        for _ in range(ROUNDS):
            await a_round(world)
        await eventually(lambda: held() == parts)

        async def flat() -> bool:
            """A busy machine ends later what is under way."""
            objects, size = (after - then for after, then in zip(await counted(), before, strict=True))
            assert objects < 5 * ROUNDS
            assert size < 1000 * ROUNDS, "bytes"
            return True

        await eventually(flat, every=0.5)
        assert len(await store.history(10 * KEPT["KEPT"])) == KEPT["KEPT"]
        assert KEPT["EVENTS_KEPT"] < len(await store.events(None, 1, 10_000)) <= KEPT["AUDIT_KEPT"]


async def a_round(world: ApiWorld) -> None:
    """Users come, hands and callers do what they do, and the users go again."""
    for n in USERS:
        await world.create(n, session_id=f"session-{n}")
    await eventually(lambda: len(running(world)) == 15)
    for n, deed in zip(USERS, ("kill", "pause", "vanish"), strict=False):
        getattr(world.engine, deed)(f"matlab-user-{n}")
    world.engine.set_name("matlab-user-14", "astray")
    world.engine.set_limits("matlab-user-15", 0.1, 2**30)
    await world.call("POST", "/restart/matlab-user-11")
    await world.call("PATCH", "/v1/users/12", json={"profile": "large"})
    await world.call("GET", "/list")
    for path in ("/v1/status", "/v1/users", "/v1/history", "/v1/events", "/v1/plan", "/health/matlab-user-13"):
        await world.call("GET", path)
    await world.call("POST", "/create", data="{", headers={"Content-Type": "application/json"})
    await world.call("GET", "/nowhere")
    world.engine.break_events()
    await eventually(lambda: len(running(world)) == 15)
    for n in USERS:
        await world.call("POST", f"/destroy/matlab-user-{n}")
    await eventually(lambda: len(world.engine.containers()) == 10 and not world.informer.known() & {*USERS})
    world.engine.calls.clear()
    world.log.clear()


def running(world: ApiWorld) -> list[str]:
    named = (c for c in world.engine.containers() if c.name.startswith("matlab-user-"))
    return [c.name for c in named if c.phase is Phase.RUNNING]


def held() -> dict[str, int]:
    return {
        "tasks": len(asyncio.all_tasks()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
    }


async def counted() -> tuple[int, int]:
    """All objects in this process, and their bytes; without what is left of `sqlite3`'s cursors, which it sweeps out at
    every two hundredth."""
    await sweep_timers()
    gc.collect()
    there = [each for each in gc.get_objects() if not (type(each) is weakref.ref and each() is None)]
    return len(there), sum(map(sys.getsizeof, there))


async def sweep_timers() -> None:
    """Have asyncio forget the timers that were called off, three objects each: of every call one for five minutes. By
    itself it does so once they are most of more than a hundred, so that how many there are is chance."""
    loop = asyncio.get_running_loop()
    for _ in range(1000):
        loop.call_later(60, int).cancel()
    await asyncio.sleep(0)
