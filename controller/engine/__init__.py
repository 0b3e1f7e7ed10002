"""What the controller asks of a container engine. `docker.py` answers it on Docker; tests have a fake.

Every method may raise `EngineUnavailable`: then nothing is known, and nothing may be concluded. A change of a
container that is gone raises `NoSuchContainer`. Changes are made by container id, never by name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.model import Container, Limits, Machine, SessionSpec, Usage


@dataclass(frozen=True, slots=True)
class EngineInfo:
    version: str
    now: datetime
    """The engine's own clock."""
    unlimited: tuple[str, ...] = ()
    """What it cannot limit on its host: `cpus`, `memory`, `swap`, `processes`."""
    rootless: bool = False
    """It is an ordinary user's, in a user namespace: uids in its containers are others on the host."""


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """A hint that something happened to a user's container; never trusted as the truth."""

    user_id: int
    container_id: str
    action: str
    """Docker's word: start, die, kill, pause, destroy, …"""


class Engine(Protocol):
    async def info(self) -> EngineInfo: ...

    async def enclose(self) -> str:
        """Make the network of all sessions, unless it is there, and close it to all that they may not reach.

        Returns why it is not closed, in a sentence; empty where it is.

        Raises:
            EngineRefused: the network cannot be made.
        """
        ...

    async def survey(self) -> dict[int, tuple[Container, ...]]:
        """Every container of ours, freshly inspected, by user id."""
        ...

    async def find(self, user_id: int) -> tuple[Container, ...]:
        """One user's containers, freshly inspected: ours by label; where there is none, whoever holds our name.

        Another user's container that was given this name by hand is not `ours` here.
        """
        ...

    async def create(self, spec: SessionSpec) -> str:
        """Make the container, not started; returns its id.

        Raises:
            NameConflict: a container has that name already (ours or not: look again to tell).
            ImageMissing, EngineRefused: it cannot be made.
        """
        ...

    async def start(self, container_id: str) -> None:
        """Start it; a running one is left alone.

        Raises:
            PortTaken, ImageMissing, EngineRefused: it cannot be started.
        """
        ...

    async def stop(self, container_id: str) -> None:
        """Ask it to end, and end it when the grace time is over."""
        ...

    async def restart(self, container_id: str) -> None:
        """Raises NoRoom: its node takes it no more, and no other would, so that it was left alone."""
        ...

    async def move(self, container_id: str) -> None:
        """Restart it on another node; one of which sessions are to go takes none itself.

        Raises:
            NoRoom: no other would take it, so that it was left alone.
            PortTaken, ImageMissing, EngineRefused: it ended, and did not start again.
        """
        ...

    async def remove(self, container_id: str) -> None:
        """Remove it, which must not be running; data folders are not touched."""
        ...

    async def rename(self, container_id: str, name: str) -> None:
        """Raises NameConflict: another container has that name."""
        ...

    async def unpause(self, container_id: str) -> None: ...

    async def update(self, container_id: str, limits: Limits) -> None:
        """Put the limits right under the running session, and whatever else can be that is not as it was made."""
        ...

    async def machines(self) -> tuple[Machine, ...]:
        """The nodes that sessions may be on; none where there is one host only."""
        ...

    async def drain(self, node_id: str) -> None:
        """From now on this node takes no more sessions, and those on it are `leaving`, until `activate`.

        Raises:
            NoSuchNode: there is none of this id.
        """
        ...

    async def activate(self, node_id: str) -> None:
        """The node takes sessions again, and those on it stay. Raises NoSuchNode, as `drain`."""
        ...

    async def forget(self, node_id: str) -> None:
        """Take a node that is off out of the swarm: nothing runs there any more, whatever was last heard of it.

        Raises:
            NoSuchNode: there is none of this id.
            EngineRefused: it is a manager.
        """
        ...

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[EngineEvent]]:
        """Hints from the moment that it is entered on; `EngineUnavailable` when the stream breaks."""
        ...

    async def usage(self, containers: Sequence[Container]) -> dict[str, Usage]:
        """Resource use by container id; containers without an answer are left out."""
        ...

    async def logs(self, container_id: str, tail: int) -> str:
        """The last `tail` lines of the container's output."""
        ...

    async def close(self) -> None: ...
