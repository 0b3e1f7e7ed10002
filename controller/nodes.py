"""The routes of `/v1` that deal with a swarm's nodes: which there are, and to empty one and take it back.

That a node is to be empty is kept by the swarm, with the node. The loop moves its sessions, and nothing here waits for
that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from aiohttp import web

from controller.doorkeeper import writer
from controller.events import Event, EventKind, EventReason
from controller.http import Handlers, Refusal, answer, note
from controller.model import Machine, Phase, UserView
from controller.moves import Moves
from controller.plain import plain

Json = dict[str, Any]

UP = (Phase.RUNNING, Phase.PAUSED, Phase.RESTARTING)
"""Phases in which a session is where it is; of one that has ended, its node is only where it was."""


class Loop(Protocol):
    """What is asked of the reconciler."""

    @property
    def moves(self) -> Moves: ...

    async def machines(self) -> tuple[Machine, ...]: ...

    async def drain(self, node_id: str) -> None: ...

    async def activate(self, node_id: str) -> None: ...


def handlers(loop: Loop, views: Callable[[], Iterable[UserView]], record: Callable[[Event], None]) -> Handlers:
    nodes = _Nodes(loop, views, record)
    return {each.__name__: each for each in (nodes.nodes, nodes.drain, nodes.activate)}


class _Nodes:
    def __init__(self, loop: Loop, views: Callable[[], Iterable[UserView]], record: Callable[[Event], None]) -> None:
        self._loop = loop
        self._views = views
        self._record = record

    async def nodes(self, _: web.Request) -> web.Response:
        told = self._told(await self._loop.machines())
        moves = self._loop.moves
        return answer(
            {
                "total": len(told),
                "nodes": told,
                "moving": list(moves.under_way),
                "waiting": list(moves.waiting),
                "moves_at_once": moves.at_once,
            }
        )

    async def drain(self, request: web.Request) -> web.Response:
        """Say that its sessions are to move to others."""
        machine = await self._meant(request)
        await self._loop.drain(machine.id)
        self._note(request, EventReason.DRAINING, f"node {machine.name} is to be empty")
        return await self._now(machine)

    async def activate(self, request: web.Request) -> web.Response:
        machine = await self._meant(request)
        await self._loop.activate(machine.id)
        self._note(request, EventReason.ACTIVATED, f"node {machine.name} takes sessions")
        return await self._now(machine)

    async def _meant(self, request: web.Request) -> Machine:
        word = request.match_info["node"]
        note(request, node=word)
        machines = await self._loop.machines()
        found = [each for each in machines if each.id == word] or [each for each in machines if each.name == word]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(each.id for each in found)
            raise Refusal(404, "not_found", f"Several nodes are named {word}.", details=f"Say which by its id: {ids}.")
        names = ", ".join(sorted(each.name for each in machines)) or "none: this engine is one host's"
        raise Refusal(404, "not_found", "There is no such node.", details=f"There are {names}.")

    async def _now(self, machine: Machine) -> web.Response:
        now = next((each for each in await self._loop.machines() if each.id == machine.id), machine)
        return answer(self._told((now,))[0])

    def _note(self, request: web.Request, reason: EventReason, message: str) -> None:
        self._record(Event(EventKind.NODE, reason, message, writer=writer(request)))

    def _told(self, machines: Iterable[Machine]) -> list[Json]:
        there: dict[str, list[int]] = defaultdict(list)
        for view in self._views():
            container = view.container
            if container is not None and container.node is not None and (container.phase in UP or container.node.lost):
                there[container.node.id].append(view.user_id)
        return [{**plain(each), "sessions": there[each.id]} for each in machines]
