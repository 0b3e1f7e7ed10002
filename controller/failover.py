"""What is done about a node of a swarm that stays lost: the operator's command switches it off, and only then is it
taken out of the swarm, so that its sessions start on others.

Without such a command nothing is: a node that cannot be asked may still run a session, which writes into its user's
folder. When it is off and out, the loop goes on by itself, as it does when a person has taken it out. Why a node's
sessions wait is told once, as an event.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress

from controller.engine import Engine
from controller.errors import EngineError, EngineUnavailable
from controller.events import Event, EventKind, EventReason
from controller.logs import printable
from controller.merge import ranges
from controller.model import Machine, UserView

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between two looks at the nodes."""
AGAIN = 60.0
"""Seconds from one try at a node to the next."""
LONGEST = 120.0
"""Seconds that the command may take."""
MOST_SAID = 200
"""Characters of what it printed last that are told."""
NO_COMMAND = "nothing says how it is switched off (setting `swarm_fence`)"


class Lost:
    """Since when which nodes have been lost, as far as this controller saw. The time comes in as an argument."""

    def __init__(self, after: float) -> None:
        self._after = after
        self._since: dict[str, float] = {}
        self._tried: dict[str, float] = {}

    def due(self, machines: Sequence[Machine], needed: Collection[str], now: float) -> Machine | None:
        """The node that is to be given up next; `None`: none is yet.

        Args:
            needed: ids of nodes on which sessions are that nobody can see.
            now: seconds, by a clock that only goes forward.
        """
        overdue = [each for each, why_not in self.overdue(machines, needed, now) if not why_not]
        due = [each for each in overdue if now - self._tried.get(each.id, -AGAIN) >= AGAIN]
        chosen = min(due, key=lambda each: self._since[each.id], default=None)
        if chosen is not None:
            self._tried[chosen.id] = now
        return chosen

    def overdue(
        self, machines: Sequence[Machine], needed: Collection[str], now: float
    ) -> Iterator[tuple[Machine, str]]:
        """Nodes that have been lost long enough, each with why it is not to be given up; empty where it is to be."""
        down = [each for each in machines if each.state == "down"]
        self._since = {each.id: self._since.get(each.id, now) for each in down}
        self._tried = {node_id: at for node_id, at in self._tried.items() if node_id in self._since}
        for node in down:
            if node.id in needed and now - self._since[node.id] >= self._after:
                yield node, _why_kept(node, machines)


def _why_kept(node: Machine, machines: Sequence[Machine]) -> str:
    """A manager, which holds a vote; one whose machine has joined anew, and would be switched off with what it runs
    now; any, while more than half of all are lost: then it is rather we who are."""
    answering = {(each.name, each.address) for each in machines if each.state == "ready"}
    if (node.name, node.address) in answering:
        return "its machine has joined the swarm anew, and what it was before is still listed"
    if any(each.name == node.name for each in machines if each.state == "ready"):
        return "another node that answers has its name, which is what it would be switched off by"
    if node.role == "manager":
        return "it is a manager, and a person has to demote it first"
    before = [each for each in machines if each.state == "down" and (each.name, each.address) in answering]
    down = [each for each in machines if each.state == "down"]
    if 2 * (len(down) - len(before)) > len(machines) - len(before):
        return "more than half of all nodes are lost, so it may be the managers that are cut off"
    return ""


class Failover:
    def __init__(
        self,
        engine: Engine,
        views: Callable[[], Iterable[UserView]],
        record: Callable[[Event], None],
        command: Sequence[str],
        after: float,
    ) -> None:
        """
        Args:
            command: switches off the node whose name, id and address follow it; that it ends with 0 is its word for
                that. Empty: there is none, and no node is given up.
            after: seconds that a node has to be lost.
        """
        self._engine = engine
        self._views = views
        self._record = record
        self._command = command
        self._lost = Lost(after)
        self._told: dict[str, set[str]] = {}
        """By the id of a lost node: why it is not given up, as far as that was told."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except EngineUnavailable:
                continue  # others tell
            except Exception:
                log.exception("lost nodes could not be looked at")

    async def look(self) -> None:
        """Give up one node at most. Raises EngineUnavailable."""
        machines, missed, now = await self._engine.machines(), _missed(self._views()), time.monotonic()
        lost = {each.id for each in machines if each.state == "down"}
        self._told = {node_id: told for node_id, told in self._told.items() if node_id in lost}
        for node, why_not in self._lost.overdue(machines, missed, now):
            if why_not or not self._command:
                why = f"node {node.name} is lost and is not given up: {why_not or NO_COMMAND}"
                self._tell_once(node, why, missed[node.id])
        due = self._lost.due(machines, missed, now) if self._command else None
        if due is not None:
            await self._give_up(due, missed[due.id])

    async def _give_up(self, node: Machine, users: Collection[int]) -> None:
        log.warning("node is switched off", extra={"pairs": {"node": node.name, "node_id": node.id}})
        why_not = await self._switch_off(node)
        if why_not:
            self._tell_once(node, f"node {node.name} could not be switched off: {why_not}", users)
            return
        now = next((each for each in await self._engine.machines() if each.id == node.id), None)
        if now is None or now.state != "down":  # somebody was quicker; or it came back, and is going again
            return
        try:
            await self._engine.forget(node.id)
        except EngineUnavailable:
            raise
        except EngineError as error:
            self._tell_once(node, f"node {node.name} is off, and is still in the swarm: {error}", users)
            return
        self._tell(EventReason.FENCED, f"node {node.name} was switched off, and taken out of the swarm")

    async def _switch_off(self, node: Machine) -> str:
        """Why it is not known to be off; empty: it is."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(*self._command, node.name, node.id, node.address),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"{self._command[0]} cannot be run: {error.strerror}"
        try:
            async with asyncio.timeout(LONGEST):
                said, _ = await process.communicate()
        except TimeoutError:
            return f"the command did not end within {LONGEST:g} s"
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # it, and what it started in its own session
                await process.wait()
        if process.returncode == 0:
            return ""
        lines = said.decode("utf-8", "replace").strip().splitlines()
        last = f": {printable(lines[-1])[:MOST_SAID]}" if lines else ""
        return f"the command ended with {process.returncode}" + last

    def _tell_once(self, node: Machine, message: str, users: Collection[int]) -> None:
        """As long as it is lost; `users` are those who wait. What a command prints may be another text each time."""
        known, what = self._told.setdefault(node.id, set()), ":".join(message.split(":")[:2])
        if what in known:
            return
        known.add(what)
        who = f"sessions of users {ranges(sorted(users))} wait for it"
        mend = f"once nothing runs there for certain, `docker node rm --force {node.id}` has them start on others"
        self._tell(EventReason.NOT_FENCED, f"{message}; {who}; {mend}")

    def _tell(self, reason: EventReason, message: str) -> None:
        log.warning("lost node", extra={"pairs": {"outcome": reason.value, "why": message}})
        self._record(Event(EventKind.NODE, reason, message))


def _missed(views: Iterable[UserView]) -> dict[str, list[int]]:
    """By the id of a node: users of whom it is not known whether their sessions go on there."""
    found: dict[str, list[int]] = defaultdict(list)
    for view in views:
        there = view.container.node if view.container is not None else None
        if there is not None and there.lost:
            found[there.id].append(view.user_id)
    return found
