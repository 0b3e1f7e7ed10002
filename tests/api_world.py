"""The API served in this process, over the real loop and observed cache and a fake engine."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client.registry import Collector

from controller.api import Terms, build_app
from controller.connections import Runner
from controller.doorkeeper import Door, Doorkeeper
from controller.engine.measured import Measured
from controller.informer import Informer, Ports, ProbeTimes
from controller.model import DesiredState, Phase, Probe, SessionHealth, SessionState, Wish
from controller.reconciler import Pace, Reconciler
from controller.target import Profile, Site
from controller.tokens import TokenFile
from controller.workqueue import WorkQueue
from tests.documented import Documented
from tests.fake_engine import FakeEngine
from tests.fake_store import FakeStore
from tests.serving import on_loopback
from tests.support import eventually

GIB = 2**30
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
IDLE = SessionHealth(SessionState.IDLE, LONG_AGO, LONG_AGO, "octave 7.3.0", 0, False, LONG_AGO)
SITE = Site(
    instance="test",
    container_prefix="matlab-user-",
    data_root="/srv/matlab",
    http_port_base=30000,
    ws_port_base=31000,
    bind_address="127.0.0.1",
    run_as="1000:1000",
    default_profile="standard",
    profiles={
        "standard": Profile("matlab-session:octave", 2, 4 * GIB, 4 * GIB, {}, None),
        "large": Profile("matlab-session:octave", 4, 8 * GIB, 4 * GIB, {}, None),
    },
)


UNLOCKED = Doorkeeper(Door(names=frozenset({"x"})), TokenFile(Path("/nonexistent")))
"""Asks for no tokens; `x` is what tests that write HTTP by hand say in `Host`."""


@functools.cache
def documented() -> Documented:
    return Documented(SITE)


@dataclass(slots=True)
class Services:
    """Stands for what listens on the published ports: the fake engine's containers hold nothing."""

    web: bool = True
    websocket: bool = True
    session: SessionHealth = IDLE

    async def probe(self, http_port: int, ws_port: int, patience: float = 0.0, address: str = "") -> Probe:
        silent = "" if self.web and self.websocket else "the web service does not answer yet"
        return Probe(self.web, self.websocket, datetime.now(UTC), silent, self.session if self.web else None)


@dataclass(slots=True)
class ApiWorld:
    app: web.Application
    engine: FakeEngine
    store: Any
    services: Services
    informer: Informer
    port: int
    http: aiohttp.ClientSession
    runner: Runner
    log: list[logging.LogRecord] = field(default_factory=list)
    seen: set[tuple[str, int, str | None]] = field(default_factory=set)
    """What was answered: operation, status, and the error's code."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> list[int]:
        """Users whose sessions run."""
        return sorted(c.user_id or 0 for c in self.engine.containers() if c.phase is Phase.RUNNING)

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer, which has to be JSON and as the OpenAPI document has it."""
        async with self.http.request(method, path, **options) as response:
            assert response.headers["Content-Type"] == "application/json; charset=utf-8"
            body = await response.json()
            assert isinstance(body, dict)
            if response.status >= 400:
                assert isinstance(body["error"], str)
                assert body["request_id"] == response.headers["X-Request-ID"]
            self.seen.add((documented().check(method, path, response.status, body), response.status, body.get("code")))
            return response.status, body

    async def create(self, user_id: int, **more: Any) -> tuple[int, dict[str, Any]]:
        return await self.call("POST", "/create", json={"user_id": user_id, **more})

    async def send(self, raw: bytes) -> bytes:
        """The whole answer to bytes that need not be HTTP."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(raw)
            return await asyncio.wait_for(reader.read(), 15)
        finally:
            writer.close()

    def wish(self, user_id: int) -> Wish | None:
        wish: Wish | None = self.store.current.users.get(user_id)
        return wish

    async def engine_leaves(self) -> None:
        self.engine.away = True
        self.engine.break_events()
        await eventually(lambda: not self.informer.engine.reachable)


@asynccontextmanager
async def api_world(
    create_timeout: float = 10,
    site: Site = SITE,
    real_store: Any = None,
    engine: FakeEngine | None = None,
    refresh_secret: str = "",
    doorkeeper: Doorkeeper = UNLOCKED,
    counted: tuple[Collector, ...] = (),
) -> AsyncIterator[ApiWorld]:
    engine, services, queue = engine or FakeEngine(), Services(), WorkQueue()
    store: Any = real_store or FakeStore(DesiredState(generation=1))
    prober: Any = services
    measured = Measured(engine)
    informer = Informer(measured, queue, prober, Ports(30000, 31000), ProbeTimes(0.02, 10), store.record)
    loop = Reconciler(measured, store, informer, queue, site, Pace(10, 30))
    counted = (measured.calls, loop.passes, loop.failures, informer.startup, *store.counted, *counted)
    terms = Terms(100, create_timeout, "1.0", refresh_secret, counted)
    app = build_app(store, informer, loop, site, terms, doorkeeper)
    runner = Runner(app, shutdown_timeout=1)
    async with (
        on_loopback(runner) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
        asyncio.TaskGroup() as tasks,
    ):
        parts = [tasks.create_task(loop.run()), tasks.create_task(informer.run(loop.resync))]
        await eventually(lambda: informer.engine.reachable)
        world = ApiWorld(app, engine, store, services, informer, port, http, runner)
        with _logged(world.log):
            yield world
        for part in parts:
            part.cancel()


@contextlib.contextmanager
def _logged(records: list[logging.LogRecord]) -> Any:
    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    loggers, keeper = [logging.getLogger(f"controller.{name}") for name in ("http", "connections")], Keeper()
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(keeper)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(keeper)
            logger.setLevel(level)
