"""What it costs as the number of users grows, on an engine in memory: all of the time is ours.

resync       compare everybody with what there is, at rest                goal 100 ms of CPU at 1,000 users
list         an answer of `GET /list`
memory       for each user more, all that is known of them
events       hints of the engine until each was looked at and all is quiet again
merge        an edit's text is read, and meets changes of half of the users since

A desired state's text has 999 users at most, for there the two port ranges touch. The loop, the observed cache and the
list's words know no such limit: 10,000 users are a fleet of these, with no API and no text in front of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from bench.figure import Figure, Tell
from controller import merge, spec
from controller.api import _Rows
from controller.informer import Informer, Ports, ProbeTimes
from controller.model import Container, DesiredState, Phase, Probe, SessionSpec, Wish
from controller.probes import Prober
from controller.reconciler import Pace, Reconciler
from controller.target import Profile, Site, resolve
from controller.workqueue import WorkQueue
from tests.fake_engine import FakeEngine
from tests.fake_store import FakeStore
from tests.support import eventually

SIZES = (10, 100, 1_000, 10_000)
TEXTS = (10, 100, 300, 999)
"""Users in a text."""
TIMES = 5
LINEAR = 1.1
"""The most that a cost's exponent may be: ten times the users, at most 12.6 times the cost."""
RESYNC_GOAL = 100.0
"""Milliseconds of CPU, for a thousand users."""


@dataclass(frozen=True)
class Curve:
    """What something costs by the number of users; the least of several, for others only ever make it longer."""

    name: str
    unit: str
    sizes: Sequence[int]
    costs: Sequence[float]

    @property
    def exponent(self) -> float:
        """Of the power that it grows by, as its last hundredfold shows it: before, what is always there weighs much."""
        points = [(n, cost) for n, cost in zip(self.sizes, self.costs, strict=True) if n >= self.sizes[-1] / 100]
        (few, least), (many, most) = points[0], points[-1]
        return math.log(most / least) / math.log(many / few)


class _AtRest(FakeEngine):
    """The tests' engine, which finds a user's container at once: theirs looks through all."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[int, tuple[Container, ...]] = {}

    async def survey(self) -> dict[int, tuple[Container, ...]]:
        return dict(self.of)

    async def find(self, user_id: int) -> tuple[Container, ...]:
        return self.of.get(user_id, ())

    def tell_of_all(self) -> None:
        for containers in self.of.values():
            self._tell("die", self._boxes[containers[0].id])


class _Answers(Prober):
    async def probe(self, http_port: int, ws_port: int, patience: float = 0.0, address: str = "") -> Probe:
        return Probe(True, True, datetime.now(UTC), "")


@dataclass
class _Fleet:
    engine: _AtRest
    store: FakeStore
    informer: Informer
    loop: Reconciler
    site: Site


def measure(sizes: Sequence[int], tell: Tell) -> list[Curve]:
    level = logging.getLogger("controller").level
    logging.getLogger("controller").setLevel(logging.ERROR)
    try:
        rows = [asyncio.run(_of(size)) for size in sizes]
    finally:
        logging.getLogger("controller").setLevel(level)
    units = {"resync at rest": "ms", "list": "ms", "memory": "KB", "events of all": "ms"}
    curves = [Curve(name, unit, sizes, [row[name] for row in rows]) for name, unit in units.items()]
    curves.append(Curve("merge", "ms", TEXTS, [min(_merge(size) for _ in range(TIMES)) for size in TEXTS]))
    for curve in curves:
        tell(Figure(f"{curve.name}, exponent of its growth", "", [curve.exponent], most=LINEAR))
    at_a_thousand = [row["resync at rest"] for size, row in zip(sizes, rows, strict=True) if size == 1_000]
    if at_a_thousand:
        tell(Figure("resync at rest, 1,000 users, our CPU", "ms", at_a_thousand, most=RESYNC_GOAL))
    rates = [1000 * size / row["events of all"] for size, row in zip(sizes, rows, strict=True)]
    tell(Figure("events looked at", "a second", rates))
    return curves


async def _of(size: int) -> dict[str, float]:
    memory = await _memory(size)
    async with _fleet(size) as fleet:
        await eventually(lambda: all(view.probe for view in fleet.informer.views()), 120, every=0.05)
        gc.collect()
        gc.freeze()  # what there is already is not gone through again for each that is measured
        found = {
            "resync at rest": await _least(fleet.loop.resync),
            "list": await _least(lambda: _listed(fleet)),
            "memory": memory / 1e3,
            "events of all": await _least(lambda: _heard(fleet)),
        }
        gc.unfreeze()
        return found


@contextlib.asynccontextmanager
async def _fleet(size: int) -> AsyncIterator[_Fleet]:
    """Everybody runs, is ready, and nothing is to do."""
    with tempfile.TemporaryDirectory(prefix="mcm-growth-") as folder:
        site = _site(folder)
        engine = _AtRest()
        state = DesiredState(1, None, MappingProxyType({n: Wish() for n in range(1, size + 1)}))
        for user_id, wish in state.users.items():
            engine.of[user_id] = (_running(engine, resolve(wish, user_id, 1, None, site).spec),)
        store, queue = FakeStore(state), WorkQueue()
        times = ProbeTimes(0.02, 3600)
        informer = Informer(engine, queue, _Answers("127.0.0.1"), Ports(30000, 31000), times, store.record)
        loop = Reconciler(engine, store, informer, queue, site, Pace(10, 3600))
        async with asyncio.TaskGroup() as tasks:
            parts = [tasks.create_task(loop.run()), tasks.create_task(informer.run(loop.resync))]
            await eventually(lambda: len(informer.views()) == size, 60)
            yield _Fleet(engine, store, informer, loop, site)
            for part in parts:
                part.cancel()


def _running(engine: _AtRest, wanted: SessionSpec) -> Container:
    container_id = engine._add(wanted.name, wanted.user_id, wanted, image=wanted.image)
    box = engine._boxes[container_id]
    box.seen = replace(box.seen, phase=Phase.RUNNING, started_at=datetime.now(UTC), pid=1)
    return box.seen


async def _least(deed: Callable[[], object]) -> float:
    """Milliseconds of CPU, this process's alone."""
    took = []
    for _ in range(TIMES):
        began = time.process_time()
        doing = deed()
        if asyncio.iscoroutine(doing):
            await doing
        took.append(1000 * (time.process_time() - began))
    return min(took)


async def _heard(fleet: _Fleet) -> None:
    """Everybody's event, until nobody is left to look at."""
    fleet.engine.tell_of_all()
    await asyncio.sleep(0)
    await eventually(lambda: _quiet(fleet.loop), 120, every=0.002)


def _quiet(loop: Reconciler) -> bool:
    activity = loop.activity()
    return activity.queued + activity.working == 0


def _listed(fleet: _Fleet) -> bytes:
    """The body of `GET /list`, of views that nobody has asked for before."""
    return _Rows(fleet.site).encoded(fleet.informer.views(), fleet.informer.engine)


async def _memory(size: int) -> float:
    """Bytes that a fleet takes, the fake engine's own left out."""
    tracemalloc.start()
    try:
        async with _fleet(size) as fleet:
            await eventually(lambda: all(view.probe for view in fleet.informer.views()), 240, every=0.05)
            gc.collect()
            taken = tracemalloc.take_snapshot().filter_traces((tracemalloc.Filter(False, "*fake_engine*"),))
            ours = [each for each in taken.statistics("filename") if "controller" in each.traceback[0].filename]
            return float(sum(each.size for each in ours))
    finally:
        tracemalloc.stop()


def _merge(size: int) -> float:
    """Milliseconds."""
    text = "version: 1\ngeneration: 1\nusers:\n" + "".join(f"  {n}: {{}}\n" for n in range(1, size + 1)) + "...\n"
    base = spec.parse(text, max_users=size, profiles=None)
    since = {n: Wish(session_id=f"s{n}") for n in range(1, size // 2 + 1)}
    current = DesiredState(2, None, MappingProxyType({**base.users, **since}))
    edited = text.replace(f"  {size}: {{}}", f"  {size}: {{state: stopped}}")
    began = time.process_time()
    theirs = spec.parse(edited, max_users=size, profiles=None, end_mark=True)
    after, _ = merge.adopted(current, base, theirs)
    assert len(after.users) == size
    return 1000 * (time.process_time() - began)


def _site(folder: str) -> Site:
    profile = Profile("matlab-session:octave", 2, 4 * 2**30, 4 * 2**30, {}, None)
    profiles = {"standard": profile}
    return Site("test", "matlab-user-", folder, 30000, 31000, "127.0.0.1", "1000:1000", "standard", profiles)
