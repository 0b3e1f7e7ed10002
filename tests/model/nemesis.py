"""What stands between one life of the controller and its world: counts what passes, and spoils what it is told to.

The engine stays an obedient one (tests/contract holds it to Docker's behaviour); everything that goes wrong on the way
goes wrong here. Whom a call may touch is judged by `judge.py`, at the moment when it is made.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeVar

from controller.engine import EngineEvent, EngineInfo
from controller.errors import EngineRefused, EngineUnavailable
from controller.events import Event
from controller.model import Container, Limits, Machine, SessionSpec, Usage
from controller.store import Generation
from controller.store.disk import FileHome
from controller.store.history import History, Offer
from controller.store.home import Found, Replaced
from tests.fake_engine import FakeEngine
from tests.model.judge import Judge

T = TypeVar("T")

CALL_TAKES = 0.005
"""Seconds from a call to the work, and from there to the answer: others act in between."""
SLOW = 20.0
"""Seconds."""
LOOKS = ("info", "enclose", "survey", "find", "events", "usage")


class Kind(StrEnum):
    """What can go wrong at one point."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    UNREACHED = "never reached the engine"
    REPLY_LOST = "done, and the reply lost"
    REFUSED = "refused by an engine in trouble"
    STALE = "answered from an old list"
    OLD_NEWS = "answered with how all was before"
    SLOW = "answered after 20 s"
    NOT_WRITTEN = "not written"
    FULL = "not written, nor what comes next"
    LOST = "event lost"
    DOUBLED = "event doubled"
    LATE = "event told after the next one"
    BROKEN = "stream broken"


OF_LOOKS = (Kind.KILLED_BEFORE, Kind.KILLED_AFTER, Kind.UNREACHED, Kind.SLOW)
OF_CHANGES = (*OF_LOOKS, Kind.REPLY_LOST, Kind.REFUSED)
OF_WRITES = (Kind.KILLED_BEFORE, Kind.KILLED_AFTER, Kind.NOT_WRITTEN, Kind.FULL)
OF_EVENTS = (Kind.LOST, Kind.DOUBLED, Kind.LATE, Kind.BROKEN)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, at the n-th point of its channel."""

    channel: str
    """`call`, `list`, `write` or `event`."""
    at: int
    kind: Kind
    age: int = 0
    """Of an old list, in changes of what there was to list."""

    def __str__(self) -> str:
        return f"{self.channel} {self.at} {self.kind}" + (f" ({self.age} changes old)" if self.age else "")


@dataclass
class Trouble:
    """What is to go wrong, and a record of every point at which something could have; over all lives."""

    faults: dict[tuple[str, int], Fault] = field(default_factory=dict)
    passed: dict[str, list[str]] = field(default_factory=lambda: {"call": [], "list": [], "write": [], "event": []})
    struck: list[str] = field(default_factory=list)
    over_at: float = 0.0
    """When the last one of these was over, by the loop's clock."""
    _pasts: list[tuple[Container, ...]] = field(default_factory=list)

    def at(self, channel: str, name: str) -> Fault | None:
        points = self.passed[channel]
        fault = self.faults.get((channel, len(points)))
        points.append(name)
        if fault is not None and fault.kind in (Kind.REPLY_LOST, Kind.REFUSED) and name in LOOKS:
            fault = None  # a question leaves nothing behind, and cannot be refused
        if fault is not None:
            self.struck.append(f"{name}: {fault}")
            self.over_at = asyncio.get_running_loop().time() + (SLOW if fault.kind is Kind.SLOW else 0)
        return fault

    def spoil(self, channel: str, after: int, kind: Kind, age: int = 0) -> None:
        """One that is to come, after so many others."""
        at = len(self.passed[channel]) + after
        self.faults[channel, at] = Fault(channel, at, kind, age)

    @property
    def tried(self) -> list[str]:
        """Every changing call, whatever became of it."""
        return [name for name in self.passed["call"] if name not in LOOKS]

    def past(self, engine: FakeEngine, age: int) -> tuple[Container, ...]:
        """What there was so many changes ago; from before the first change on, nothing."""
        there = engine.containers()
        if not self._pasts or self._pasts[-1] != there:
            self._pasts.append(there)
        return self._pasts[-1 - age] if age < len(self._pasts) else ()


class Nemesis:
    """An `Engine`, as one life of the controller sees it."""

    def __init__(self, engine: FakeEngine, trouble: Trouble, judge: Judge, kill: Callable[[], None]) -> None:
        self._engine = engine
        self._trouble = trouble
        self._judge = judge
        self._kill = kill
        self.dead = False
        """Nothing that is asked for from here on reaches the engine, and nothing is answered."""
        self._known: dict[int, set[str]] = {}

    # ------------------------------------------------------------ looks

    async def info(self) -> EngineInfo:
        return await self._passed("info", self._engine.info)

    async def enclose(self) -> str:
        return await self._passed("enclose", self._engine.enclose)

    async def survey(self) -> dict[int, tuple[Container, ...]]:
        fault = await self._before("survey")
        await self._engine.survey()
        found: dict[int, tuple[Container, ...]] = {}
        for seen in self._listed(self._seen(fault)):
            found[seen.user_id or 0] = (*found.get(seen.user_id or 0, ()), seen)
        self._known |= {user_id: {c.id for c in containers} for user_id, containers in found.items()}
        await self._after(fault)
        return found

    async def find(self, user_id: int) -> tuple[Container, ...]:
        """As `engine/docker.py` looks: by name and by the ids that it knows, and only then in a list."""
        fault = await self._before("find")
        await self._engine.find(user_id)
        seen = self._seen(fault)
        name, ids = f"{self._engine.prefix}{user_id}", self._known.get(user_id, set())
        met = [c for c in seen if c.name == name or c.id in ids]
        found = tuple(c if c.user_id == user_id else replace(c, ours=False) for c in met)
        if not any(c.ours for c in found):
            found = tuple(c for c in self._listed(seen) if c.user_id == user_id) or found
        self._known[user_id] = {c.id for c in found if c.ours}
        await self._after(fault)
        return found

    def _seen(self, fault: Fault | None) -> tuple[Container, ...]:
        """All that an inspect would tell, now or some changes ago."""
        return self._trouble.past(self._engine, fault.age if fault and fault.kind is Kind.OLD_NEWS else 0)

    def _listed(self, seen: tuple[Container, ...]) -> tuple[Container, ...]:
        """Ours of these, as far as a list tells of them; an old one tells what was there, and not how it is now."""
        fault = self._trouble.at("list", "list")
        if fault is None:
            return tuple(c for c in seen if c.ours)
        ids = {c.id for c in self._trouble.past(self._engine, fault.age)}
        return tuple(c for c in seen if c.ours and c.id in ids)

    async def usage(self, containers: Sequence[Container]) -> dict[str, Usage]:
        return await self._passed("usage", lambda: self._engine.usage(containers))

    async def logs(self, container_id: str, tail: int) -> str:
        return await self._engine.logs(container_id, tail)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        fault = await self._before("events")
        async with self._engine.events() as stream:
            await self._after(fault)
            yield self._spoilt(stream)

    async def _spoilt(self, stream: AsyncIterator[EngineEvent]) -> AsyncIterator[EngineEvent]:
        held: list[EngineEvent] = []
        async for event in stream:
            await self._unless_dead()
            fault = self._trouble.at("event", event.action)
            match fault and fault.kind:
                case Kind.LOST:
                    continue
                case Kind.BROKEN:
                    raise EngineUnavailable("The stream of events broke.")
                case Kind.LATE:
                    held.append(event)
                    continue
                case Kind.DOUBLED:
                    yield event
            yield event
            for late in held:  # overtaken by a newer one
                yield late
            held.clear()

    # ------------------------------------------------------------ changes

    async def create(self, spec: SessionSpec) -> str:
        return await self._passed("create", lambda: self._engine.create(spec), lambda: self._judge.create(spec))

    async def start(self, container_id: str) -> None:
        await self._change("start", container_id, lambda: self._engine.start(container_id))

    async def stop(self, container_id: str) -> None:
        await self._change("stop", container_id, lambda: self._engine.stop(container_id))

    async def restart(self, container_id: str) -> None:
        await self._change("restart", container_id, lambda: self._engine.restart(container_id))

    async def move(self, container_id: str) -> None:
        await self._change("move", container_id, lambda: self._engine.move(container_id))

    async def machines(self) -> tuple[Machine, ...]:
        return await self._passed("machines", self._engine.machines)

    async def drain(self, node_id: str) -> None:
        await self._passed("drain", lambda: self._engine.drain(node_id))

    async def activate(self, node_id: str) -> None:
        await self._passed("activate", lambda: self._engine.activate(node_id))

    async def forget(self, node_id: str) -> None:
        await self._passed("forget", lambda: self._engine.forget(node_id))

    async def remove(self, container_id: str) -> None:
        await self._change("remove", container_id, lambda: self._engine.remove(container_id))

    async def rename(self, container_id: str, name: str) -> None:
        await self._change("rename", container_id, lambda: self._engine.rename(container_id, name))

    async def unpause(self, container_id: str) -> None:
        await self._change("unpause", container_id, lambda: self._engine.unpause(container_id))

    async def update(self, container_id: str, limits: Limits) -> None:
        await self._change("update", container_id, lambda: self._engine.update(container_id, limits))

    async def close(self) -> None:
        """The fake's streams are everybody's."""

    async def _change(self, name: str, container_id: str, work: Callable[[], Awaitable[None]]) -> None:
        await self._passed(name, work, lambda: self._judge.change(name, container_id))

    # ------------------------------------------------------------ every call goes this way

    async def _passed(
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        judged: Callable[[], int] | None = None,
    ) -> T:
        await self._unless_dead()
        user_id = judged() if judged else 0
        fault = await self._before(name)
        answer = await work()
        if judged:
            self._judge.done(name, user_id)
        await self._after(fault)
        return answer

    async def _before(self, name: str) -> Fault | None:
        await self._unless_dead()
        fault = self._trouble.at("call", name)
        match fault and fault.kind:
            case Kind.KILLED_BEFORE:
                await self._die()
            case Kind.UNREACHED:
                raise EngineUnavailable("The engine does not answer.")
            case Kind.REFUSED:
                raise EngineRefused("The engine is out of order.")
            case Kind.SLOW:
                await asyncio.sleep(SLOW)
        await asyncio.sleep(CALL_TAKES)
        await self._unless_dead()
        self._trouble.past(self._engine, 0)
        return fault

    async def _after(self, fault: Fault | None) -> None:
        match fault and fault.kind:
            case Kind.KILLED_AFTER:
                await self._die()
            case Kind.REPLY_LOST:
                raise EngineUnavailable("The engine's answer was lost.")
        await asyncio.sleep(CALL_TAKES)
        await self._unless_dead()

    async def _die(self) -> None:
        self._kill()
        await self._unless_dead()

    async def _unless_dead(self) -> None:
        """To whoever is dead no call comes back."""
        if self.dead:
            await asyncio.get_running_loop().create_future()


class Desk(FileHome):
    """The file, with the same between it and the store; people's saves are noticed when they say so."""

    def __init__(self, path: Path, trouble: Trouble, kill: Callable[[], None]) -> None:
        super().__init__(path)
        self._trouble = trouble
        self._kill = kill

    def replace(self, raw: bytes, found: Found, note: str, *, keep: bool) -> Replaced:
        full = OSError(28, "No space left on device")
        trade = partial(super().replace, raw, found, note, keep=keep)
        return spoilt(self._trouble, self._kill, "replace", trade, full)

    async def follow(self, poke: Callable[[], object]) -> None:
        await asyncio.Event().wait()


class Record(History):
    """The history, likewise."""

    def __init__(self, path: Path, wrote: Callable[[], None], *, trouble: Trouble, kill: Callable[[], None]) -> None:
        self._trouble = trouble
        self._kill = kill
        super().__init__(path, wrote)

    def add(self, generation: Generation, events: Iterable[Event]) -> None:
        self._spoilt("add", lambda: History.add(self, generation, events))

    def forget(self, number: int) -> None:
        self._spoilt("forget", lambda: History.forget(self, number))

    def keep_waiting(self, offer: Offer | None) -> None:
        self._spoilt("keep_waiting", lambda: History.keep_waiting(self, offer))

    def end_founding(self) -> None:
        self._spoilt("end_founding", lambda: History.end_founding(self))

    def _spoilt(self, name: str, work: Callable[[], None]) -> None:
        spoilt(self._trouble, self._kill, name, work, sqlite3.OperationalError("database or disk is full"))


def spoilt(trouble: Trouble, kill: Callable[[], None], name: str, work: Callable[[], T], full: Exception) -> T:
    """What a dead process writes goes to a folder that nobody reads any more, so it may go on."""
    fault = trouble.at("write", name)
    match fault and fault.kind:
        case Kind.KILLED_BEFORE:
            kill()
        case Kind.NOT_WRITTEN:
            raise full
        case Kind.FULL:
            trouble.spoil("write", 0, Kind.NOT_WRITTEN)
            raise full
    done = work()
    if fault is not None and fault.kind is Kind.KILLED_AFTER:
        kill()
    return done
