"""`GET /metrics`: what is measured, for Prometheus.

What can be read when it is asked for (how everybody stands, the queue, the engine, the desired state) is read then.
What has to be counted while it happens, each part counts by itself, in instruments that belong to no registry until
they are gathered here: two controllers in one process count apart.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from controller import picture
from controller.conditions import CONDITIONS, STATES, conditions, state_of
from controller.http import Handlers
from controller.model import Phase, Truth
from controller.store import Store


class Loop(picture.Loop, Protocol):
    """What is asked of the reconciler."""

    def stuck(self) -> str: ...


def handlers(
    store: Store, observer: picture.Observer, loop: Loop, build: Mapping[str, str], counted: Iterable[Collector]
) -> Handlers:
    """`build`: what this controller is, as labels; `counted`: what its parts count."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    for each in (_Standing(store, observer, loop, build), *counted):
        registry.register(each)

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    return {"metrics": metrics}


class _Standing(Collector):
    """All that is read at the moment of the question."""

    def __init__(self, store: Store, observer: picture.Observer, loop: Loop, build: Mapping[str, str]) -> None:
        self._store = store
        self._observer = observer
        self._loop = loop
        self._build = build

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("mcm_build", "What this controller is.", dict(self._build))
        yield from self._users()
        yield from self._loop_and_queue()
        yield from self._desired_state()
        yield from self._engine()

    def _users(self) -> Iterator[Metric]:
        state, now = self._store.current, datetime.now(UTC)
        views = {view.user_id: view for view in self._observer.views()}
        states = Counter(dict.fromkeys(((each,) for each in STATES), 0))
        held = Counter(dict.fromkeys(product(CONDITIONS, map(str, Truth)), 0))
        phases = Counter(dict.fromkeys(((each.value,) for each in Phase), 0))
        stalled, over = [], []
        for user_id in sorted(views.keys() | state.users.keys()):
            wish, view = state.users.get(user_id), views.get(user_id) or self._observer.view(user_id)
            found = {each.type: each for each in conditions(wish, view, now)}
            states[(state_of(wish, found),)] += 1
            held.update((name, each.status.value) for name, each in found.items())
            if found["Stalled"].status is Truth.TRUE:
                stalled.append(((str(user_id), found["Stalled"].reason), 1))
            if found["WithinQuota"].status is Truth.FALSE:
                over.append(((str(user_id),), 1))
            if view.container is not None:
                phases[(view.container.phase.value,)] += 1
        yield _gauge("mcm_users_declared", "Users in the desired state.", len(state.users))
        yield _gauge("mcm_users_paused", "Declared users who are left alone.", sum(map(state.pauses, state.users)))
        yield _gauges(
            "mcm_users", "Users who are declared or have a container, each in one state.", ("state",), states.items()
        )
        yield _gauges("mcm_users_condition", "Users by condition.", ("condition", "status"), held.items())
        yield _gauges("mcm_containers", "Containers of users, by the engine's word.", ("phase",), phases.items())
        yield _gauges("mcm_user_stalled", "1 while only a person can help this user.", ("user", "reason"), stalled)
        yield _gauges("mcm_user_over_quota", "1 while this user's folder is over its quota.", ("user",), over)

    def _loop_and_queue(self) -> Iterator[Metric]:
        activity = self._loop.activity()
        yield _gauge("mcm_queue_depth", "Users who wait to be looked at.", activity.queued)
        yield _gauge("mcm_users_worked_on", "Users who are worked on now.", activity.working)
        yield _gauge("mcm_start_slots_used", "Sessions that hold one of the start slots.", activity.starting)
        yield _gauge("mcm_users_backing_off", "Users who wait after failures.", activity.backing_off)
        yield CounterMetricFamily("mcm_resyncs", "Full comparisons of all that is.", activity.resyncs)
        took = activity.resync_ms / 1000
        yield _gauge("mcm_last_resync_duration_seconds", "Time that the last full comparison took.", took)
        stuck = bool(self._loop.stuck())
        yield _gauge("mcm_loop_stuck", "1 while the loop has to be taken for dead.", stuck)
        yield _gauge("mcm_tasks", "Tasks of the event loop, at work or waiting.", len(asyncio.all_tasks()))

    def _desired_state(self) -> Iterator[Metric]:
        state, sync = self._store.current, self._store.sync
        valid, pending = self._store.health.valid, self._store.pending is not None
        yield _gauge("mcm_desired_state_valid", "1 while the text as it stands is in force.", valid)
        yield _gauge("mcm_desired_state_generation", "Number of the state in force.", state.generation)
        yield _gauge("mcm_desired_state_pending", "1 while a change waits for approval.", pending)
        yield _gauge("mcm_desired_state_paused", "1 while nothing is done to any container.", state.paused)
        failing = [] if sync is None else [((), bool(sync.error))]
        words = "1 while the branch that the state follows cannot be fetched; absent where it follows none."
        yield _gauges("mcm_desired_state_fetch_failing", words, (), failing)

    def _engine(self) -> Iterator[Metric]:
        engine = self._observer.engine
        yield _gauge("mcm_engine_reachable", "1 while the engine answers.", engine.reachable)
        seen = [] if engine.last_seen is None else [((), engine.last_seen.timestamp())]
        words = "When the engine last answered; absent until it does."
        yield _gauges("mcm_engine_last_seen_timestamp_seconds", words, (), seen)
        yield _gauge("mcm_network_enclosed", "1 while the sessions' network is known to be closed.", not engine.open)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value)


def _gauges(name: str, words: str, labels: Sequence[str], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    """A value for each combination of what the labels may be; none, where there is nothing to tell."""
    family = GaugeMetricFamily(name, words, labels=labels)
    for each, value in values:
        family.add_metric(each, value)
    return family
