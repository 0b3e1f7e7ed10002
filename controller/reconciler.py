"""The loop: for one user at a time, look, plan, act, and look again until there is nothing left to do.

Whatever happens anywhere only puts a user id on the queue; there is no other way in, so what works after a crash is
what works every day. This module keeps each user's record of failures and reports how far it has come. It decides
nothing about containers (`planner.py`) and touches none (`executor.py`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import Counter, Histogram

from controller.engine import Engine
from controller.errors import (
    CrashLoop,
    DataFolderUnusable,
    EngineError,
    EngineRefused,
    EngineUnavailable,
    MatlabManagerError,
    NameConflict,
    NoRoom,
    NoSuchContainer,
    NotPersisted,
    WishInvalid,
)
from controller.events import Event, EventKind, EventReason
from controller.executor import Executor
from controller.informer import Informer
from controller.model import (
    Action,
    Activity,
    Container,
    Create,
    DesiredState,
    Machine,
    Move,
    Phase,
    Plan,
    Restart,
    Retry,
    RunState,
    Start,
    Target,
    UserView,
    Wish,
)
from controller.moves import Moves
from controller.outlook import Step, outlook
from controller.planner import after_crash, after_failure, plan, without_a_look
from controller.store import Store
from controller.target import Site, resolve
from controller.workqueue import WorkQueue

log = logging.getLogger(__name__)

STEPS = 10
"""Actions in one pass; the longest honest way (unpause, stop, remove, create, start) is shorter."""
UNKNOWN_WAIT = 1.0
"""Seconds between two passes while the engine is away, or was never seen; they cost no call."""
LONGEST_RESYNC = 300.0
"""Seconds: with an engine that answers at the last moment each time it takes less."""
TURN = timedelta(seconds=30)
"""When to look again at a session that waits to be moved: it is woken when its turn comes."""
ARRIVAL = 1.0
"""Seconds between two looks at one that was moved and cannot be used yet."""
HEALTHY_AFTER = timedelta(seconds=10)
"""A session that answered for so long has recovered: its failures are forgotten."""


@dataclass(frozen=True, slots=True)
class Pace:
    starts_at_once: int
    resync_seconds: float
    moves_at_once: int = 2


@dataclass(frozen=True, slots=True)
class _Record:
    """What went wrong with one user since the session last was well."""

    retry: Retry
    error: MatlabManagerError | None = None
    """Of the last failure; `None` after the start of a session that had died."""


_CLEAN = _Record(Retry())


class Reconciler:
    def __init__(
        self, engine: Engine, store: Store, informer: Informer, queue: WorkQueue, site: Site, pace: Pace
    ) -> None:
        self._engine = engine
        self._executor = Executor(engine, site.access, site.data_elsewhere)
        self._store = store
        self._informer = informer
        self._queue = queue
        self._site = site
        self._pace = pace
        self._records: dict[int, _Record] = {}
        self._asked: set[int] = set()
        """Users that somebody asked for since their pass began."""
        self._targets_of: DesiredState | None = None
        self._targets: dict[int, Target] = {}
        self._planned: dict[int, int] = {}
        """Generation of the wish that a user's last plan was made from."""
        self._carried_out: dict[int, int] = {}
        """Generation up to which all that was asked for of a user has come about."""
        self._inherited = store.current.generation
        """The generation in force at the start: what is still to be done for it is told as done for no call."""
        self._heard_of = store.current
        """The state before the last change."""
        self._restart_of: dict[int, tuple[str, datetime | None]] = {}
        """As `Target` has it."""
        self._rested: set[int] = set()
        """As `Target` has it: users who are to run since, and were not seen to."""
        self._resyncs = self._resync_ms = 0
        self._came_round = time.monotonic()
        self._moves = Moves(pace.moves_at_once)
        self._starting = 0
        self._starts = asyncio.Semaphore(pace.starts_at_once)
        self.passes = Histogram(
            "mcm_reconcile_duration_seconds",
            "Time that one pass over one user took, the wait for a start slot included.",
            ("outcome",),
            registry=None,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
        )
        self.failures = Counter(
            "mcm_reconcile_failures", "Passes that ended with an error, by its code.", ("code",), registry=None
        )

    async def run(self) -> None:
        """Work until cancelled."""
        self._heard_of = self._store.current
        self._store.subscribe(self._wish_changed)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_resyncing(), name="resync")
            while True:  # side by side, so that those who wait for a start hold nobody else up
                user_id = await self._queue.get()
                tasks.create_task(self._work(user_id), name=f"user {user_id}")

    async def resync(self) -> None:
        """Compare every wish with every container, and look closer wherever they differ.

        Raises:
            EngineUnavailable: nothing can be compared.
        """
        asked_at, generation = time.monotonic(), self._store.current.generation
        have = await self._engine.survey()
        now = self._informer.now()
        known = sorted(have.keys() | self._store.current.users.keys() | self._informer.known())
        for user_id in known:
            self._informer.saw(user_id, have.get(user_id, ()), asked_at)
        try:  # before anybody is looked at: who is not wanted may be there for a reason that nobody remembers
            await self._store.surveyed(_running(have))
        except NotPersisted as error:
            log.warning("what runs could not be recorded", extra={"pairs": {"why": str(error)}})
        for user_id in known:
            containers = have.get(user_id, ())
            if not containers or self._differs(user_id, containers, now):
                self._queue.add(user_id)
            else:
                self._carried_out[user_id] = max(generation, self._carried_out.get(user_id, 0))
        self._resyncs += 1
        self._resync_ms = round(1000 * (time.monotonic() - asked_at))

    async def preview(self, state: DesiredState) -> tuple[Step, ...]:
        """What would be done now if `state` were in force.

        Raises:
            EngineUnavailable: nobody knows.
        """
        rest = {user_id for user_id, wish in self._store.current.users.items() if wish.state is RunState.STOPPED}
        return outlook(state, await self._engine.survey(), self._site, self._informer.now(), rest | self._rested)

    def retry_now(self, user_id: int) -> None:
        """Somebody asked: forget the waiting, and look at this user next."""
        self._records.pop(user_id, None)
        self._asked.add(user_id)
        self._queue.add(user_id)

    async def machines(self) -> tuple[Machine, ...]:
        """A swarm's nodes; none where there is one host only. Raises EngineUnavailable."""
        return await self._engine.machines()

    async def drain(self, node_id: str) -> None:
        """Have a node's sessions move to others, as many at a time as may. Raises NoSuchNode, EngineError."""
        await self._engine.drain(node_id)

    async def activate(self, node_id: str) -> None:
        """Take a node back. Raises NoSuchNode, EngineError."""
        await self._engine.activate(node_id)

    @property
    def moves(self) -> Moves:
        """Who is on the way, and who waits to be; to be read only."""
        return self._moves

    def activity(self) -> Activity:
        now = self._informer.now()
        waiting = [r.retry.not_before for r in self._records.values() if r.retry.not_before is not None]
        return Activity(
            queued=self._queue.queued,
            working=self._queue.working,
            starting=self._starting,
            backing_off=sum(not_before > now for not_before in waiting),
            resyncs=self._resyncs,
            resync_ms=self._resync_ms,
        )

    def stuck(self) -> str:
        """Why the loop must be taken for dead, in a sentence; empty while it turns, if only to find the engine away."""
        silent = time.monotonic() - self._came_round
        if silent < self._pace.resync_seconds + LONGEST_RESYNC:
            return ""
        return f"The last resync came to its end {silent:.0f} s ago."

    # ------------------------------------------------------------ what brings users here

    def _wish_changed(self, user_ids: frozenset[int]) -> None:
        before, self._heard_of = self._heard_of, self._store.current
        if before.paused and not self._heard_of.paused:  # those who are not wanted were left alone, too
            user_ids |= self._informer.known()
        for user_id in sorted(user_ids):
            was, wish = before.users.get(user_id), self._heard_of.users.get(user_id)
            self._note_restart(user_id, was, wish)
            self._note_rest(user_id, was, wish)
            self.retry_now(user_id)

    def _note_restart(self, user_id: int, was: Wish | None, wish: Wish | None) -> None:
        """Whose run seems to begin later than now was asked to restart since, whatever the two moments say."""
        run = self._informer.view(user_id).container
        asked = wish is not None and wish.restart_at is not None and (was is None or was.restart_at != wish.restart_at)
        if asked and run is not None and run.started_at is not None and run.started_at > self._informer.now():
            self._restart_of[user_id] = run.id, run.started_at

    def _note_rest(self, user_id: int, was: Wish | None, wish: Wish | None) -> None:
        if wish is None or wish.state is RunState.STOPPED:
            self._rested.discard(user_id)
        elif was is not None and was.state is RunState.STOPPED:
            self._rested.add(user_id)

    async def _keep_resyncing(self) -> None:
        while True:
            await asyncio.sleep(self._pace.resync_seconds)
            try:
                await self._informer.sync_clock()
                await self.resync()
            except EngineUnavailable as error:
                self._informer.lost(error)
            except Exception:
                log.exception("resync failed")
            self._came_round = time.monotonic()

    async def _work(self, user_id: int) -> None:
        began, outcome = time.monotonic(), "broken"
        try:
            outcome = await self._pass(user_id)
        except Exception:
            log.exception("pass failed", extra={"pairs": {"user": user_id}})
            self._queue.add_after(user_id, self._pace.resync_seconds)
        finally:
            self._queue.done(user_id)
        self.passes.labels(outcome).observe(time.monotonic() - began)

    # ------------------------------------------------------------ one user

    async def _pass(self, user_id: int) -> str:
        """One user, from the first look to an empty plan or an error; then say how it stands. Returns how it ended."""
        self._asked.discard(user_id)
        if not self._informer.engine.reachable:  # whoever knocks at the engine's door, it need not be a hundred users
            self._unknown(user_id, EngineUnavailable(self._informer.engine.error))
            return "unknown"
        if not self._store.founded and self._store.current.generation > 0:
            self._queue.add_after(user_id, UNKNOWN_WAIT)
            return "unknown"
        try:
            todo = await self._converge(user_id)
        except EngineUnavailable as error:
            self._informer.lost(error)
            self._unknown(user_id, error)
            return "unknown"
        except (EngineError, WishInvalid) as error:
            self._failed(user_id, error)
            return "failed"
        self._rest(user_id, todo)
        return "waiting" if todo.waiting_for else "settled"

    async def _converge(self, user_id: int) -> Plan:
        """Act until the plan asks for nothing more at this time, and return that plan."""
        async with AsyncExitStack() as held:
            may_start = False
            for _ in range(STEPS):
                asked_at = time.monotonic()
                have = await self._engine.find(user_id)
                self._informer.saw(user_id, have, asked_at)
                self._planned[user_id] = self._store.current.generation
                want = self._target(user_id)
                todo = self._plan(user_id, want, have, self._informer.now())
                if todo.in_the_way is not None:
                    raise NameConflict(
                        f"A container named {todo.in_the_way.name} exists that was not made for this user."
                    )
                if not todo.actions:
                    return todo
                action = todo.actions[0]
                if isinstance(action, Move) and not self._moves.take(user_id, time.monotonic()):
                    turn = f"its turn to be moved, {self._moves.at_once} at a time: {action.reason}"
                    return Plan(look_again_at=self._informer.now() + TURN, waiting_for=turn)
                starts = isinstance(action, Create | Start | Restart | Move)
                if may_start and not starts:  # it is not wanted any more, and may take its time to end
                    await held.aclose()
                    may_start = False
                if starts and not may_start:
                    all_taken = self._starts.locked()
                    await held.enter_async_context(self._start_slot())
                    may_start = True
                    if all_taken:  # the world went on while we waited
                        continue
                if want is not None and _made_anew(want, have, todo):  # what it had is not to be an empty one then
                    await self._executor.require_folder(want)
                made = await self._act(user_id, want, action)
                then = without_a_look(todo.actions, made)
                if then is not None and self._planned[user_id] == self._store.current.generation:  # as it was wanted
                    await self._act(user_id, want, then)
                if starts:  # what is left is to look, and others may start meanwhile
                    await held.aclose()
                    may_start = False
        raise EngineRefused(f"The container still differs from what is wanted after {STEPS} actions.")

    @asynccontextmanager
    async def _start_slot(self) -> AsyncIterator[None]:
        async with self._starts:
            self._starting += 1
            try:
                yield
            finally:
                self._starting -= 1

    async def _act(self, user_id: int, want: Target | None, action: Action) -> str:
        """Returns the id of what was made; empty where nothing was."""
        done = self._event(user_id, want, action)
        what = done.message
        self._tell(user_id, doing=what)
        pairs = {"user": user_id, **_facts(action, want), "request_id": done.request_id}
        started = time.monotonic()
        try:
            made = await self._executor.execute(action, want)
        except NoSuchContainer:
            return ""  # gone between the look and the act: look again
        except EngineError as error:
            log.warning("action failed", extra={"pairs": {**pairs, "code": error.code, "error": str(error)}})
            self._store.record(replace(done, reason=EventReason.ACTION_FAILED, message=f"{what}: {error}"))
            raise
        took = time.monotonic() - started
        log.info("action done", extra={"pairs": {**pairs, "ms": round(1000 * took)}})
        if isinstance(action, Start):
            self._rested.discard(user_id)
        if isinstance(action, Create | Start):
            self._informer.took(type(action).__name__.lower(), took)
        self._store.record(done)
        self._tell(user_id, doing="", last=what)
        if isinstance(action, Start) and action.after_crash:
            retry = after_crash(self._retry(user_id), self._informer.now(), random.random())  # noqa: S311
            self._records[user_id] = _Record(retry)
        return made

    def _event(self, user_id: int, want: Target | None, action: Action) -> Event:
        """As it will be told if all goes well."""
        return Event(
            EventKind.ACTION,
            EventReason.ACTION_DONE,
            f"{type(action).__name__.lower()}: {action.reason}",
            user_id,
            self._planned[user_id] if want is None else want.generation,
            action.spec.name if isinstance(action, Create) else action.container_id[:12],
            request_id=self._call_behind(user_id),
        )

    def _call_behind(self, user_id: int) -> str | None:
        """The id of the API call that asked for what is wanted of this user now, if it was a call that did.

        None once that had come about: what is done later, after a death or for new settings, nobody called for.
        """
        done = max(self._inherited, self._carried_out.get(user_id, 0))
        asked = [each for each in (self._store.asked(user_id), self._store.asked(0)) if each is not None]
        last = max(asked, key=lambda each: each.generation, default=None)
        return last.request_id if last is not None and last.generation > done else None

    # ------------------------------------------------------------ how a pass ends

    def _rest(self, user_id: int, todo: Plan) -> None:
        """Nothing is left to do now."""
        self._see_arrived(user_id, todo)
        if not todo.waiting_for and todo.look_again_at is None and user_id not in self._asked:
            self._carried_out[user_id] = self._planned[user_id]
        if _runs(self._informer.view(user_id)):
            self._rested.discard(user_id)
        if self._informer.ready_for(user_id) >= HEALTHY_AFTER and not todo.waiting_for:  # nothing is tried again
            self._records.pop(user_id, None)
        if self._store.current.users.get(user_id) is None and self._informer.view(user_id).container is None:
            self._records.pop(user_id, None)
            self._restart_of.pop(user_id, None)
            self._informer.forget(user_id)
            return
        record = self._records.get(user_id, _CLEAN)
        if todo.look_again_at is not None:
            self._queue.add_after(user_id, (todo.look_again_at - self._informer.now()).total_seconds())
        elif record.retry.failures:
            self._queue.add_after(user_id, HEALTHY_AFTER.total_seconds())
        backing_off = todo.waiting_for and todo.look_again_at == record.retry.not_before
        error = record.error or CrashLoop(f"The session keeps ending: {todo.waiting_for}.") if backing_off else None
        waiting = "" if error else todo.waiting_for
        self._tell_end(user_id, error, record.retry, todo.look_again_at, settled=not todo.waiting_for, waiting=waiting)

    def _see_arrived(self, user_id: int, todo: Plan) -> None:
        """Let the next one be moved, where this user was on the way to another node and has arrived or is not to go."""
        if not self._moves.holds(user_id, time.monotonic()):
            if not todo.waiting_for:  # it may have waited for its turn, and is not to be moved any more
                self._moves.over(user_id)
            return
        view = self._informer.view(user_id)
        if view.ready_since is not None or (todo == Plan() and not _runs(view)):
            self._moved(user_id)
        else:
            self._queue.add_after(user_id, ARRIVAL)

    def _moved(self, user_id: int) -> None:
        following = self._moves.over(user_id)
        if following is not None:
            self._queue.add(following)

    def _failed(self, user_id: int, error: MatlabManagerError) -> None:
        self.failures.labels(error.code).inc()
        if isinstance(error, NoRoom | DataFolderUnusable):  # it was left alone: somebody else may be moved
            self._moved(user_id)
        if user_id in self._asked:  # it may have been of a wish that is no more: the next pass begins afresh
            self._tell_end(user_id, error, _CLEAN.retry, None)
            return
        now = self._informer.now()
        chance = random.random()  # noqa: S311
        retry = after_failure(self._retry(user_id), now, chance, error.code, error.retry_ceiling)
        self._records[user_id] = _Record(retry, error)
        if retry.not_before is not None:
            self._queue.add_after(user_id, (retry.not_before - now).total_seconds())
        self._tell_end(user_id, error, retry, retry.not_before)

    def _unknown(self, user_id: int, error: EngineUnavailable) -> None:
        """Nothing is known, so nothing may be concluded, least of all that this user failed."""
        self._queue.add_after(user_id, UNKNOWN_WAIT)
        retry = self._retry(user_id)
        self._tell_end(user_id, error, retry, retry.not_before)

    def _tell_end(
        self,
        user_id: int,
        error: MatlabManagerError | None,
        retry: Retry,
        next_try: datetime | None,
        *,
        settled: bool = False,
        waiting: str = "",
    ) -> None:
        self._tell(
            user_id,
            passes=self._informer.view(user_id).progress.passes + 1,
            generation=self._planned.get(user_id, 0),
            settled=settled,
            doing="",
            error="" if error is None else str(error),
            code="" if error is None else error.code,
            hint="" if error is None else error.hint,
            permanent=error is not None and error.permanent,
            failures=retry.failures,
            failing_since=retry.since,
            next_try=next_try,
            waiting=waiting,
        )

    def _tell(self, user_id: int, **changes: Any) -> None:
        self._informer.report(user_id, replace(self._informer.view(user_id).progress, **changes))

    # ------------------------------------------------------------ helpers

    def _differs(self, user_id: int, containers: tuple[Container, ...], now: datetime) -> bool:
        try:
            return self._plan(user_id, self._target(user_id), containers, now) != Plan()
        except WishInvalid:  # its own pass will say so
            return True

    def _plan(self, user_id: int, want: Target | None, have: tuple[Container, ...], now: datetime) -> Plan:
        return plan(want, have, self._retry(user_id), now, paused=self._store.current.pauses(user_id))

    def _target(self, user_id: int) -> Target | None:
        """What this user's wish means, worked out once a generation.

        Raises:
            WishInvalid: its profile is no longer in the operator's settings, or no good state was ever known: then
                nobody is unwanted.
        """
        state = self._store.current
        if state.generation == 0:
            raise WishInvalid(self._store.health.problems)
        if state is not self._targets_of:
            self._targets_of, self._targets = state, {}
        wish = state.users.get(user_id)
        if wish is None:
            return None
        if user_id not in self._targets:
            target = resolve(wish, user_id, state.generation, state.default_profile, self._site)
            self._targets[user_id] = target
        rested = user_id in self._rested
        return replace(self._targets[user_id], restart_of=self._restart_of.get(user_id), rested=rested)

    def _retry(self, user_id: int) -> Retry:
        return self._records.get(user_id, _CLEAN).retry


def _runs(view: UserView) -> bool:
    return view.container is not None and view.container.phase is Phase.RUNNING


def _made_anew(want: Target, have: Sequence[Container], todo: Plan) -> bool:
    """Whether a container of this user's folder is to be taken away for another of the same folder."""
    its = any(each.ours and each.data_folder == want.spec.mounted for each in have)
    return its and any(isinstance(each, Create) for each in todo.actions[1:])


def _running(have: Mapping[int, tuple[Container, ...]]) -> dict[int, str | None]:
    """Users with a session in memory, and whose it was."""
    alive = (Phase.RUNNING, Phase.PAUSED, Phase.RESTARTING)
    return {user_id: c.session_id for user_id, containers in have.items() for c in containers if c.phase in alive}


def _facts(action: Action, want: Target | None) -> dict[str, object]:
    """What a log line tells about an action."""
    facts: dict[str, object] = {"action": type(action).__name__.lower(), "reason": action.reason}
    if isinstance(action, Create):
        facts["container"] = action.spec.name
    else:
        facts["container"] = action.container_id[:12]
    if want is not None:
        facts["generation"] = want.generation
        if want.spec.session_id is not None:
            facts["session_id"] = want.spec.session_id
    return facts
