"""An error that nobody thought of costs one pass of one loop: it is logged, and everything goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import DockerException

from controller import informer as informer_module
from controller import listener, notify, webhooks
from controller.engine.docker import DockerEngine
from controller.engine.lane import reason
from controller.errors import EngineUnavailable
from controller.informer import Informer, Ports, ProbeTimes
from controller.listener import Certificate
from controller.model import DesiredState, Probe
from controller.notify import ServiceManager
from controller.reconciler import Pace, Reconciler
from controller.store.git_home import Branch, GitHome
from controller.webhooks import Webhook, Webhooks
from controller.workqueue import WorkQueue
from tests.api_world import SITE
from tests.fake_engine import FakeEngine
from tests.fake_store import FakeStore
from tests.support import eventually, meanwhile
from tests.worlds import a_container


class Failing:
    """Fails the first few times that it is called, and then does as it should."""

    def __init__(self, real: Callable[..., Any], times: int = 2) -> None:
        self.calls = 0
        self._real = real
        self._times = times

    def __call__(self, *given: Any) -> Any:
        self.calls += 1
        if self.calls <= self._times:
            raise RuntimeError("nobody thought of this")
        return self._real(*given)

    async def recovers(self) -> None:
        await eventually(lambda: self.calls > self._times)


def logged(caplog: pytest.LogCaptureFixture, words: str) -> int:
    """How often, each time with the error."""
    return sum(each.message == words and each.exc_info is not None for each in caplog.records)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USAGE_EVERY", "KNOCK_FIRST", "KNOCK_LAST", "PATIENCE"):
        monkeypatch.setattr(informer_module, name, 0.01)


class Prober:
    def __init__(self) -> None:
        self.probe = Failing(self._probe)

    async def _probe(self, *_: object) -> Probe:
        return Probe(True, True, datetime.now(UTC), "")


def an_informer(engine: FakeEngine, prober: Any) -> Informer:
    store = FakeStore(DesiredState(generation=1))
    return Informer(engine, WorkQueue(), prober, Ports(1, 2), ProbeTimes(0.01, 0.02), store.record)


async def nothing() -> None: ...


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("info", "knocking at the engine failed"),
        ("events", "listening to the engine failed"),
        ("usage", "measuring failed"),
    ],
)
async def test_of_the_link_to_the_engine(call: str, words: str, caplog: pytest.LogCaptureFixture) -> None:
    engine: Any = FakeEngine()
    failing = Failing(getattr(engine, call))
    setattr(engine, call, failing)
    async with meanwhile(an_informer(engine, None).run(nothing)):
        await failing.recovers()
    assert logged(caplog, words) == 2


@pytest.mark.usefixtures("quick")
async def test_of_a_probe(caplog: pytest.LogCaptureFixture) -> None:
    prober = Prober()
    informer = an_informer(FakeEngine(), prober)
    async with meanwhile(informer.run(nothing)):
        informer.saw(7, (a_container(),), time.monotonic())
        await eventually(lambda: informer.view(7).ready_since)
    assert logged(caplog, "probe failed") == 2


async def test_a_moment_that_is_in_no_other_time_zone_is_an_engine_out_of_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = {"NCPU": 2, "SystemTime": "0001-01-01T00:00:00+14:00", "ServerVersion": "20.10"}
    monkeypatch.setattr("controller.engine.lane.Lane._connected", lambda _: SimpleNamespace(info=lambda: said))
    engine = DockerEngine("", "test", "matlab-user-", 10, 1)
    with pytest.raises(EngineUnavailable, match="garbled"):
        await engine.info()


def test_an_engine_that_is_not_there_is_told_in_the_systems_words() -> None:
    inner = ConnectionError("Connection aborted.", FileNotFoundError(2, "No such file or directory"))
    inner.__cause__ = inner.args[1]
    error = DockerException("Error while fetching server API version")
    error.__cause__ = inner
    assert reason(error) == "No such file or directory"


async def test_of_a_resync(caplog: pytest.LogCaptureFixture) -> None:
    engine, store = FakeEngine(), FakeStore(DesiredState(generation=1))
    informer = an_informer(engine, None)
    loop: Any = Reconciler(engine, store, informer, WorkQueue(), SITE, Pace(1, 0.01))
    loop.resync = Failing(loop.resync)
    async with meanwhile(loop.run()):
        await loop.resync.recovers()
    assert logged(caplog, "resync failed") == 2


async def test_of_the_webhooks_begin(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(webhooks, "LOOK_EVERY", 0.01)
    store: Any = FakeStore(DesiredState(generation=1))
    store.follow = lambda _: None
    store.delivered = Failing(lambda _: asyncio.sleep(0, {"hook": 0}))
    async with meanwhile(Webhooks([Webhook("hook", "http://localhost:1")], store, "lab", "1.0").run()):
        await store.delivered.recovers()
    assert logged(caplog, "webhooks cannot begin") == 2


async def test_of_a_look_at_the_certificate(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(listener, "CERTIFICATE_SECONDS", 0.01)
    certificate: Any = object.__new__(Certificate)
    certificate.reload = Failing(lambda: False)
    async with meanwhile(certificate.follow()):
        await certificate.reload.recovers()
    assert logged(caplog, "the API's certificate could not be looked at") == 2


async def test_of_the_status_line(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(notify, "STATUS_SECONDS", 0.01)
    standing = Failing(lambda: "all is well")
    async with meanwhile(ServiceManager({"NOTIFY_SOCKET": "@nobody"}).keep_telling(standing, lambda: "")):
        await standing.recovers()
    assert logged(caplog, "the status could not be told") == 2


async def test_of_a_fetch(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    monkeypatch.setattr("controller.store.git_home.REFRESHES_APART", 0.01)
    home: Any = GitHome(Branch("/nowhere", "main", "desired_state.yaml", 30, write=True), tmp_path)
    home.fetch = Failing(lambda: None)
    async with meanwhile(home.follow(home.refresh)):
        await home.fetch.recovers()
    assert logged(caplog, "the branch could not be fetched") == 2
