"""What is known of every user's session: the containers, the probes, the resource use, and how far the loop has come.

The API answers from here. Nothing that changes a container is decided from here: the reconciler looks for itself, and
lets this module see what it saw. It keeps the link to the engine: events as hints, a full survey after each break.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from prometheus_client import Histogram

from controller.conditions import STARTING
from controller.engine import Engine
from controller.errors import EngineError, EngineUnavailable, NoSuchContainer
from controller.events import Event, EventKind, EventReason
from controller.model import Container, DiskUse, EngineView, Phase, Probe, Progress, Usage, UserView
from controller.probes import Prober
from controller.workqueue import WorkQueue

log = logging.getLogger(__name__)

PROBES_AT_ONCE = 24
PATIENCE = 0.1
"""Seconds that a round of ready sessions is left before their answers are looked for."""
USAGE_EVERY = 10.0
KNOCK_FIRST, KNOCK_LAST = 0.25, 5.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a user's two services are published, as the site's rule says."""

    http_base: int
    ws_base: int


@dataclass(frozen=True, slots=True)
class ProbeTimes:
    """Seconds between two probes of a session."""

    until_ready: float
    once_ready: float


class Watcher(Protocol):
    """Who wants to be told, on the event loop, of what is known as it changes."""

    def saw(self, user_id: int, before: UserView | None, after: UserView | None) -> None:
        """A view was put in another's place; `None`: there was none, or is none any more."""
        ...

    def measured(self, at: datetime, usage: Mapping[int, Usage]) -> None:
        """What all users whose sessions run were found to use."""
        ...


class Informer:
    def __init__(
        self,
        engine: Engine,
        queue: WorkQueue,
        prober: Prober,
        ports: Ports,
        times: ProbeTimes,
        record: Callable[[Event], None],
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._prober = prober
        self._ports = ports
        self._times = times
        self._record = record
        self._view = EngineView()
        self._engine_clock = datetime.now(UTC), time.monotonic()
        """What it showed when we last asked, and when that was, by a clock that nobody sets."""
        self._there = asyncio.Event()
        self._away = asyncio.Event()
        self._away.set()
        self._users: dict[int, UserView] = {}
        self._listed: tuple[UserView, ...] | None = None
        """What `views` answered, until something changes."""
        self._watchers: list[Watcher] = []
        self._waiters: dict[int, set[asyncio.Event]] = {}
        self._refreshing: dict[int, asyncio.Lock] = {}
        self._due = WorkQueue()
        """Users whose services are to be asked."""
        self._ending: set[int] = set()
        """Those of them whose run is said to have ended: they are asked without `PATIENCE`."""
        self._awaited: dict[int, set[str]] = {}
        """Which of a user's services have not answered yet, of a run that was seen to begin."""
        self.startup = Histogram(
            "mcm_session_startup_duration_seconds",
            "Time that a session took: to be created and started by the engine; from its start until its page (web) "
            "and its interpreter (session) were first found to answer.",
            ("stage",),
            registry=None,
            buckets=(0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 120),
        )

    # ------------------------------------------------------------ what is known

    @property
    def engine(self) -> EngineView:
        return self._view

    def view(self, user_id: int) -> UserView:
        return self._users.get(user_id) or UserView(user_id, self._view)

    def views(self) -> tuple[UserView, ...]:
        """The users that have a container of ours, by ascending id."""
        if self._listed is None:
            self._listed = tuple(v for _, v in sorted(self._users.items()) if v.container is not None)
        return self._listed

    def known(self) -> frozenset[int]:
        return frozenset(self._users)

    def subscribe(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    def now(self) -> datetime:
        """The engine's clock, as far as we can tell without asking."""
        shown, asked_at = self._engine_clock
        return shown + timedelta(seconds=time.monotonic() - asked_at)

    def ready_for(self, user_id: int) -> timedelta:
        """How long both services have answered without a break."""
        since = self.view(user_id).ready_since
        return timedelta(0) if since is None else datetime.now(UTC) - since

    async def engine_now(self) -> datetime:
        """The engine's clock, asked for: somebody may have set it since the last resync.

        Raises:
            EngineUnavailable: it does not answer.
        """
        now = (await self._engine.info()).now
        self._engine_clock = now, time.monotonic()
        return now

    async def logs(self, user_id: int, tail: int) -> str:
        """The container's last lines.

        Raises:
            NoSuchContainer: the user has none.
            EngineUnavailable: it does not answer, so nobody knows.
        """
        container, engine = self.view(user_id).container, self.engine
        if container is None and not engine.reachable:
            raise EngineUnavailable(engine.error)
        if container is None:
            raise NoSuchContainer(f"User {user_id} has no container.")
        return await self._engine.logs(container.id, tail)

    async def wait(self, user_id: int, until: Callable[[UserView], bool], seconds: float) -> UserView:
        """The first view for which `until` holds, or the last one when the time is over."""
        changed = asyncio.Event()
        self._waiters.setdefault(user_id, set()).add(changed)
        try:
            async with asyncio.timeout(seconds):
                while not until(self.view(user_id)):
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            pass
        finally:
            self._waiters[user_id].discard(changed)
        return self.view(user_id)

    async def refresh(self, user_id: int, max_age: float) -> UserView:
        """Look again at what is older than `max_age` seconds. Where the engine is away, the last view, marked so."""
        async with self._refreshing.setdefault(user_id, asyncio.Lock()):
            view = self.view(user_id)
            if not view.engine.reachable or not _younger(view.observed_at, max_age):
                asked_at = time.monotonic()
                try:
                    self.saw(user_id, await self._engine.find(user_id), asked_at)
                except EngineUnavailable as error:
                    self.lost(error)
                    return self.view(user_id)
            view = self.view(user_id)
            if view.container is not None and view.container.phase is Phase.RUNNING:
                if view.probe is None or not _younger(view.probe.checked_at, max_age):
                    await self._probe(user_id)
                if view.usage is None or not _younger(view.usage.sampled_at, max_age):
                    await self._measure((view.container,))
            return self.view(user_id)

    # ------------------------------------------------------------ what is told

    def saw(self, user_id: int, containers: tuple[Container, ...], asked_at: float) -> None:
        """Somebody looked at this user's containers; they asked for it at `asked_at`, by `time.monotonic`."""
        self._reached()
        before = self.view(user_id)
        if asked_at < before.asked_at:
            return  # whoever asked later was answered sooner
        container = next((c for c in containers if c.ours), None)
        observed_at = datetime.now(UTC) - timedelta(seconds=time.monotonic() - asked_at)
        view = replace(before, container=container, observed_at=observed_at, asked_at=asked_at)
        if not _same_run(before.container, container):
            view = replace(view, probe=None, ready_since=None, usage=None)
            self._awaited[user_id] = {"web", "session"} if before.observed_at else set()
            if container is not None and container.phase is Phase.RUNNING:
                self._put(view)
                self._due.add_after(user_id, self._until_first_try(container))
                return
        self._put(view)

    def took(self, stage: str, seconds: float) -> None:
        """A session has come through a stage of its start."""
        self.startup.labels(stage).observe(max(seconds, 0.0))

    def report(self, user_id: int, progress: Progress) -> None:
        """The reconciler tells how far it is."""
        self._put(replace(self.view(user_id), progress=progress))

    def measured(self, user_id: int, disk: DiskUse) -> None:
        """Somebody measured this user's folder."""
        if user_id in self._users:
            self._put(replace(self._users[user_id], disk=disk))

    def forget(self, user_id: int) -> None:
        """This user is neither wanted nor there any more."""
        before = self._users.pop(user_id, None)
        self._awaited.pop(user_id, None)
        self._changed(user_id, before, None)

    def lost(self, error: EngineUnavailable) -> None:
        """The engine did not answer somebody."""
        if self._view.reachable or self._view.error != str(error):
            log.warning("engine lost", extra={"pairs": {"reason": str(error)}})
            self._record(Event(EventKind.ENGINE, EventReason.LOST, str(error)))
            self._set_engine(replace(self._view, reachable=False, error=str(error)))

    # ------------------------------------------------------------ the link to the engine, probes, measurements

    async def run(self, resync: Callable[[], Awaitable[None]]) -> None:
        """Keep the link, ask the services, measure; until cancelled. `resync` is called after each (re)connection."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_contact(), name="contact")
            tasks.create_task(self._keep_listening(resync), name="events")
            tasks.create_task(self._keep_measuring(), name="measuring")
            for n in range(PROBES_AT_ONCE):
                tasks.create_task(self._keep_probing(), name=f"prober {n}")

    async def sync_clock(self) -> None:
        """Ask the engine who it is and what time it has, and see that the sessions' network is there and closed.

        Raises:
            EngineUnavailable: it does not answer.
        """
        info = await self._engine.info()
        self._engine_clock = info.now, time.monotonic()
        self._enclosed(await self._enclose())
        self._reached(info.version)

    async def _keep_contact(self) -> None:
        """While the engine is away, knock."""
        wait = 0.0
        while True:
            await self._away.wait()
            await asyncio.sleep(wait)
            try:
                await self.sync_clock()
                wait = KNOCK_FIRST
            except EngineUnavailable as error:
                self.lost(error)
                wait = _longer(wait)
            except Exception:
                log.exception("knocking at the engine failed")
                wait = KNOCK_LAST

    async def _keep_listening(self, resync: Callable[[], Awaitable[None]]) -> None:
        """While the engine is there, turn its events into users to look at.

        A session that ends is asked at once, as well: the engine answers a look at its container only when it has put
        everything away, some tenths of a second later.
        """
        wait = 0.0
        while True:
            await self._there.wait()
            await asyncio.sleep(wait)
            try:
                async with self._engine.events() as events:
                    await resync()  # with the stream open: nothing falls between the two
                    async for event in events:
                        wait = 0.0
                        self._queue.add(event.user_id)
                        if event.action == "die":
                            self._ending.add(event.user_id)
                            self._due.add(event.user_id)
                        pairs = {"user": event.user_id, "container": event.container_id[:12], "action": event.action}
                        log.debug("engine event", extra={"pairs": pairs})
            except EngineUnavailable as error:
                self.lost(error)
                wait = _longer(wait)
            except Exception:
                log.exception("listening to the engine failed")
                wait = KNOCK_LAST

    async def _keep_probing(self) -> None:
        while True:
            user_id = await self._due.get()
            patient = self.view(user_id).ready_since and user_id not in self._ending
            self._ending.discard(user_id)
            try:
                await self._probe(user_id, PATIENCE if patient else 0.0)
            except Exception:
                log.exception("probe failed", extra={"pairs": {"user": user_id}})
                self._due.add_after(user_id, self._times.once_ready)
            finally:
                self._due.done(user_id)

    async def _keep_measuring(self) -> None:
        while True:
            try:
                await self._measure_all()
            except Exception:
                log.exception("measuring failed")
            await asyncio.sleep(USAGE_EVERY)

    async def _measure_all(self) -> None:
        running = [v.container for v in self._users.values() if v.container and v.container.phase is Phase.RUNNING]
        found = await self._measure(running)
        if found is not None:
            usage = {c.user_id: found[c.id] for c in running if c.user_id is not None and c.id in found}
            for watcher in self._watchers:
                watcher.measured(datetime.now(UTC), usage)

    async def _probe(self, user_id: int, patience: float = 0.0) -> None:
        asked = self.view(user_id).container
        if asked is None or asked.phase is not Phase.RUNNING:
            return
        began = time.monotonic()
        ports, address = self._ports, asked.node.address if asked.node else ""
        probe = await self._prober.probe(ports.http_base + user_id, ports.ws_base + user_id, patience, address)
        took = time.monotonic() - began
        view = self.view(user_id)
        if not _same_run(asked, view.container):
            return
        self._tell_first_answers(user_id, asked, probe)
        since = (view.ready_since or probe.checked_at) if probe.ready else None
        probe = probe.after(view.probe)
        self._put(replace(view, probe=probe, ready_since=since))
        ended_by_us = not probe.ready and view.progress.doing  # nobody need be alarmed
        if (since is None) != (view.ready_since is None) and not ended_by_us:
            pairs = {"user": user_id, "container": asked.id[:12], "reason": probe.detail or "both services answer"}
            log.info("session ready" if probe.ready else "session not ready", extra={"pairs": pairs})
            self._record(
                Event(
                    EventKind.SESSION,
                    EventReason.READY if probe.ready else EventReason.NOT_READY,
                    str(pairs["reason"]),
                    user_id,
                    container=asked.id[:12],
                )
            )
            self._queue.add(user_id)
        self._due.add_after(
            user_id, self._until_next_round() if probe.ready else self._until_next_try(asked, probe, took)
        )

    def _tell_first_answers(self, user_id: int, run: Container, probe: Probe) -> None:
        awaited = self._awaited.get(user_id, set())
        for stage, answers in (("web", probe.web), ("session", probe.session_up)):
            if answers and stage in awaited and run.started_at is not None:
                awaited.remove(stage)
                self.took(stage, (self.now() - run.started_at).total_seconds())

    def _until_next_round(self) -> float:
        """Seconds. Ready sessions are asked together: a hundred wake-ups one by one cost three times the CPU."""
        return self._times.once_ready - asyncio.get_running_loop().time() % self._times.once_ready

    def _until_first_try(self, container: Container) -> float:
        """Seconds. No session is up in less than the shortest time; those that start at once share the processors, and
        asking any of them early takes time from all."""
        begun = self.now() - STARTING
        starting = sum(
            v.ready_since is None and v.container is not None and _runs_since(v.container, begun)
            for v in self._users.values()
        )
        in_turn = self._times.until_ready * starting / (2 * container.host_cpus)
        return min(max(self._times.until_ready, in_turn), self._times.once_ready)

    def _until_next_try(self, container: Container, probe: Probe, took: float) -> float:
        """Seconds. Sessions that let us wait for their answer must not take all probers from the others."""
        first = self._until_first_try(container)
        return min(max(first, 4 * took, probe.unchanged_seconds / 2), self._times.once_ready)

    async def _measure(self, containers: Sequence[Container]) -> Mapping[str, Usage] | None:
        """By container; `None`: nobody knows."""
        try:
            found = await self._engine.usage(containers)
        except EngineUnavailable as error:
            self.lost(error)
            return None
        for container in containers:
            view = self.view(container.user_id or 0)
            if container.id in found and _same_run(container, view.container):
                self._put(replace(view, usage=found[container.id]))
        return found

    # ------------------------------------------------------------ keeping and telling

    async def _enclose(self) -> str:
        try:
            return await self._engine.enclose()
        except EngineUnavailable:
            raise
        except EngineError as error:  # each create will say so, too
            return f"The network of the sessions cannot be made: {error}"

    def _enclosed(self, why_not: str) -> None:
        if why_not == self._view.open:
            return
        if why_not:
            log.warning("the sessions' network is open", extra={"pairs": {"reason": why_not}})
        reason = EventReason.OPEN if why_not else EventReason.ENCLOSED
        self._record(Event(EventKind.ENGINE, reason, why_not or "the sessions' network is closed"))
        self._set_engine(replace(self._view, open=why_not))

    def _reached(self, version: str | None = None) -> None:
        self._view = replace(self._view, last_seen=datetime.now(UTC))
        version = self._view.version if version is None else version
        if not self._view.reachable or version != self._view.version:
            log.info("engine reached", extra={"pairs": {"version": version}})
            told = f"the engine answers, version {version or 'not told yet'}"
            self._record(Event(EventKind.ENGINE, EventReason.REACHED, told))
            self._set_engine(replace(self._view, reachable=True, version=version, error=""))

    def _set_engine(self, view: EngineView) -> None:
        self._view = view
        if view.reachable:
            self._there.set()
            self._away.clear()
        else:
            self._there.clear()
            self._away.set()
        for user in tuple(self._users.values()):
            self._put(replace(user, engine=view))

    def _put(self, view: UserView) -> None:
        before = self._users.get(view.user_id)
        self._users[view.user_id] = view
        self._changed(view.user_id, before, view)

    def _changed(self, user_id: int, before: UserView | None, after: UserView | None) -> None:
        self._listed = None
        for waiter in self._waiters.get(user_id, ()):
            waiter.set()
        for watcher in self._watchers:
            watcher.saw(user_id, before, after)


def _younger(moment: datetime | None, seconds: float) -> bool:
    """What lies in the future has no age: the clock was set back since."""
    return moment is not None and timedelta(0) <= datetime.now(UTC) - moment <= timedelta(seconds=seconds)


def _runs_since(container: Container, moment: datetime) -> bool:
    return container.phase is Phase.RUNNING and container.started_at is not None and container.started_at > moment


def _longer(wait: float) -> float:
    return min(max(2 * wait, KNOCK_FIRST), KNOCK_LAST)


def _same_run(one: Container | None, other: Container | None) -> bool:
    """Both are the same run of the same container: what was known of its services still holds."""
    if one is None or other is None:
        return one is other
    nodes = (one.node and one.node.address) == (other.node and other.node.address)
    return nodes and (one.id, one.started_at, one.phase) == (other.id, other.started_at, other.phase)
