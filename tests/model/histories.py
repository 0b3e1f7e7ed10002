"""Short histories, each with one thing in it that happens to users; after each step all comes to rest.

As Sieve does: a history is played without a fault first, which tells at how many points something could go wrong, and
then once for each of these points and each fault that is possible there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from controller.model import RunState, Wish
from tests.model.clock import now, set_the_clock, virtual_time
from tests.model.nemesis import (
    LOOKS,
    OF_CHANGES,
    OF_EVENTS,
    OF_LOOKS,
    OF_WRITES,
    Fault,
    Kind,
    Trouble,
)
from tests.model.world import T, World, a_folder
from tests.worlds import GIB

STOPPED = Wish(state=RunState.STOPPED)
MOST_WORK = 4
"""Changing calls that a whole life of a container takes: create, start, stop, remove."""
AGES = (1, 2, 1000)
"""Of old lists, in changes; the last is from before there was anything."""


async def create(world: World) -> None:
    await world.ask(1, Wish(session_id="abc"))
    await world.settles()


async def create_and_stop(world: World) -> None:
    await create(world)
    await world.ask(1, STOPPED)
    await world.settles()


async def create_and_stop_at_once(world: World) -> None:
    await world.ask(1, Wish())
    await world.ask(1, STOPPED)
    await world.settles()


async def stop_and_start(world: World) -> None:
    await create_and_stop(world)
    await world.ask(1, Wish())
    await world.settles()


async def destroy(world: World) -> None:
    await create(world)
    await world.ask(1, None)
    await world.settles()


async def destroy_and_create_at_once(world: World) -> None:
    await create(world)
    await world.ask(1, None)
    await world.ask(1, Wish())
    await world.settles()


async def memory_by_edit(world: World) -> None:
    await create(world)
    await world.save(1, Wish(profile="large"))
    await world.settles()


async def image_by_edit(world: World) -> None:
    await create(world)
    await world.save(1, Wish(profile="other"))
    await world.settles()


async def restart(world: World) -> None:
    await create(world)
    await asyncio.sleep(5)
    await world.ask(1, Wish(restart_at=now()))
    await world.settles()


async def restart_later(world: World) -> None:
    await create(world)
    await world.ask(1, Wish(restart_at=now() + timedelta(seconds=7)))
    await asyncio.sleep(10)
    await world.settles()


async def clock_ahead(world: World) -> None:
    """Somebody sets the clock by a day, and then an event has this user looked at, long before the restart is due."""
    await world.ask(1, Wish(restart_at=now() + timedelta(hours=1)))
    await world.settles()
    set_the_clock(timedelta(days=1))
    world.engine.set_limits("matlab-user-1", 0.1, GIB)
    await world.settles()
    set_the_clock(timedelta(days=-1))
    world.engine.set_limits("matlab-user-1", 0.2, GIB)
    await world.settles()


async def kill(world: World) -> None:
    await create(world)
    world.engine.kill("matlab-user-1")
    await world.settles()


async def vanish(world: World) -> None:
    await create(world)
    world.engine.vanish("matlab-user-1")
    await world.settles()


async def pause_by_hand(world: World) -> None:
    await create(world)
    world.engine.pause("matlab-user-1")
    await world.settles()


async def rename_by_hand(world: World) -> None:
    await create(world)
    world.engine.set_name("matlab-user-1", "mine")
    await world.settles()


async def limits_by_hand(world: World) -> None:
    await create(world)
    world.engine.set_limits("matlab-user-1", 0.1, GIB)
    await world.settles()


async def foreigner(world: World) -> None:
    world.add_foreigner("matlab-user-1")
    await world.ask(1, Wish())
    await asyncio.sleep(5)
    world.check()
    world.remove_foreigner("matlab-user-1")
    await world.settles()


async def three_at_once(world: World) -> None:
    for user_id in (1, 2, 3):
        await world.ask(user_id, Wish())
    await world.settles()


async def the_brake(world: World) -> None:
    """A saved text that would end five of five sessions waits; somebody puts it right."""
    for user_id in range(1, 6):
        await world.ask(user_id, Wish())
    await world.settles()
    good = world.file.read_text()
    await world.save_text(good.replace("{}", "{state: stopped}"))
    await asyncio.sleep(5)
    world.check()
    await world.save_text(good)
    await world.settles()


async def an_approval(world: World) -> None:
    """A saved text that ends both sessions waits; somebody approves it, until the answer is yes."""
    for user_id in (1, 2):
        await world.ask(user_id, Wish())
    await world.settles()
    head, _, _ = (await world.alive()).store.text.partition("users:")
    await world.save_text(f"{head}users: {{}}\n...\n")
    while world.judge.wanted:
        await world.approve()
        await asyncio.sleep(1)
    await world.settles()


async def left_alone(world: World) -> None:
    """A paused user's container that dies stays dead until the pause is over."""
    await create(world)
    await world.ask(1, Wish(paused=True))
    await asyncio.sleep(1)
    world.engine.kill("matlab-user-1")
    await asyncio.sleep(5)
    world.check()
    await world.ask(1, Wish())
    await world.settles()


AT_ONCE: tuple[Callable[[World], Awaitable[None]], ...] = (create_and_stop_at_once, destroy_and_create_at_once)
"""Those that do not wait for rest between their steps."""


async def a_twin(world: World) -> None:
    """A copy of a user's container, our labels and all: it goes, and the session goes on."""
    await create(world)
    world.engine.forge("twin", of="matlab-user-1")
    await world.settles()


async def lost_state(world: World) -> None:
    """Nobody remembers who asked for the session that runs."""
    await create(world)
    await world.lose_the_state()
    await asyncio.sleep(5)
    await world.settles()
    for _ in range(int(T)):
        if (await world.alive()).store.pending is not None:
            return
        await asyncio.sleep(1)
    raise AssertionError("that the new file names nobody does not wait for approval")


HISTORIES = (
    *(create, create_and_stop, stop_and_start, destroy, *AT_ONCE),
    *(memory_by_edit, image_by_edit, restart, restart_later, clock_ahead),
    *(kill, vanish, pause_by_hand, rename_by_hand, limits_by_hand, foreigner),
    *(three_at_once, the_brake, left_alone, a_twin, lost_state, an_approval),
)


@dataclass(frozen=True)
class Outcome:
    """What a history came to."""

    there: frozenset[tuple[object, ...]]
    """User, name, phase, image and limits of every container."""
    worked: Counter[tuple[str, int]]
    """Changing calls that did their work, by user."""
    tried: int
    """Changing calls, whatever became of them."""
    settled: float
    """Seconds until the end was reached after the last step."""
    passed: dict[str, list[str]]


def play(history: Callable[[World], Awaitable[None]], fault: Fault | None = None) -> Outcome:
    """Play it with at most one fault, and judge. Raises AssertionError where a promise was broken."""
    trouble = Trouble({} if fault is None else {(fault.channel, fault.at): fault})
    with a_folder() as folder, virtual_time() as runner:
        world = World(folder, trouble)

        async def played() -> Outcome:
            try:
                await world.settles()
                await history(world)
                passed = {channel: list(names) for channel, names in trouble.passed.items()}
                settled = await world.settles()
                await world.rests()
                boxes = world.engine.containers()
                return Outcome(
                    frozenset((c.user_id, c.name, c.phase, c.image, c.cpus, c.memory) for c in boxes),
                    Counter(world.judge.worked),
                    len(trouble.tried),
                    settled,
                    passed,
                )
            finally:
                await world.end()

        return runner.run(played())


def faults(history: Callable[[World], Awaitable[None]], clean: Outcome) -> Iterator[Fault]:
    """Everything that can go wrong once in a history that passed these points.

    With all memory lost the first survey is all that there is: who is not in it is not known to have a session.
    """
    for fault in _faults(clean):
        if history is not lost_state or fault.kind not in (Kind.STALE, Kind.OLD_NEWS):
            yield fault


def _faults(clean: Outcome) -> Iterator[Fault]:
    for at, name in enumerate(clean.passed["call"]):
        for kind in OF_LOOKS if name in LOOKS else OF_CHANGES:
            yield Fault("call", at, kind)
        if name == "survey":
            yield from (Fault("call", at, Kind.OLD_NEWS, age) for age in AGES[:2])
    for at, _ in enumerate(clean.passed["list"]):
        yield from (Fault("list", at, Kind.STALE, age) for age in AGES)
    for at, _ in enumerate(clean.passed["write"]):
        yield from (Fault("write", at, kind) for kind in OF_WRITES)
    for at, _ in enumerate(clean.passed["event"]):
        yield from (Fault("event", at, kind) for kind in OF_EVENTS)


def worse(clean: Outcome, spoilt: Outcome, *, at_rest: bool) -> list[str]:
    """What the fault has changed in the end or in what it took, in words.

    Args:
        at_rest: the history waits for rest after each step, so it does the same work whatever goes wrong once. One that
            does not may do what it could have skipped, since a caller whose write failed comes back later.
    """
    found = []
    if at_rest and spoilt.there != clean.there:
        found.append(f"it ends with {sorted(spoilt.there, key=str)} and not {sorted(clean.there, key=str)}")
    if at_rest and spoilt.worked != clean.worked:
        more, less = spoilt.worked - clean.worked, clean.worked - spoilt.worked
        found.append(f"more was done: {dict(more)}, less: {dict(less)}")
    users = len({user_id for _, user_id in clean.worked})
    if spoilt.tried > clean.tried + (users if at_rest else MOST_WORK):  # each call that was under way is made again
        found.append(f"{spoilt.tried} changing calls, and {clean.tried} without the fault")
    return found
