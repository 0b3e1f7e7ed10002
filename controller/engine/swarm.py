"""The Engine protocol on a Docker swarm, asked of one of its managers: a container of ours is a service with one task
or none, and its id is the service's.

What a session is as a service is `service.py`'s, what its tasks say of it `runs.py`'s. There are no events of tasks, so
they are looked at again and again; and a manager knows nothing of what is inside a node: no pause, no use of resources
but on this machine itself.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import docker
import docker.errors

from controller.engine import EngineEvent, EngineInfo, runs, service
from controller.engine.cgroups import CgroupReader
from controller.engine.firewall import Firewall
from controller.engine.labels import (
    LABEL_HARDENING,
    LABEL_INSTANCE,
    LABEL_SESSION,
    LABEL_SPEC,
    LABEL_TOKEN,
    LABEL_USER,
    as_seen_by,
    by_user,
    user_of,
)
from controller.engine.lane import Lanes, delete, get, listed, moment, post, translated
from controller.engine.node_engines import NodeEngines, inside_of
from controller.engine.runs import LIVE, NEVER
from controller.engine.service import LABEL_LEFT, LABEL_RAN, Json, Placing, Publish, Terms
from controller.errors import (
    EngineError,
    EngineRefused,
    EngineUnavailable,
    ImageMissing,
    NameConflict,
    NoRoom,
    NoSuchContainer,
    NoSuchNode,
)
from controller.model import USUAL_PROCESSES, Container, Limits, Machine, Phase, SessionSpec, Usage
from controller.spec import container_name

BRIDGES: Mapping[Publish, str] = {"host": "docker0", "ingress": "docker_gwbridge"}
"""On each node: by which containers that ask for no network reach others, and those in a network of the swarm's."""

POLL = 1.0
"""Seconds between two looks for what has happened."""
STEP = 0.1
"""Seconds between two looks at a task that is to end, and at most at one that is to come up."""
FIRST_STEP = 0.02
LATER = 0.1
"""Share of the time that a task took to come up, by which that is seen later at most."""
LONGEST_PAUSE = 2.0
"""Seconds from one time that a swarm is told the same to the next: each is a write that all managers keep."""
NO_ROOM = 5.0
"""Seconds that a run may wait for room, once the swarm has looked for a node and found none."""
START_TIMEOUT = 60.0
STOP_MARGIN = 30.0
"""Seconds beyond the time that a session has to end by itself."""
CLOCKS = 300.0
"""Seconds by which managers' clocks may differ."""
TRIES = 5
"""Of a change that another one overtakes."""
RUNS = 3
"""Where the swarm forgot why the last one did not come up."""

_NOT_MANAGER = "The Docker engine is no manager of a swarm: `docker swarm init` makes it one."

T = TypeVar("T")


class SwarmEngine:
    def __init__(
        self,
        host: str,
        instance: str,
        container_prefix: str,
        stop_grace: float,
        threads_for_changes: int,
        placing: Placing = Placing(),  # noqa: B008 - a frozen value
    ) -> None:
        """
        Args:
            host: of a manager, as in `DOCKER_HOST`; empty for the SDK's default.
            instance: value of our instance label; services without it are never changed.
            stop_grace: seconds a session has to end by itself.
        """
        self._nodes = NodeEngines(placing.door) if placing.door else None
        self._instance = instance
        self._prefix = container_prefix
        self._terms = Terms(instance, placing, round(stop_grace))
        self._largest = 0.0
        """Cores of the node that has most."""
        self._began = time.monotonic()
        self._last_lost: dict[str, float] = {}
        """When a node was last seen not to be ready, by its id, or at first our beginning."""
        self._clock: tuple[datetime, float] | None = None
        """What a manager's clock said, and ours then."""
        self._firewall = Firewall(instance, placing.reach, BRIDGES[placing.publish])
        self._cgroups = CgroupReader()
        self._inside: dict[str, str] = {}
        """Id of the container that a service's task is in."""
        self._lanes = Lanes(host, threads_for_changes)

    # ------------------------------------------------------------ looks

    async def info(self) -> EngineInfo:
        return await self._lanes.look(self._info)

    async def survey(self) -> dict[int, tuple[Container, ...]]:
        found = await self._lanes.look(self._all_of_ours)
        self._inside = {c.id: self._inside[c.id] for c in found if self._inside.get(c.id)}
        if self._nodes is not None:
            self._nodes.keep(found)
        return by_user(found)

    async def find(self, user_id: int) -> tuple[Container, ...]:
        return await self._lanes.look(partial(self._find, user_id=user_id))

    async def usage(self, containers: Sequence[Container]) -> dict[str, Usage]:
        """Of those on this machine, since a process of another node has none of our containers in its path; and of the
        others where their engines can be asked."""
        ids = dict(self._inside)
        services = {inside: c for c in containers if (inside := ids.get(c.id))}
        tasks = [replace(c, id=inside) for inside, c in services.items()]
        read = await self._lanes.looks.threads.run(partial(self._cgroups.read, tasks))
        found = {services[inside].id: usage for inside, usage in read.items()}
        if self._nodes is None:
            return found
        elsewhere = inside_of([c for c in containers if c.id not in found], ids)
        return found | await self._nodes.usage(elsewhere)

    async def logs(self, container_id: str, tail: int) -> str:
        def read(client: docker.APIClient) -> bytes:
            self._own(client, container_id)
            return b"".join(client.service_logs(container_id, stdout=True, stderr=True, tail=str(tail), is_tty=False))

        return (await self._lanes.looks.run(read)).decode("utf-8", "replace")

    def _info(self, client: docker.APIClient) -> EngineInfo:
        said = client.info()
        if not said["Swarm"].get("ControlAvailable"):
            raise EngineUnavailable(_NOT_MANAGER)
        now = moment(said["SystemTime"])
        self._clock = None if now is None else (now, time.monotonic())
        return EngineInfo(said["ServerVersion"], now or datetime.now(UTC))

    def _find(self, client: docker.APIClient, user_id: int) -> tuple[Container, ...]:
        """By name, and by label where that finds none of ours."""
        try:
            named = [_service(client, container_name(self._prefix, user_id))]
        except NoSuchContainer:
            named = []
        seen = self._containers(client, named)
        if not any(c.ours and c.user_id == user_id for c in seen):
            labelled = self._containers(client, self._services(client, f"{LABEL_USER}={user_id}"))
            seen = tuple(c for c in labelled if c.ours) or seen
        return as_seen_by(user_id, seen)

    def _all_of_ours(self, client: docker.APIClient) -> tuple[Container, ...]:
        return self._containers(client, self._services(client))

    def _services(self, client: docker.APIClient, *labels: str) -> list[Json]:
        """Of ours, those that carry these labels, too."""
        return listed(client, "services", label=[f"{LABEL_INSTANCE}={self._instance}", *labels])

    def _containers(self, client: docker.APIClient, services: Sequence[Json]) -> tuple[Container, ...]:
        if not services:
            return ()
        machines = self._machines(client)
        try:
            found = (
                listed(client, "tasks", label=[f"{LABEL_INSTANCE}={self._instance}"])
                if len(services) > 1
                else _tasks(client, services[0]["ID"])
            )
        except NoSuchContainer:  # it was removed since
            return ()
        tasks: dict[str, list[Json]] = defaultdict(list)
        for task in found:
            tasks[task["ServiceID"]].append(task)
        return tuple(self._container(each, tasks[each["ID"]], machines) for each in services)

    def _machines(self, client: docker.APIClient) -> dict[str, Machine]:
        """All nodes, by id."""
        machines = {said["ID"]: runs.machine(said) for said in get(client, "/nodes")}
        self._largest = max((machine.cpus for machine in machines.values()), default=0.0)
        self._last_lost = {
            each.id: self._last_lost.get(each.id, self._began) if each.state == "ready" else time.monotonic()
            for each in machines.values()
        }
        return machines

    def _just_back(self, machine: Machine, within: float) -> bool:
        """Whether it was lost that many seconds ago, or may have been: nobody looked before, and the managers
        have written something about it since, if only a label."""
        now, lost = time.monotonic(), self._last_lost[machine.id]
        if now - lost >= within:
            return False
        if lost > self._began or self._clock is None or machine.updated_at is None:
            return True
        told, then = self._clock
        return (told - machine.updated_at).total_seconds() + now - then < within + CLOCKS

    # ------------------------------------------------------------ the network of all sessions

    async def enclose(self) -> str:
        return (await self.enclosed())[0]

    async def enclosed(self) -> tuple[str, str]:
        """For `matlabctl doctor`: why it is not known to be closed, and what root can type on each node."""
        machines = await self._lanes.look(self._machines)
        commands = await self._lanes.looks.threads.run(self._firewall.commands)
        names = ", ".join(sorted(machine.name for machine in machines.values()))
        why_not = f"Whether the sessions' network is closed on the nodes ({names}) cannot be seen from here."
        return why_not, commands

    async def silent(self) -> dict[str, str] | None:
        """For `matlabctl doctor`: nodes that take sessions and whose own engines cannot be asked, by name, and why;
        `None`: they are not to be."""
        if self._nodes is None:
            return None
        machines = await self._lanes.look(self._machines)
        return await self._nodes.silent(each for each in machines.values() if each.takes_runs)

    # ------------------------------------------------------------ changes, by id only

    async def create(self, spec: SessionSpec) -> str:
        if not self._largest:
            await self._lanes.look(self._machines)
        limits = self._within(Limits(spec.cpus, spec.memory, spec.processes or USUAL_PROCESSES))
        wanted = service.service_of(spec, self._terms, limits, self._firewall.names)
        try:
            made = await self._change(lambda client: post(client, "/services/create", wanted).json())
        except EngineRefused as refused:
            if "name conflicts with an existing object" in str(refused):
                raise NameConflict(f"A service named {spec.name} exists already.") from refused
            raise
        return str(made["ID"])

    async def start(self, container_id: str) -> None:
        found, tasks, machines = await self._lanes.look(partial(self._whole, container_id=container_id))
        run = found["Spec"]["TaskTemplate"].get("ForceUpdate", 0)
        if service.wanted(found["Spec"]) and any(runs.number(task) == run and runs.is_meant(task) for task in tasks):
            await self._until_up(container_id, run)
        else:
            await self._run(container_id, runs.pin(tasks, machines, service.node_labels(found["Spec"])))

    async def restart(self, container_id: str) -> None:
        """On the node where it is, if that takes any."""
        found, tasks, machines = await self._lanes.look(partial(self._whole, container_id=container_id))
        await self._again(found, tasks, runs.pin(tasks, machines, service.node_labels(found["Spec"])))

    async def move(self, container_id: str) -> None:
        """Its own node takes none while it is emptied: so the next run is not kept from it by a constraint, which would
        stay and keep it away once the node is back."""
        found, tasks, _ = await self._lanes.look(partial(self._whole, container_id=container_id))
        await self._again(found, tasks, "")

    async def _again(self, found: Json, tasks: Sequence[Json], pin: str) -> None:
        """End this run, and begin the next when it has ended. The swarm's own way does not wait for that longer than a
        minute, nor for a node that is lost meanwhile (swarmkit's `restart.Supervisor.DelayStart`).

        Args:
            pin: id of the node that the next run is to be on; empty: any that has room, and one must have.
        """
        if not pin:
            next_one = copy.deepcopy(found["Spec"])
            service.next_run(next_one, self._terms, ())
            here, labels = str((runs.current(tasks) or {}).get("NodeID", "")), service.node_labels(next_one)
            why_not = runs.why_nowhere(await self.machines(), next_one["TaskTemplate"], labels, here)
            if why_not:
                raise NoRoom(why_not)
        await self.stop(found["ID"])
        await self._run(found["ID"], pin)

    async def stop(self, container_id: str) -> None:
        """Where it may go on is noted with the change that ends it, until all of it is seen to have ended."""
        found, tasks, machines = await self._lanes.look(partial(self._whole, container_id=container_id))
        began = max((runs.since(task) for task in tasks if runs.ran(task)), default=None)
        noted = runs.where(tasks)

        def end(spec: Json) -> None:
            service.want_none(spec)
            service.note_left(spec, noted)
            if began is not None:
                spec["Labels"][LABEL_RAN] = began.isoformat()

        await self._amend(container_id, end)
        longest = _longest_end(found["Spec"])
        over = time.monotonic() + longest
        while True:
            left = await self._tasks_of(container_id)
            nodes = runs.where(left)
            if nodes != noted:
                await self._amend(container_id, partial(service.note_left, nodes=nodes))
                noted = nodes
            if not any(runs.state(task) in LIVE for task in left):
                return
            if time.monotonic() > over:
                there = ", ".join(machines[each].name for each in nodes if each in machines)
                if there:
                    raise EngineRefused(f"The session did not end within {longest:.0f} s on {there}.")
                raise EngineRefused(f"The session did not end within {longest:.0f} s.")
            await asyncio.sleep(STEP)

    async def remove(self, container_id: str) -> None:
        if service.wanted(await self._at_rest(container_id)):  # what waits for a node could come up while it goes
            await self._amend(container_id, service.want_none)
            await self._at_rest(container_id)
        await self._change(lambda client: delete(client, f"/services/{container_id}"))

    async def _at_rest(self, container_id: str) -> Json:
        """The service's spec. Raises EngineRefused: something of it runs."""
        found, tasks = await self._lanes.look(partial(self._told, container_id=container_id))
        if any(runs.is_begun(task) for task in tasks):
            raise EngineRefused("The service has a task that runs, or is about to.")
        spec: Json = found["Spec"]
        return spec

    async def rename(self, container_id: str, name: str) -> None:
        await self._lanes.look(lambda client: self._own(client, container_id))
        raise EngineRefused(f"A service keeps its name; it cannot become {name}.")

    async def unpause(self, container_id: str) -> None:
        await self._lanes.look(lambda client: self._own(client, container_id))
        raise EngineRefused("A swarm knows of no paused sessions.")

    async def update(self, container_id: str, limits: Limits) -> None:
        """Declared now, and in force from the next run on: resources that change replace the task. At once where the
        node's own engine can be asked to and does it."""
        within = self._within(limits)
        await self._amend(container_id, lambda spec: service.put_right(spec, within))
        if self._nodes is None:
            return
        with suppress(EngineError):  # then it is told as deferred
            found, tasks, machines = await self._lanes.look(partial(self._whole, container_id=container_id))
            seen = self._container(found, tasks, machines)
            running = inside_of([seen] if seen.phase is Phase.RUNNING else [], self._inside).get(container_id)
            if running is not None:
                await self._nodes.update(container_id, running[1], within)
                await self._amend(container_id, lambda spec: service.note_given(spec, within))

    async def _run(self, container_id: str, pin: str) -> None:
        """One more, until it is up; and another where nobody was told why it did not come up, to hear that.

        Args:
            pin: id of the node that it is to be on; empty: any.

        Raises:
            PortTaken, ImageMissing, EngineRefused: why it did not.
        """
        for _ in range(RUNS - 1):
            with suppress(_Forgotten):
                return await self._until_up(container_id, await self._begin(container_id, pin))
        return await self._until_up(container_id, await self._begin(container_id, pin))

    async def _begin(self, container_id: str, pin: str) -> int:
        """Returns the number of the run.

        Not while the swarm forgets a task of the same service: its updater and its orchestrator would each make one in
        that one's place (swarmkit's `replicated.Orchestrator.reconcile`), and both would write into one folder. Which
        it forgets is told a moment after a change: so of a service that is to have none all have to be gone, and what
        is told of all the same goes when the swarm is told again that there is to be none.
        """
        over = time.monotonic() + STOP_MARGIN
        pause, again = STEP, 0.0
        while True:
            found, tasks = await self._lanes.look(partial(self._told, container_id=container_id))
            removed = any(runs.is_removed(task) for task in tasks)
            if not removed and (service.wanted(found["Spec"]) or not tasks):
                break
            if time.monotonic() > over:
                raise EngineRefused(f"The swarm did not put the last run away within {STOP_MARGIN:.0f} s.")
            if removed:
                pause, again = STEP, 0.0
            elif time.monotonic() >= again:
                await self._amend(container_id, lambda _: None)
                pause, again = min(2 * pause, LONGEST_PAUSE), time.monotonic() + pause
            await asyncio.sleep(STEP)
        labels = service.node_labels(found["Spec"])
        machines = await self._lanes.look(self._machines) if labels and not pin else {}
        place = runs.place(labels, machines.values(), pin)
        return await self._amend(container_id, lambda spec: service.next_run(spec, self._terms, place))

    async def _until_up(self, container_id: str, run: int) -> None:
        """Wait for this run's task; nothing is left waiting where it does not come up.

        Raises:
            PortTaken, ImageMissing, EngineRefused: why it did not.
        """
        began, told = time.monotonic(), False
        while True:
            tasks = await self._tasks_of(container_id)
            mine = max((task for task in tasks if runs.number(task) == run), key=runs.made, default=None)
            failed = _several(runs.meant(tasks))
            if not tasks and told:
                failed = _Forgotten(
                    "A node did not take the session, and the swarm forgot why before it could be asked."
                )
            told = told or mine is not None
            if failed is None and mine is not None and runs.ran(mine):
                return
            if any(runs.state(task) in LIVE for task in tasks if task is not mine):
                began = time.monotonic()  # one that a hand began has its time to end
            failed = failed or self._why_not(mine, time.monotonic() - began)
            if failed is not None:
                with suppress(EngineError):
                    await self._amend(container_id, partial(self._give_up, tasks=tasks))
                raise failed
            await asyncio.sleep(step_up(time.monotonic() - began))

    def _give_up(self, spec: Json, tasks: Sequence[Json]) -> None:
        """Have none of them go on, nor any other."""
        service.want_none(spec)
        service.note_left(spec, runs.where(tasks))

    def _why_not(self, task: Json | None, waited: float) -> EngineError | None:
        """Why this run will not come up; `None` while it still may."""
        said = str(task["Status"].get("Err") or task["Status"].get("Message", "")) if task else "there is no task"
        nowhere = task is not None and runs.state(task) == "pending" and "no suitable node" in said
        if nowhere and waited > NO_ROOM:
            return EngineRefused(f"No node takes the session: {said}")
        if task is not None and runs.state(task) not in LIVE:
            return _translated(said)
        return EngineRefused(f"Not started within {START_TIMEOUT:.0f} s: {said}") if waited > START_TIMEOUT else None

    async def _amend(self, container_id: str, change: Callable[[Json], T]) -> T:
        """Read the whole spec, change it, and post it all, anew where somebody came in between."""

        def amend(client: docker.APIClient) -> T:
            found = self._own(client, container_id)
            spec = copy.deepcopy(found["Spec"])
            result = change(spec)
            post(client, f"/services/{found['ID']}/update?version={found['Version']['Index']}", spec).json()  # whole
            return result

        return await self._in_sequence(amend)

    async def _in_sequence(self, amend: Callable[[docker.APIClient], T]) -> T:
        """What reads and posts, tried again where somebody came in between."""
        for _ in range(TRIES - 1):
            try:
                return await self._change(amend)
            except EngineRefused as refused:
                if "out of sequence" not in str(refused):
                    raise
        return await self._change(amend)

    def _within(self, limits: Limits) -> Limits:
        """No more cores than the largest node has: no other could take it."""
        return replace(limits, cpus=min(limits.cpus, self._largest or limits.cpus))

    # ------------------------------------------------------------ nodes

    async def machines(self) -> tuple[Machine, ...]:
        def look(client: docker.APIClient) -> tuple[Machine, ...]:
            meant = listed(client, "tasks", **{"desired-state": ["running"]})
            return runs.reserved(self._machines(client).values(), meant)

        return await self._lanes.look(look)

    async def drain(self, node_id: str) -> None:
        now = (await self.info()).now
        await self._amend_node(node_id, lambda spec: runs.drain(spec, now))

    async def activate(self, node_id: str) -> None:
        await self._amend_node(node_id, runs.activate)

    async def forget(self, node_id: str) -> None:
        def remove(client: docker.APIClient) -> None:
            try:
                delete(client, f"/nodes/{node_id}?force=true")
            except docker.errors.NotFound as error:
                raise NoSuchNode(f"The swarm has no node {node_id}.") from error

        await self._change(remove)

    async def _amend_node(self, node_id: str, change: Callable[[Json], None]) -> None:
        def amend(client: docker.APIClient) -> None:
            try:
                found = get(client, f"/nodes/{node_id}")
            except docker.errors.NotFound as error:
                raise NoSuchNode(f"The swarm has no node {node_id}.") from error
            spec = copy.deepcopy(found["Spec"])
            change(spec)
            post(client, f"/nodes/{found['ID']}/update?version={found['Version']['Index']}", spec)

        await self._in_sequence(amend)

    # ------------------------------------------------------------ what happens

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        known = await self._lanes.look(self._standing)

        async def read() -> AsyncIterator[EngineEvent]:
            before = known
            while True:
                await asyncio.sleep(POLL)
                after = await self._lanes.look(self._standing)
                for event in _happened(before, after):
                    yield event
                before = after

        yield read()

    def _standing(self, client: docker.APIClient) -> dict[str, Container]:
        return {c.id: c for c in self._all_of_ours(client) if c.user_id is not None}

    # ------------------------------------------------------------ lanes

    async def close(self) -> None:
        """Let go of the threads; calls under way are left to themselves."""
        self._lanes.close()
        if self._nodes is not None:
            self._nodes.close()

    async def _tasks_of(self, container_id: str) -> list[Json]:
        """Raises NoSuchContainer."""
        return (await self._lanes.look(partial(self._told, container_id=container_id)))[1]

    def _told(self, client: docker.APIClient, container_id: str) -> tuple[Json, list[Json]]:
        """A service of ours, and its tasks. Raises NoSuchContainer."""
        found = self._own(client, container_id)
        return found, _tasks(client, found["ID"])

    def _own(self, client: docker.APIClient, container_id: str) -> Json:
        """Raises NoSuchContainer: it is gone, or none of ours."""
        found = _service(client, container_id)
        if (found["Spec"].get("Labels") or {}).get(LABEL_INSTANCE) != self._instance:
            raise NoSuchContainer(f"The service {container_id} is none of this controller's.")
        return found

    def _whole(self, client: docker.APIClient, container_id: str) -> tuple[Json, list[Json], dict[str, Machine]]:
        """A service of ours, its tasks, and all nodes. Raises NoSuchContainer."""
        return *self._told(client, container_id), self._machines(client)

    async def _change(self, call: Callable[[docker.APIClient], T]) -> T:
        try:
            return await self._lanes.change(call)
        except EngineRefused as refused:
            if "not found" in str(refused) and "service" in str(refused):
                raise NoSuchContainer(str(refused)) from refused
            if "leader" in str(refused) or "deadline exceeded" in str(refused):  # of the managers, most are away
                raise EngineUnavailable(f"The swarm does not answer: {refused}") from refused
            raise

    # ------------------------------------------------------------ the swarm's words → ours

    def _container(self, found: Json, tasks: Sequence[Json], machines: Mapping[str, Machine]) -> Container:
        try:
            spec = found["Spec"]
            labels, template = spec.get("Labels") or {}, spec["TaskTemplate"]
            name = str(spec["Name"])
            task = runs.current(tasks)
            phase = runs.phase(spec, tasks)
            labelled = labels.get(LABEL_INSTANCE) == self._instance
            ours = labelled and service.replicated(spec) and service.data_folder(spec) != ""
            limits = service.declared(spec) if ours else Limits(0, 0, 0)
            inside = (task["Status"].get("ContainerStatus") or {}) if task else {}
            alive = phase in (Phase.RUNNING, Phase.RESTARTING)
            self._inside[found["ID"]] = str(inside.get("ContainerID", ""))
            return Container(
                id=found["ID"],
                name=name,
                phase=phase,
                ours=ours,
                user_id=user_of(labels, name, self._instance, self._prefix),
                created_at=moment(found["CreatedAt"]) or NEVER,
                started_at=runs.started(labels, task, phase),
                exit_code=0 if alive else int(inside.get("ExitCode", 0)),
                oom_killed=False,
                error=str(task["Status"].get("Err", "")) if task else "",
                pid=int(inside.get("PID", 0)) if alive else 0,
                image=str((template.get("ContainerSpec") or {}).get("Image", "")),
                cpus=limits.cpus,
                host_cpus=self._largest,
                memory=limits.memory,
                spec_hash=labels.get(LABEL_SPEC, ""),
                session_id=labels.get(LABEL_SESSION),
                token_check=labels.get(LABEL_TOKEN, ""),
                processes=limits.processes,
                data_folder=service.data_folder(spec),
                outdated=labels.get(LABEL_HARDENING) != self._terms.mark,
                loose=service.loose(spec) if ours else (),
                slack=tuple(service.slack(spec, runs.meant(tasks))) if ours else (),
                deferred=tuple(service.deferred(service.given(spec, task["Spec"]), limits))
                if task and alive and ours
                else (),
                node=runs.left(task, labels, machines, partial(self._just_back, within=_longest_end(spec)))
                or runs.node(task, machines),
                awaited=phase in (Phase.CREATED, Phase.EXITED) and runs.meant(tasks) > 0,
                end_unseen=LABEL_LEFT in labels,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EngineUnavailable(f"The swarm's answer about a service is garbled: {error!r}") from error


def step_up(waited: float) -> float:
    """Seconds until the next look at a task that has had so many to come up."""
    return min(max(FIRST_STEP, LATER * waited), STEP)


def _longest_end(spec: Json) -> float:
    """Seconds that a session of this service may take to end."""
    grace: float = (spec["TaskTemplate"].get("ContainerSpec") or {}).get("StopGracePeriod", 0) / 1e9
    return grace + STOP_MARGIN


def _happened(before: Mapping[str, Container], after: Mapping[str, Container]) -> Iterable[EngineEvent]:
    """In Docker's words, as hints."""
    for container_id in before.keys() | after.keys():
        was, now = before.get(container_id), after.get(container_id)
        known = now or was
        if known is None or known.user_id is None or was == now:
            continue
        if was is None:
            yield EngineEvent(known.user_id, container_id, "create")
        if now is None:
            yield EngineEvent(known.user_id, container_id, "destroy")
            continue
        another_run = now.started_at is not None and (was is None or was.started_at is None or now.phase != was.phase)
        if another_run and now.phase in (Phase.RUNNING, Phase.EXITED) and (was is None or was.phase != Phase.RUNNING):
            yield EngineEvent(known.user_id, container_id, "start")
        if now.phase is Phase.EXITED and (was is None or was.phase is not Phase.EXITED):
            yield EngineEvent(known.user_id, container_id, "die")
        if was is not None and was.phase is now.phase:
            yield EngineEvent(known.user_id, container_id, "update")


class _Forgotten(EngineRefused):
    """Of a task that its node has rejected a swarm tells for some milliseconds, or as long as it takes to look."""


def _several(tasks: int) -> EngineError | None:
    """Why so many of one service that run, or will, are all to end."""
    if tasks < 2:
        return None
    return EngineRefused(f"The swarm began {tasks} tasks of the session at once, which would write into one folder.")


def _translated(said: str) -> EngineError:
    """What a node says of a task that it could not start."""
    error = translated(docker.errors.APIError("", explanation=said))
    if "no such image" in said.lower():
        return ImageMissing(f"The node says: {said}.")
    return error


# ---------------------------------------------------------------- calls


def _tasks(client: docker.APIClient, service_id: str) -> list[Json]:
    """Raises NoSuchContainer."""
    try:
        return listed(client, "tasks", service=[service_id])
    except docker.errors.NotFound as error:
        if service_id not in str(error.explanation):  # it is something else that was not found
            raise
        raise NoSuchContainer(f"There is no service {service_id}.") from error


def _service(client: docker.APIClient, id_or_name: str) -> Json:
    """Raises NoSuchContainer."""
    try:
        found: Json = get(client, f"/services/{id_or_name}")
    except docker.errors.NotFound as error:
        raise NoSuchContainer(f"There is no service {id_or_name}.") from error
    return found
