"""The loop on the fake engine: every kind of difference is found and mended, and at rest nothing is touched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest

from controller import informer, planner
from controller.errors import EngineRefused
from controller.events import EventReason
from controller.informer import Informer, Ports, ProbeTimes
from controller.model import Container, Limits, Phase, Probe, RunState, Wish
from controller.probes import Prober
from controller.reconciler import Pace, Reconciler
from controller.target import Profile, Site
from controller.workqueue import WorkQueue
from tests.fake_engine import FakeEngine
from tests.fake_store import FakeStore
from tests.support import eventually
from tests.worlds import GIB

REST = 0.15
"""Seconds in which a loop that has anything left to do would do it."""
UNTIL_READY, ONCE_READY = 0.05, 5.0
"""Seconds between probes."""


class AlwaysReady(Prober):
    async def probe(self, http_port: int, ws_port: int, patience: float = 0.0, address: str = "") -> Probe:
        return Probe(True, True, datetime.now(UTC), "")


@dataclass(frozen=True)
class NeverReady(Prober):
    asked: list[float] = field(default_factory=list)
    first_asked: dict[int, float] = field(default_factory=dict)
    """By port of the page."""

    async def probe(self, http_port: int, ws_port: int, patience: float = 0.0, address: str = "") -> Probe:
        self.asked.append(time.monotonic())
        self.first_asked.setdefault(http_port, self.asked[-1])
        return Probe(False, False, datetime.now(UTC), "nobody answers")


@dataclass(frozen=True)
class Honest(Prober):
    """Answers while the engine has the session run."""

    engine: FakeEngine = field(default_factory=FakeEngine)
    patience: list[float] = field(default_factory=list)

    async def probe(self, http_port: int, ws_port: int, patience: float = 0.0, address: str = "") -> Probe:
        self.patience.append(patience)
        box = self.engine.box(f"matlab-user-{http_port - 30000}")
        runs = box is not None and box.phase is Phase.RUNNING
        return Probe(runs, runs, datetime.now(UTC), "" if runs else "nobody answers")


class PutsAwaySlowly(FakeEngine):
    """Tells at once that a session ended; whoever looks at its container, or ended it, is answered a while later."""

    async def stop(self, container_id: str) -> None:
        await super().stop(container_id)
        await asyncio.sleep(REST)


class RefusesLimits(FakeEngine):
    async def update(self, container_id: str, limits: Limits) -> None:
        await self._answer("update", self._box(container_id).seen.name)
        raise EngineRefused("The kernel takes no other limits.")


@dataclass
class Plant:
    engine: FakeEngine
    store: FakeStore
    informer: Informer
    reconciler: Reconciler
    queue: WorkQueue

    def phase(self, user_id: int) -> Phase | None:
        box = self.engine.box(f"matlab-user-{user_id}")
        return box.phase if box else None

    async def runs(self, *user_ids: int, seconds: float = 20) -> None:
        await eventually(lambda: all(self.phase(n) is Phase.RUNNING for n in user_ids), seconds)

    def starts(self) -> list[str]:
        """What was told of them, with the reasons."""
        return [event.message for event in self.store.events if event.message.startswith("start: ")]

    async def rests(self) -> None:
        """Come to an end of all work, and stay there."""
        await eventually(lambda: self.reconciler.activity().queued + self.reconciler.activity().working == 0)
        calls = len(self.engine.calls)
        await asyncio.sleep(REST)
        assert self.engine.calls[calls:] == []


@asynccontextmanager
async def running(
    folder: Path,
    engine: FakeEngine,
    store: FakeStore,
    resync: float = 3600,
    starts: int = 10,
    prober: Prober = AlwaysReady("127.0.0.1"),  # noqa: B008 - it keeps nothing
    data_elsewhere: bool = False,
) -> AsyncIterator[Plant]:
    profiles = {
        "standard": Profile("matlab-session:octave", 2, 4 * GIB, 4 * GIB, {}, None),
        "large": Profile("matlab-session:octave", 4, 8 * GIB, 4 * GIB, {}, None),
        "other": Profile("no-such-image", 2, 4 * GIB, 4 * GIB, {}, None),
    }
    names = engine.instance, engine.prefix, str(folder)
    site = Site(*names, 30000, 31000, "127.0.0.1", "1000:1000", "standard", profiles, data_elsewhere=data_elsewhere)
    queue = WorkQueue()
    times = ProbeTimes(UNTIL_READY, ONCE_READY)
    knowledge = Informer(engine, queue, prober, Ports(30000, 31000), times, store.record)
    reconciler = Reconciler(engine, store, knowledge, queue, site, Pace(starts, resync))
    loop = asyncio.create_task(reconciler.run())
    link = asyncio.create_task(knowledge.run(reconciler.resync))
    try:
        await eventually(lambda: knowledge.engine.reachable or engine.away)
        yield Plant(engine, store, knowledge, reconciler, queue)
    finally:
        for task in (loop, link):
            task.cancel()
        await asyncio.gather(loop, link, return_exceptions=True)


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with running(tmp_path, FakeEngine(), FakeStore()) as plant:
        yield plant


async def test_a_wish_becomes_a_running_container_and_then_there_is_rest(plant: Plant) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    await plant.rests()
    assert plant.engine.calls == [("create", "matlab-user-7"), ("start", "matlab-user-7")]
    progress = plant.informer.view(7).progress
    assert progress.settled
    assert (progress.generation, progress.error) == (1, "")


@pytest.fixture
def done(plant: Plant, monkeypatch: Any) -> list[str]:
    """What the engine was asked and told so far, the looks at single users included."""
    calls: list[str] = []
    answer = plant.engine._answer

    async def noted(call: str, name: str = "") -> None:
        if call in ("find", "create", "start", "stop", "remove"):
            calls.append(call)
        await answer(call, name)

    monkeypatch.setattr(plant.engine, "_answer", noted)
    return calls


async def test_what_was_made_just_now_is_started_without_a_look_between(plant: Plant, done: list[str]) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    assert done[:3] == ["find", "create", "start"]
    await plant.rests()
    assert plant.informer.view(7).progress.settled


async def test_what_was_stopped_to_be_removed_is_removed_without_a_look_between(plant: Plant, done: list[str]) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    await plant.rests()
    done.clear()
    plant.store.want(u7=None)
    await plant.rests()
    assert plant.phase(7) is None
    assert done[:3] == ["find", "stop", "remove"]


async def test_what_is_wanted_again_while_it_is_stopped_is_not_removed(plant: Plant) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    await plant.rests()
    plant.engine.latency["stop"] = 0.2
    plant.store.want(u7=None)
    await eventually(lambda: "stop" in [call for call, _ in plant.engine.calls])
    plant.store.want(u7=Wish())
    await plant.rests()
    assert plant.phase(7) is Phase.RUNNING
    assert "remove" not in [call for call, _ in plant.engine.calls]


@pytest.mark.parametrize("since", [Wish(state=RunState.STOPPED), None])
async def test_what_is_not_wanted_any_more_once_it_is_made_is_not_started(plant: Plant, since: Wish | None) -> None:
    plant.engine.latency["create"] = 0.2
    plant.store.want(u7=Wish())
    await eventually(lambda: plant.engine.calls)
    plant.store.want(u7=since)
    await plant.rests()
    assert "start" not in [call for call, _ in plant.engine.calls]
    assert plant.phase(7) is (None if since is None else Phase.CREATED)


async def test_stopping_keeps_the_container_and_removal_does_not(plant: Plant) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    plant.store.want(u7=Wish(state=RunState.STOPPED))
    await eventually(lambda: plant.phase(7) is Phase.EXITED)
    plant.store.want(u7=Wish())
    await plant.runs(7)
    plant.store.want(u7=None)
    await eventually(lambda: plant.phase(7) is None)
    await plant.rests()
    assert plant.informer.known() == frozenset()


@pytest.mark.parametrize("deed", ["kill", "pause", "vanish"])
async def test_what_a_hand_breaks_is_healed(plant: Plant, deed: str) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    await plant.rests()
    getattr(plant.engine, deed)("matlab-user-7")
    assert plant.phase(7) is not Phase.RUNNING
    await plant.runs(7)
    await plant.rests()


async def test_a_start_after_a_stop_is_for_the_wish_and_no_death(plant: Plant) -> None:
    for wish in (Wish(), Wish(state=RunState.STOPPED)):
        plant.store.want(u7=wish)
        await plant.rests()
    plant.store.want(u7=Wish())
    await plant.runs(7)
    await plant.rests()
    assert plant.starts()[1:] == ["start: wanted running, and it was stopped"]
    assert plant.informer.view(7).progress.failures == 0
    plant.engine.kill("matlab-user-7")
    await plant.runs(7)
    await plant.rests()
    assert plant.starts()[2:] == ["start: exited with code 137"]
    assert plant.informer.view(7).progress.failures == 1


async def test_who_was_not_stopped_in_time_does_not_die_of_a_wish_later(plant: Plant) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    await plant.rests()
    plant.store.want(u7=Wish(state=RunState.STOPPED))
    plant.store.want(u7=Wish())
    await plant.rests()
    plant.engine.kill("matlab-user-7")
    await plant.runs(7)
    await plant.rests()
    assert plant.starts()[1:] == ["start: exited with code 137"]


async def test_a_session_whose_folder_is_gone_is_not_ended_and_begins_nowhere_else(
    plant: Plant, tmp_path: Path
) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    await plant.rests()
    (tmp_path / "user_7").rmdir()
    calls = len(plant.engine.calls)
    plant.store.want(u7=Wish(restart_at=plant.engine.moment + timedelta(seconds=1)))
    await eventually(lambda: plant.informer.view(7).progress.error)
    assert plant.phase(7) is Phase.RUNNING
    plant.engine.kill("matlab-user-7")
    await eventually(lambda: plant.informer.view(7).progress.failures > 1)
    progress = plant.informer.view(7).progress
    gone = f"The data folder {tmp_path}/user_7 is not there any more, so its user's session cannot be started."
    assert (progress.error, progress.code) == (gone, "data_folder_unusable")
    assert plant.engine.calls[calls:] == []
    assert not (tmp_path / "user_7").exists()
    (tmp_path / "user_7").mkdir()
    await plant.runs(7)


async def test_no_container_is_made_anew_for_a_folder_that_is_gone(plant: Plant, tmp_path: Path) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    await plant.rests()
    (tmp_path / "user_7").rmdir()
    calls = len(plant.engine.calls)
    plant.store.want(u7=Wish(profile="other"))  # of another image
    await eventually(lambda: plant.informer.view(7).progress.error)
    assert plant.informer.view(7).progress.code == "data_folder_unusable"
    assert (plant.phase(7), plant.engine.calls[calls:]) == (Phase.RUNNING, [])
    assert not (tmp_path / "user_7").exists()


async def test_where_folders_are_on_another_machine_none_is_missed_here(tmp_path: Path) -> None:
    async with running(tmp_path, FakeEngine(), FakeStore(), data_elsewhere=True) as plant:
        plant.store.want(u7=Wish())
        await plant.runs(7)
        await plant.rests()
        (tmp_path / "user_7").rmdir()
        plant.engine.kill("matlab-user-7")
        await plant.runs(7)
        assert plant.informer.view(7).progress.error == ""


async def test_a_session_that_ends_is_seen_to_be_silent_before_the_engine_has_put_it_away(tmp_path: Path) -> None:
    engine, store = FakeEngine(), FakeStore()
    prober = Honest("127.0.0.1", engine=engine)
    async with running(tmp_path, engine, store, prober=prober) as plant:
        store.want(u7=Wish())
        await eventually(lambda: plant.informer.view(7).ready_since)
        await plant.rests()
        engine.latency["find"] = 60
        engine.kill("matlab-user-7")
        await eventually(lambda: plant.informer.view(7).ready_since is None, ONCE_READY / 2)
        container = plant.informer.view(7).container
        assert container is not None
        assert container.phase is Phase.RUNNING, "the engine has not told yet"
        assert prober.patience[-1] == 0
        assert [event.reason for event in store.events][-1] == EventReason.NOT_READY


async def test_what_the_controller_ends_itself_alarms_nobody(tmp_path: Path) -> None:
    engine, store = PutsAwaySlowly(), FakeStore()
    async with running(tmp_path, engine, store, prober=Honest("127.0.0.1", engine=engine)) as plant:
        store.want(u7=Wish())
        await eventually(lambda: plant.informer.view(7).ready_since)
        store.want(u7=Wish(state=RunState.STOPPED))
        await eventually(lambda: plant.informer.view(7).ready_since is None)
        container = plant.informer.view(7).container
        assert container is not None
        assert container.phase is Phase.RUNNING, "it is seen at once, as well"
        await eventually(lambda: plant.phase(7) is Phase.EXITED)
        await plant.rests()
        assert EventReason.NOT_READY not in [event.reason for event in store.events]


async def test_limits_change_in_place_whoever_changed_them(plant: Plant) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    before = plant.engine.box("matlab-user-7")
    assert before
    plant.store.want(u7=Wish(profile="large"))
    await eventually(lambda: (box := plant.engine.box("matlab-user-7")) and box.memory == 8 * GIB)
    plant.engine.set_limits("matlab-user-7", 0.1, GIB)
    await eventually(lambda: (box := plant.engine.box("matlab-user-7")) and (box.cpus, box.memory) == (4, 8 * GIB))
    after = plant.engine.box("matlab-user-7")
    assert after
    assert (after.id, after.started_at) == (before.id, before.started_at)


async def test_a_restart_happens_once(plant: Plant) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    plant.store.want(u7=Wish(restart_at=await plant.informer.engine_now()))
    await eventually(lambda: ("restart", "matlab-user-7") in plant.engine.calls)
    await plant.rests()
    assert plant.engine.calls.count(("restart", "matlab-user-7")) == 1


async def test_a_renamed_container_gets_its_name_back_and_the_session_goes_on(plant: Plant) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    plant.engine.set_name("matlab-user-7", "mine")
    await plant.runs(7)
    assert [call for call, _ in plant.engine.calls] == ["create", "start", "rename"]


async def test_a_taken_port_delays_nobody_else_and_heals_by_itself(plant: Plant) -> None:
    plant.engine.taken_ports.add(30007)
    plant.store.want(**{f"u{n}": Wish() for n in range(1, 21)})
    await plant.runs(*(n for n in range(1, 21) if n != 7))
    await eventually(lambda: plant.informer.view(7).progress.code == "port_taken")
    assert "30007" in plant.informer.view(7).progress.error
    plant.engine.taken_ports.clear()
    await plant.runs(7)
    await eventually(lambda: plant.informer.view(7).progress.error == "")


async def test_a_missing_image_is_tried_more_and_more_rarely(plant: Plant) -> None:
    plant.store.want(u7=Wish(profile="other"))
    await eventually(lambda: plant.informer.view(7).progress.failures >= 2)
    progress = plant.informer.view(7).progress
    assert progress.code == "image_missing"
    assert progress.next_try is not None
    assert len(plant.engine.calls) == progress.failures


@pytest.fixture
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that failed is tried again within a test."""
    monkeypatch.setattr(planner, "FIRST_WAIT", timedelta(minutes=2))


@pytest.mark.usefixtures("long_waits")
async def test_a_new_wish_does_not_wait_for_the_backoff_of_the_old(plant: Plant) -> None:
    plant.store.want(u7=Wish(profile="other"))
    await eventually(lambda: plant.informer.view(7).progress.failures >= 1)
    plant.store.want(u7=Wish())
    await plant.runs(7)


@pytest.mark.usefixtures("long_waits")
async def test_what_is_refused_of_a_session_that_is_well_is_not_tried_again_at_each_resync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.reconciler.HEALTHY_AFTER", timedelta(0))
    async with running(tmp_path, RefusesLimits(), FakeStore()) as plant:
        plant.store.want(u7=Wish())
        await eventually(lambda: plant.informer.view(7).ready_since is not None)
        plant.store.want(u7=Wish(profile="large"))
        await eventually(lambda: plant.informer.view(7).progress.failures >= 1)
        tried = plant.engine.calls.count(("update", "matlab-user-7"))  # twice where the change came amid a pass
        for _ in range(2):
            await plant.reconciler.resync()
            await plant.rests()
        assert plant.engine.calls.count(("update", "matlab-user-7")) == tried
        assert plant.informer.view(7).progress.failures == 1


async def test_a_profile_that_settings_no_longer_have_troubles_only_its_user(plant: Plant) -> None:
    plant.store.want(u7=Wish(profile="gone"), u8=Wish())
    await plant.runs(8)
    await eventually(lambda: "gone" in plant.informer.view(7).progress.error)
    await plant.reconciler.resync()


async def test_a_foreigner_is_left_alone_and_named_and_its_going_is_noticed(plant: Plant) -> None:
    plant.engine.add_foreigner("matlab-user-7")
    plant.store.want(u7=Wish())
    await eventually(lambda: plant.informer.view(7).progress.code == "name_conflict")
    plant.store.want(u7=None)
    await plant.rests()
    assert plant.engine.calls == []
    plant.store.want(u7=Wish())
    plant.engine.vanish("matlab-user-7")
    await plant.runs(7)


async def test_a_container_with_another_users_name_is_not_taken_for_that_users(plant: Plant) -> None:
    plant.store.want(u8=Wish())
    await plant.runs(8)
    plant.store.want(u8=Wish(state=RunState.STOPPED))
    await eventually(lambda: plant.phase(8) is Phase.EXITED)
    await plant.rests()
    calls = len(plant.engine.calls)
    plant.engine.set_name("matlab-user-8", "matlab-user-7")
    plant.store.want(u7=Wish())
    await eventually(lambda: plant.informer.view(7).progress.code == "name_conflict")
    assert plant.engine.calls[calls:] == []
    plant.store.want(u8=Wish())
    await plant.runs(7, 8)


async def test_a_removal_that_the_engine_is_busy_with_is_waited_for_and_is_no_failure(plant: Plant) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    await plant.rests()
    plant.engine.begin_removal("matlab-user-7")
    seen = await plant.informer.wait(7, lambda view: not view.progress.settled, 5)
    assert (seen.progress.settled, seen.progress.error, seen.progress.code) == (False, "", "")
    assert seen.progress.next_try is not None
    plant.engine.vanish("matlab-user-7")
    await plant.runs(7)


async def test_what_failed_for_an_old_wish_is_not_told_of_the_new_one(plant: Plant) -> None:
    plant.engine.latency["create"] = 0.2
    plant.store.want(u7=Wish(profile="other"))
    await eventually(lambda: plant.engine.calls)
    plant.store.want(u7=Wish())
    seen = await plant.informer.wait(7, lambda view: view.progress.generation == 2, 5)
    assert (seen.progress.settled, seen.progress.error) == (True, "")
    assert plant.phase(7) is Phase.RUNNING


@pytest.mark.usefixtures("long_waits")
async def test_an_engine_that_is_back_is_no_longer_the_reason_of_a_wait(plant: Plant) -> None:
    plant.store.want(u7=Wish(profile="other"))
    await eventually(lambda: plant.informer.view(7).progress.failures >= 1)
    plant.engine.away = True
    plant.queue.add(7)
    await eventually(lambda: plant.informer.view(7).progress.code == "engine_unavailable")
    plant.engine.away = False
    await eventually(lambda: plant.informer.view(7).progress.code == "image_missing")
    assert len(plant.engine.calls) == 1


async def test_a_session_that_stays_silent_is_asked_less_and_less_often(tmp_path: Path) -> None:
    prober = NeverReady("127.0.0.1")
    async with running(tmp_path, FakeEngine(), FakeStore(), prober=prober) as plant:
        plant.store.want(u7=Wish())
        await eventually(lambda: len(prober.asked) >= 10)
    waits = [later - earlier for earlier, later in pairwise(prober.asked)]
    assert waits[0] >= UNTIL_READY - 0.01
    assert UNTIL_READY * 3 < waits[-1] < ONCE_READY, waits


async def test_the_more_sessions_start_at_once_the_later_each_is_asked(tmp_path: Path) -> None:
    prober, store = NeverReady("127.0.0.1"), FakeStore()
    async with running(tmp_path, FakeEngine(cpus=1), store, prober=prober):
        began = time.monotonic()
        store.want(**{f"u{n}": Wish() for n in range(1, 41)})
        await eventually(lambda: len(prober.first_asked) == 40)
        waits = sorted(asked - began for asked in prober.first_asked.values())
        assert waits[-1] >= UNTIL_READY * 40 / 2, "half of what forty take on one processor"


async def test_many_that_wait_for_their_start_hold_up_nobody_else(tmp_path: Path) -> None:
    engine, store = FakeEngine(), FakeStore()
    store.want(u90=Wish())
    async with running(tmp_path, engine, store, starts=1) as plant:
        await plant.runs(90)
        await plant.rests()
        engine.latency = {"start": 0.1}
        store.want(**{f"u{n}": Wish() for n in range(1, 81)})
        await plant.runs(1)
        store.want(u90=None)
        await eventually(lambda: plant.phase(90) is None)
        assert sum(plant.phase(n) is Phase.RUNNING for n in range(1, 81)) < 10


async def test_a_session_that_is_unwanted_while_it_starts_takes_its_time_to_end_at_nobodys_expense(
    tmp_path: Path,
) -> None:
    engine, store = FakeEngine(), FakeStore()
    engine.latency = {"start": 0.2, "stop": 3600}
    async with running(tmp_path, engine, store, starts=1) as plant:
        store.want(u1=Wish())
        await eventually(lambda: engine.starting)
        store.want(u1=None)
        await eventually(lambda: ("stop", "matlab-user-1") in engine.calls)
        store.want(u2=Wish())
        await plant.runs(2)


async def test_the_look_after_a_start_holds_up_no_other_start(tmp_path: Path) -> None:
    class Slow(FakeEngine):
        told = asyncio.Event()

        async def find(self, user_id: int) -> tuple[Container, ...]:
            if user_id == 1 and ("start", "matlab-user-1") in self.calls:
                await self.told.wait()
            return await super().find(user_id)

    engine, store = Slow(), FakeStore()
    async with running(tmp_path, engine, store, starts=1) as plant:
        store.want(u1=Wish())
        await eventually(lambda: ("start", "matlab-user-1") in engine.calls)
        store.want(u2=Wish())
        await plant.runs(2)
        engine.told.set()
        await plant.runs(1)


async def test_a_clock_that_is_set_back_makes_no_old_knowledge_new(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Yesterday(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) - timedelta(days=1)

    plant.store.want(u7=Wish())
    await plant.runs(7)
    await plant.rests()
    plant.engine.deaf()
    plant.engine.kill("matlab-user-7")
    monkeypatch.setattr(informer, "datetime", Yesterday)
    seen = await plant.informer.refresh(7, 3600)
    assert seen.container is not None
    assert seen.container.phase is Phase.EXITED


async def test_a_clock_that_is_set_ahead_restarts_nobody_before_the_time(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(days=1)

    plant.store.want(u7=Wish(restart_at=await plant.informer.engine_now() + timedelta(hours=1)))
    await plant.runs(7)
    await plant.rests()
    monkeypatch.setattr(informer, "datetime", Tomorrow)
    plant.queue.add(7)
    await plant.rests()
    assert [call for call, _ in plant.engine.calls] == ["create", "start"]


async def test_a_restart_asked_for_after_the_engines_clock_was_set_back_is_done_once(plant: Plant) -> None:
    plant.store.want(u7=Wish(restart_at=await plant.informer.engine_now()), u8=Wish())
    await plant.runs(7, 8)
    await plant.rests()
    plant.engine.set_clock(timedelta(hours=-1))
    plant.store.want(u7=Wish(), u8=Wish(restart_at=await plant.informer.engine_now()))
    await eventually(lambda: ("restart", "matlab-user-8") in plant.engine.calls)
    await plant.rests()
    plant.store.want(u7=Wish(), u8=Wish(restart_at=await plant.informer.engine_now() - timedelta(days=1)))
    await plant.rests()
    assert [call for call, _ in plant.engine.calls].count("restart") == 1


async def test_a_container_that_the_engine_cannot_start_for_its_last_run_is_made_anew(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "FIRST_WAIT", timedelta(milliseconds=20))
    plant.store.want(u7=Wish())
    await plant.runs(7)
    before = plant.engine.box("matlab-user-7")
    assert before is not None
    plant.engine.left_behind.add(before.id)
    plant.engine.kill("matlab-user-7")
    await plant.runs(7)
    calls = [call for call, _ in plant.engine.calls]
    assert calls == ["create", "start", *["start"] * 3, "remove", "create", "start"]


async def test_an_old_look_that_comes_in_late_does_not_replace_a_newer_one(plant: Plant) -> None:
    asked_at = time.monotonic()
    plant.store.want(u7=Wish())
    await eventually(lambda: plant.informer.view(7).progress.settled)
    plant.informer.saw(7, (), asked_at)
    assert plant.informer.view(7).container is not None


async def test_an_engine_that_breaks_every_stream_is_not_asked_in_a_hot_loop(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with running(tmp_path, engine, FakeStore()) as plant:
        began = engine.streams
        engine.streams_break = True
        engine.break_events()
        await asyncio.sleep(1.5)
        assert engine.streams - began <= 4
        engine.streams_break = False
        plant.store.want(u7=Wish())
        await plant.runs(7)


async def test_never_more_starts_at_a_time_than_allowed(tmp_path: Path) -> None:
    engine, store = FakeEngine(), FakeStore()
    engine.latency = {"start": 0.02}
    store.want(**{f"u{n}": Wish() for n in range(1, 101)})
    async with running(tmp_path, engine, store, starts=10) as plant:
        await plant.runs(*range(1, 101), seconds=60)
        await plant.rests()
    assert engine.most_starting == 10
    assert len(engine.calls) == 200


async def test_an_answer_that_got_lost_makes_nothing_twice(plant: Plant) -> None:
    for call in ("create", "start"):
        plant.engine.lose_reply_of = call
        plant.store.want(u7=Wish())
        await plant.runs(7)
        await plant.rests()
        assert len(plant.engine.containers()) == 1
        plant.store.want(u7=None)
        await eventually(lambda: not plant.engine.containers(), 5)


async def test_an_engine_that_is_away_changes_nothing_and_is_caught_up_with(plant: Plant) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    plant.engine.away = True
    plant.engine.break_events()
    await eventually(lambda: not plant.informer.engine.reachable)
    plant.store.want(u7=None, u8=Wish())
    await eventually(lambda: plant.informer.view(8).progress.code == "engine_unavailable")
    assert plant.informer.view(7).container is not None
    plant.engine.away = False
    await plant.runs(8)
    await eventually(lambda: plant.phase(7) is None)


async def test_losing_every_event_costs_one_resync(tmp_path: Path) -> None:
    engine, store = FakeEngine(), FakeStore()
    store.want(u7=Wish())
    async with running(tmp_path, engine, store, resync=0.3) as plant:
        await plant.runs(7)
        await plant.rests()
        engine.deaf()
        engine.kill("matlab-user-7")
        await plant.runs(7)


async def test_a_session_that_exits_at_once_is_not_started_in_a_hot_loop(plant: Plant) -> None:
    plant.store.want(u7=Wish())
    await plant.runs(7)
    deaths = 0

    async def die_at_once() -> None:
        nonlocal deaths
        while True:
            if plant.phase(7) is Phase.RUNNING:
                plant.engine.kill("matlab-user-7", 1)
                deaths += 1
            await asyncio.sleep(0.005)

    killer = asyncio.create_task(die_at_once())
    await eventually(lambda: plant.informer.view(7).progress.code == "crash_loop", 20)
    assert deaths == 4, "the first is answered at once, and so are the next two; then it waits"
    assert "exited with code 1" in plant.informer.view(7).progress.error
    killer.cancel()
    await plant.runs(7)


async def test_where_no_wish_could_ever_be_read_nobody_is_unwanted(tmp_path: Path) -> None:
    engine, store = FakeEngine(), FakeStore()
    store.want(**{f"u{n}": Wish() for n in range(1, 4)})
    async with running(tmp_path, engine, store) as plant:
        await plant.runs(1, 2, 3)
    calls = len(engine.calls)
    async with running(tmp_path, engine, FakeStore()) as plant:
        await eventually(lambda: len(plant.informer.views()) == 3)
        await plant.rests()
        await plant.reconciler.resync()
        await plant.rests()
    assert engine.calls[calls:] == []


async def test_a_new_controller_finds_all_and_changes_nothing(tmp_path: Path) -> None:
    engine, store = FakeEngine(), FakeStore()
    store.want(**{f"u{n}": Wish() for n in range(1, 21)})
    async with running(tmp_path, engine, store) as plant:
        await plant.runs(*range(1, 21))
        await plant.rests()
    calls = len(engine.calls)
    async with running(tmp_path, engine, store) as plant:
        await eventually(lambda: len(plant.informer.views()) == 20)
        await plant.rests()
    assert engine.calls[calls:] == []
