"""Builds the parts from the settings, runs them in one TaskGroup, and takes them down in order."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import fcntl
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from controller import brake, policy, secretfile
from controller.access import Access
from controller.api import Terms, build_app
from controller.disk_watch import DiskWatch
from controller.doorkeeper import Door, Doorkeeper
from controller.engine import Engine
from controller.engine.docker import DockerEngine
from controller.engine.measured import Measured
from controller.engine.service import Placing, SideDoor
from controller.engine.swarm import SwarmEngine
from controller.errors import AlreadyRunning, SettingsInvalid
from controller.failover import Failover
from controller.home_settings import ElsewhereSettings, GitSettings
from controller.informer import Informer, Ports, ProbeTimes
from controller.listener import listening
from controller.notify import ServiceManager
from controller.probes import Prober
from controller.quota import quota_of
from controller.reconciler import Pace, Reconciler
from controller.settings import Settings
from controller.sites import far_engine, site_of
from controller.status import tally
from controller.store.disk import FileHome
from controller.store.git_home import Branch, GitHome
from controller.store.home import Home
from controller.store.sqlite_home import SqliteHome
from controller.store.weighing import WishTerms
from controller.store.wish_store import WishStore
from controller.tokens import TokenFile
from controller.webhook_settings import WebhookSettings
from controller.webhooks import Webhook, Webhooks
from controller.workqueue import WorkQueue

log = logging.getLogger(__name__)

CHANGES_BESIDE_STARTS = 16
"""Threads for stops, removals and updates, so that they never wait for starts."""


def serve(settings: Settings, greet: Callable[[], None]) -> None:
    """Run the controller until SIGINT or SIGTERM. `greet` is called once the API listens.

    Raises:
        AlreadyRunning: another controller holds the state folder.
        SettingsInvalid: a folder cannot be used, or the API's address not be listened on.
    """
    manager = ServiceManager(os.environ)
    faulthandler.enable()  # a watchdog ends us by SIGABRT: the log then shows where every thread was
    with only_one(settings.state_dir):
        asyncio.run(_serve(settings, greet, manager))


@contextlib.contextmanager
def only_one(state_dir: Path) -> Iterator[int]:
    """Hold the state folder's lock, and tell its descriptor. The kernel lets go of it however this process ends.

    Raises:
        AlreadyRunning: another controller holds it.
        SettingsInvalid: the folder cannot be used.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (state_dir / "lock").open("a+")
    except OSError as error:
        raise SettingsInvalid(f"The state folder {state_dir} cannot be used: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise AlreadyRunning(f"Another controller (process {holder}) runs on the state in {state_dir}.") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lock.fileno()


async def _serve(settings: Settings, greet: Callable[[], None], manager: ServiceManager) -> None:
    secret = secretfile.load(settings.state_dir)
    site = site_of(settings, Access(_browsed_at(settings), settings.session_url, settings.sessions_locked, secret))
    store = WishStore(
        home_of(settings),
        settings.state_dir,
        WishTerms(
            site,
            settings.max_users,
            settings.settle_seconds,
            brake.Limits(settings.brake_sessions, settings.brake_percent, settings.allow_empty),
        ),
    )
    await store.load()
    more = policy.exceeded(policy.load(store.current, site), site.policy.total)
    if more:
        pairs = {"wanted": more}
        log.warning("more is wanted than the policy allows: it goes on, nothing may be added", extra={"pairs": pairs})
    engine = Measured(engine_of(settings))
    queue = WorkQueue()
    informer = Informer(
        engine,
        queue,
        Prober(_reached_at(settings)),
        Ports(settings.http_port_base, settings.ws_port_base),
        ProbeTimes(settings.probe_starting_seconds, settings.probe_ready_seconds),
        store.record,
    )
    disk = DiskWatch(
        informer,
        site.data_root,
        lambda user_id: quota_of(store.current, user_id, site),
        store.record,
        settings.disk_check_seconds,
    )
    pace = Pace(settings.max_concurrent_starts, settings.resync_seconds, settings.swarm_moves)
    reconciler = Reconciler(engine, store, informer, queue, site, pace)
    webhooks = Webhooks(
        [_webhook(name, each) for name, each in settings.webhooks.items()],
        store,
        settings.instance,
        version("matlab-container-manager"),
    )
    terms = Terms(
        settings.max_users,
        settings.create_timeout_seconds,
        version("matlab-container-manager"),
        secretfile.refresh_secret(settings.state_dir),
        (engine.calls, reconciler.passes, reconciler.failures, informer.startup, *store.counted, *webhooks.counted),
    )
    door = Door(
        settings.api_locked,
        settings.api_hosts,
        any_address=not settings.api_alone,
        allow=settings.api_networks,
        rate=settings.api_rate,
        burst=settings.api_burst,
    )
    app = build_app(store, informer, reconciler, site, terms, Doorkeeper(door, _tokens(settings)))
    try:
        async with listening(app, settings) as certificate:
            greet()
            manager.tell(READY="1")
            parts = {
                "store": store.run(),
                "reconciler": reconciler.run(),
                "informer": informer.run(reconciler.resync),
                "webhooks": webhooks.run(),
                "service manager": manager.keep_telling(lambda: _standing(store, informer), reconciler.stuck),
            }
            if certificate:
                parts["certificate"] = certificate.follow()
            if settings.engine == "swarm":
                parts["failover"] = Failover(
                    engine, informer.views, store.record, settings.swarm_fence, settings.swarm_fence_seconds
                ).run()
            if not site.data_elsewhere:
                parts["disk"] = disk.run()
            await _until_told_to_stop(parts)
            manager.tell(STOPPING="1")
    finally:
        await engine.close()
        await store.close()


def engine_of(settings: Settings) -> Engine:
    threads = settings.max_concurrent_starts + CHANGES_BESIDE_STARTS
    what = (settings.docker_host, settings.instance, settings.container_prefix, settings.stop_grace_seconds, threads)
    if settings.engine == "swarm":
        return SwarmEngine(*what, placing_of(settings))
    return DockerEngine(*what, settings.reach)


def placing_of(settings: Settings) -> Placing:
    """Of a swarm."""
    nodes = settings.swarm_nodes
    door = None if nodes is None else SideDoor(nodes.port, nodes.ca, nodes.cert, nodes.key)
    return Placing(settings.swarm_publish, settings.swarm_reserve / 100, settings.reach, door)


def _webhook(name: str, given: WebhookSettings) -> Webhook:
    """Raises SettingsInvalid: its secret cannot be used."""
    secret = b"" if given.secret_file is None else secretfile.webhook_key(given.secret_file)
    return Webhook(name, given.url, given.format == "slack", frozenset(given.kinds), frozenset(given.reasons), secret)


def _tokens(settings: Settings) -> TokenFile:
    """Where calls need one, this machine's own commands have theirs."""
    tokens = TokenFile(settings.state_dir)
    if settings.api_locked and tokens.add_local():
        log.warning("calls need a token: one was made that may do everything", extra={"pairs": {"file": tokens.local}})
    return tokens


def home_of(settings: Settings) -> Home:
    match settings.desired_state:
        case Path() as file:
            return FileHome(file)
        case ElsewhereSettings(sqlite=Path() as database):
            return SqliteHome(database)
        case ElsewhereSettings(git=GitSettings() as git):
            branch = Branch(git.url, git.branch, git.path, git.interval, git.write)
            return GitHome(branch, settings.state_dir / "git")
        case other:
            raise AssertionError(other)  # the settings' own check lets nothing else pass


async def _until_told_to_stop(parts: Mapping[str, Coroutine[None, None, None]]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(part, name=name) for name, part in parts.items()]
        await stop.wait()
        log.info("controller stops", extra={"pairs": {"sessions": "stay"}})
        for part in running:
            part.cancel()


def _standing(store: WishStore, informer: Informer) -> str:
    """In a line, for `systemctl status`."""
    users = tally(len(store.current.users), informer.views())
    if not informer.engine.reachable:
        return f"The engine cannot be reached; users declared: {users['declared']}"
    return f"Users declared: {users['declared']}, sessions running: {users['running']}, ready: {users['ready']}"


def _reached_at(settings: Settings) -> str:
    """Where this process reaches the ports that the engine publishes."""
    bound = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.published_on, settings.published_on)  # noqa: S104
    return far_engine(settings) or bound


def _browsed_at(settings: Settings) -> str:
    """Where browsers reach them, as far as can be known: where they are on every address, this machine's name."""
    everywhere = ipaddress.ip_address(settings.published_on).is_unspecified
    host = far_engine(settings) or (socket.gethostname() if everywhere else settings.published_on)
    return f"[{host}]" if ":" in host else host
