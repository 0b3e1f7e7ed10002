"""A container engine in memory that keeps the contract of `controller.engine.Engine`, held to it by tests/contract.

Its clock stands still but for a microsecond a call, and its own faults are switched on by name, so that a history can
be played again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.engine import EngineEvent, EngineInfo
from controller.errors import (
    EngineRefused,
    EngineUnavailable,
    ImageMissing,
    LeftBehind,
    NameConflict,
    NoRoom,
    NoSuchContainer,
    NoSuchNode,
    PortTaken,
)
from controller.model import USUAL_PROCESSES, Container, Limits, Machine, Node, Phase, SessionSpec, Usage

RUNS = {Phase.RUNNING, Phase.PAUSED}


@dataclass(slots=True)
class Box:
    """A container, with what the engine knows of it beyond what an inspect shows."""

    seen: Container
    ports: frozenset[int]
    log: list[str] = field(default_factory=list)


class FakeEngine:
    def __init__(self, instance: str = "test", container_prefix: str = "matlab-user-", cpus: float = 8) -> None:
        self.instance = instance
        self.prefix = container_prefix
        self.cpus = cpus
        self.images = {"matlab-session:octave"}
        self.taken_ports: set[int] = set()
        """Held by something that is no container."""
        self.left_behind: set[str] = set()
        """Ids of containers of whose last run it has kept something."""
        self.away = False
        self.lose_reply_of: str = ""
        """Name of the call that does its work once more and whose answer is then lost."""
        self.calls: list[tuple[str, str]] = []
        """Every changing call with the container's name, in order."""
        self.latency: dict[str, float] = {}
        """Seconds that a call takes, by its name."""
        self.open = ""
        """Why sessions may reach what they should not."""
        self.nodes: dict[str, Machine] = {}
        """By id; none: it is one host's."""
        self.full = False
        """No node has room for one more."""
        self.streams = 0
        """How often its events were asked for."""
        self.streams_break = False
        self.starting = 0
        self.most_starting = 0
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self._ahead = timedelta(0)
        """Of our own clock."""
        self._boxes: dict[str, Box] = {}
        self._numbers = itertools.count(1)
        self._listeners: set[asyncio.Queue[EngineEvent | None]] = set()

    # ------------------------------------------------------------ the world's hand

    def box(self, name: str) -> Container | None:
        return next((b.seen for b in self._boxes.values() if b.seen.name == name), None)

    def containers(self) -> tuple[Container, ...]:
        return tuple(b.seen for b in self._boxes.values())

    def set_clock(self, ahead: timedelta) -> None:
        """Somebody sets its clock, by so much ahead of ours."""
        self._ahead, self.moment = ahead, datetime.now(UTC) + ahead

    def add_foreigner(self, name: str) -> str:
        """A container that somebody else made."""
        return self._add(name, None, None, image="other")

    def forge(self, name: str, of: str) -> str:
        """A copy by somebody's hand, our labels and all."""
        seen, ports = self._named(of).seen, self._named(of).ports
        container_id = f"{next(self._numbers):064x}"
        twin = replace(seen, id=container_id, name=name, phase=Phase.CREATED, created_at=self._tick(), started_at=None)
        self._boxes[container_id] = Box(replace(twin, pid=0), ports, ["made"])
        self._tell("create", self._boxes[container_id])
        return container_id

    def add_node(self, name: str, **changes: Any) -> None:
        address = f"10.77.0.{len(self.nodes) + 2}"
        node = Machine(f"id-{name}", name, address, "worker", "ready", "active", None, {}, 8, 2**34)
        node = replace(node, **changes)
        self.nodes[node.id] = node

    def lose(self, name: str, node: Node) -> None:
        """Its node is not heard of any more."""
        self._change(self._named(name), node=node)
        self._tell("update", self._named(name))

    def start_by_hand(self, name: str) -> None:
        self._run(self._named(name))
        self._tell("start", self._named(name))

    def kill(self, name: str, exit_code: int = 137) -> None:
        self._change(self._named(name), phase=Phase.EXITED, exit_code=exit_code, pid=0)
        self._tell("die", self._named(name))

    def says(self, name: str, *lines: str) -> None:
        self._named(name).log.extend(lines)

    def pause(self, name: str) -> None:
        self._change(self._named(name), phase=Phase.PAUSED)
        self._tell("pause", self._named(name))

    def begin_removal(self, name: str) -> None:
        self._change(self._named(name), phase=Phase.REMOVING, pid=0)
        self._tell("die", self._named(name))

    def vanish(self, name: str) -> None:
        box = self._boxes.pop(self._named(name).seen.id)
        self._tell("destroy", box)

    def set_name(self, name: str, new: str) -> None:
        self._change(self._named(name), name=new)
        self._tell("rename", self._named(new))

    def set_limits(self, name: str, cpus: float, memory: int) -> None:
        self._change(self._named(name), cpus=cpus, memory=memory)
        self._tell("update", self._named(name))

    def deaf(self) -> None:
        """Every stream of events stays open, and nothing comes from it any more."""
        self._listeners.clear()

    def break_events(self) -> None:
        for listener in self._listeners:
            listener.put_nowait(None)

    # ------------------------------------------------------------ the contract

    async def info(self) -> EngineInfo:
        await self._answer("info")
        return EngineInfo(version="fake", now=self._tick())

    async def enclose(self) -> str:
        await self._answer("enclose")
        return self.open

    async def survey(self) -> dict[int, tuple[Container, ...]]:
        await self._answer("survey")
        found: dict[int, tuple[Container, ...]] = {}
        for box in self._boxes.values():
            if box.seen.ours and box.seen.user_id is not None:
                found[box.seen.user_id] = (*found.get(box.seen.user_id, ()), box.seen)
        return found

    async def find(self, user_id: int) -> tuple[Container, ...]:
        await self._answer("find")
        ours = tuple(b.seen for b in self._boxes.values() if b.seen.ours and b.seen.user_id == user_id)
        named = self.box(f"{self.prefix}{user_id}")
        return ours or ((replace(named, ours=False),) if named else ())

    async def create(self, spec: SessionSpec) -> str:
        await self._answer("create", spec.name)
        if self.box(spec.name):
            raise NameConflict(f"A container named {spec.name} exists already.")
        if spec.image not in self.images:
            raise ImageMissing(f"The engine does not have the image {spec.image}.")
        container_id = self._add(spec.name, spec.user_id, spec, image=spec.image)
        self._reply("create")
        return container_id

    async def start(self, container_id: str) -> None:
        box = self._box(container_id)
        self.starting += 1
        self.most_starting = max(self.most_starting, self.starting)
        try:
            await self._answer("start", box.seen.name)
        finally:
            self.starting -= 1
        box = self._box(container_id)
        if box.seen.phase is Phase.RUNNING:
            return
        self._run(box)
        self._tell("start", box)
        self._reply("start")

    async def stop(self, container_id: str) -> None:
        await self._answer("stop", self._box(container_id).seen.name)
        box = self._box(container_id)
        if box.seen.phase in RUNS:
            self._change(box, phase=Phase.EXITED, exit_code=0, pid=0)
            self._tell("die", box)
        self._reply("stop")

    async def restart(self, container_id: str) -> None:
        await self._answer("restart", self._box(container_id).seen.name)
        self._run(self._box(container_id))
        self._tell("start", self._box(container_id))
        self._reply("restart")

    async def move(self, container_id: str) -> None:
        await self._answer("move", self._box(container_id).seen.name)
        if self.full or not any(node.takes_runs for node in self.nodes.values()):
            raise NoRoom("No other node takes sessions.")
        self._run(self._box(container_id))
        self._tell("start", self._box(container_id))
        self._reply("move")

    async def machines(self) -> tuple[Machine, ...]:
        await self._answer("machines")
        return tuple(self.nodes.values())

    async def drain(self, node_id: str) -> None:
        await self._answer("drain")
        self._set_node(node_id, availability="pause", leaving_since=self._tick())

    async def activate(self, node_id: str) -> None:
        await self._answer("activate")
        self._set_node(node_id, availability="active", leaving_since=None)

    async def forget(self, node_id: str) -> None:
        await self._answer("forget")
        if self.nodes.pop(node_id, None) is None:
            raise NoSuchNode(f"The swarm has no node {node_id}.")

    async def remove(self, container_id: str) -> None:
        box = self._box(container_id)
        await self._answer("remove", box.seen.name)
        if box.seen.phase in RUNS:
            raise EngineRefused("You cannot remove a running container.")
        self._boxes.pop(container_id, None)
        self._tell("destroy", box)
        self._reply("remove")

    async def rename(self, container_id: str, name: str) -> None:
        box = self._box(container_id)
        await self._answer("rename", box.seen.name)
        if self.box(name):
            raise NameConflict(f"A container named {name} exists already.")
        self._change(box, name=name)
        self._tell("rename", box)
        self._reply("rename")

    async def unpause(self, container_id: str) -> None:
        box = self._box(container_id)
        await self._answer("unpause", box.seen.name)
        if box.seen.phase is not Phase.PAUSED:
            raise EngineRefused("The container is not paused.")
        self._change(box, phase=Phase.RUNNING)
        self._tell("unpause", box)
        self._reply("unpause")

    async def update(self, container_id: str, limits: Limits) -> None:
        box = self._box(container_id)
        await self._answer("update", box.seen.name)
        own = {"cpus": min(limits.cpus, self.cpus), "memory": limits.memory, "processes": limits.processes}
        self._change(box, **own, slack=())
        self._tell("update", box)
        self._reply("update")

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        await self._answer("events")
        inbox: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        self.streams += 1
        if self.streams_break:
            inbox.put_nowait(None)

        async def read() -> AsyncIterator[EngineEvent]:
            while True:
                event = await inbox.get()
                if event is None:
                    raise EngineUnavailable("The stream of events broke.")
                yield event

        self._listeners.add(inbox)
        try:
            yield read()
        finally:
            self._listeners.discard(inbox)

    async def usage(self, containers: Sequence[Container]) -> dict[str, Usage]:
        await self._answer("usage")
        running = [c for c in containers if c.id in self._boxes and self._boxes[c.id].seen.phase in RUNS]
        return {c.id: Usage(1.5, 32 * 2**20, c.memory, datetime.now(UTC)) for c in running}

    async def logs(self, container_id: str, tail: int) -> str:
        await self._answer("logs")
        return "".join(f"{line}\n" for line in self._box(container_id).log[-tail:])

    async def close(self) -> None:
        self.break_events()

    # ------------------------------------------------------------ inside

    async def _answer(self, call: str, name: str = "") -> None:
        if name:
            self.calls.append((call, name))
        await asyncio.sleep(self.latency.get(call, 0))
        if self.away:
            raise EngineUnavailable("The engine does not answer.")

    def _reply(self, call: str) -> None:
        """The work is done; say so, unless the answer is to be lost."""
        if self.lose_reply_of == call:
            self.lose_reply_of = ""
            raise EngineUnavailable("The engine's answer was lost.")

    def _tick(self) -> datetime:
        self.moment = max(self.moment + timedelta(microseconds=1), datetime.now(UTC) + self._ahead)
        return self.moment

    def _add(self, name: str, user_id: int | None, spec: SessionSpec | None, image: str) -> str:
        container_id = f"{next(self._numbers):064x}"
        container = Container(
            id=container_id,
            name=name,
            phase=Phase.CREATED,
            ours=spec is not None,
            user_id=user_id,
            created_at=self._tick(),
            started_at=None,
            exit_code=0,
            oom_killed=False,
            error="",
            pid=0,
            image=image,
            cpus=min(spec.cpus, self.cpus) if spec else 0,
            host_cpus=self.cpus,
            memory=spec.memory if spec else 0,
            spec_hash=spec.spec_hash if spec else "",
            session_id=spec.session_id if spec else None,
            token_check=spec.token_check if spec else "",
            processes=(spec.processes or USUAL_PROCESSES) if spec else 0,
            data_folder=spec.data_folder if spec else "",
        )
        ports = frozenset((spec.http_port, spec.ws_port)) if spec else frozenset[int]()
        self._boxes[container_id] = Box(container, ports, ["made"])
        self._tell("create", self._boxes[container_id])
        return container_id

    def _run(self, box: Box) -> None:
        if box.seen.id in self.left_behind:
            self._change(box, error=f"task {box.seen.id} already exists: unknown", left_behind=True)
            raise LeftBehind(box.seen.error)
        others = [b for b in self._boxes.values() if b is not box and b.seen.phase in RUNS]
        for port in sorted(box.ports):
            if port in self.taken_ports or any(port in b.ports for b in others):
                raise PortTaken(port)
        self._change(box, phase=Phase.RUNNING, started_at=self._tick(), pid=1000 + int(box.seen.id, 16))
        self._change(box, error="", left_behind=False, node=self._place(box))
        box.log.append("started")

    def _place(self, box: Box) -> Node | None:
        """On the node that it is on already, if that takes any, else on the emptiest."""
        taken = [b.seen.node.id for b in self._boxes.values() if b is not box and b.seen.node]
        takes = sorted((n for n in self.nodes.values() if n.takes_runs), key=lambda n: (taken.count(n.id), n.name))
        here = next((n for n in takes if box.seen.node and n.id == box.seen.node.id), next(iter(takes), None))
        return Node(here.name, here.address, id=here.id) if here else None

    def _set_node(self, node_id: str, **changes: Any) -> None:
        if node_id not in self.nodes:
            raise NoSuchNode(f"The swarm has no node {node_id}.")
        node = self.nodes[node_id] = replace(self.nodes[node_id], **changes)
        for box in self._boxes.values():
            if box.seen.node and box.seen.node.id == node_id:
                self._change(box, node=replace(box.seen.node, leaving=node.leaving_since is not None))
                self._tell("update", box)

    def _box(self, container_id: str) -> Box:
        if container_id not in self._boxes:
            raise NoSuchContainer(f"No such container: {container_id}")
        return self._boxes[container_id]

    def _named(self, name: str) -> Box:
        return next(b for b in self._boxes.values() if b.seen.name == name)

    def _change(self, box: Box, **changes: object) -> None:
        box.seen = replace(box.seen, **changes)  # type: ignore[arg-type]

    def _tell(self, action: str, box: Box) -> None:
        name = box.seen.name.removeprefix(self.prefix)
        user_id = box.seen.user_id or (int(name) if name.isdecimal() else None)
        if user_id is not None:
            for listener in self._listeners:
                listener.put_nowait(EngineEvent(user_id, box.seen.id, action))
