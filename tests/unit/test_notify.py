"""What the service manager hears, on a real socket: ready, alive while the loop turns, stopping."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller import notify, reconciler
from controller.errors import EngineUnavailable
from controller.informer import Informer, Ports, ProbeTimes
from controller.model import DesiredState
from controller.notify import ServiceManager
from controller.reconciler import Pace, Reconciler
from controller.workqueue import WorkQueue
from tests.api_world import SITE
from tests.fake_engine import FakeEngine
from tests.fake_store import FakeStore
from tests.shell import ROOT
from tests.support import eventually, meanwhile


class Ears:
    """A service manager that listens."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.heard: list[str] = []

    def listen(self) -> list[str]:
        """All that was said so far, one message after another."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(self._socket.recv(4096).decode())
        return self.heard

    def close(self) -> None:
        self._socket.close()


@contextmanager
def ears(address: Path | str) -> Iterator[Ears]:
    listener = Ears(str(address))
    try:
        yield listener
    finally:
        listener.close()


def test_without_a_service_manager_nothing_is_said() -> None:
    ServiceManager({}).tell(READY="1")


def test_its_variables_are_not_handed_on(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    ServiceManager(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("abstract", [True, False])
def test_a_word_is_a_line(tmp_path: Path, abstract: bool) -> None:
    address = f"@mcm-test-{os.getpid()}" if abstract else str(tmp_path / "socket")
    with ears(address) as listener:
        ServiceManager({"NOTIFY_SOCKET": address}).tell(READY="1", STATUS="two\nlines WATCHDOG=1")
        assert listener.listen() == ["READY=1\nSTATUS=two lines WATCHDOG=1"]


def test_a_service_manager_that_is_gone_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell(READY="1")
    assert "the service manager was not told" in caplog.text


async def test_the_watchdog_is_fed_until_the_loop_is_stuck(tmp_path: Path) -> None:
    why = ""
    with ears(tmp_path / "socket") as listener:
        environment = {"NOTIFY_SOCKET": str(tmp_path / "socket"), "WATCHDOG_USEC": "30000"}
        async with meanwhile(ServiceManager(environment).keep_telling(lambda: "2 of 3", lambda: why)):
            await eventually(lambda: listener.listen().count("STATUS=2 of 3\nWATCHDOG=1") >= 3)
            why = "It hangs."
            await eventually(lambda: "STATUS=It hangs." in listener.listen())
            stuck_at = listener.heard.index("STATUS=It hangs.")
            await eventually(lambda: len(listener.listen()) > stuck_at + 3)
            assert set(listener.heard[stuck_at:]) == {"STATUS=It hangs."}


async def test_another_process_s_watchdog_is_not_ours_to_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "STATUS_SECONDS", 0.01)
    with ears(tmp_path / "socket") as listener:
        environment = {"NOTIFY_SOCKET": str(tmp_path / "socket"), "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}
        async with meanwhile(ServiceManager(environment).keep_telling(lambda: "well", lambda: "")):
            await eventually(lambda: len(listener.listen()) > 3)  # at the pace of the status, not of that watchdog
        assert "STATUS=well" in listener.heard[0]


async def test_a_resync_that_never_ends_is_stuck_and_an_engine_that_is_away_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconciler, "LONGEST_RESYNC", 0.5)
    engine, store, queue = FakeEngine(), FakeStore(DesiredState(generation=1)), WorkQueue()
    hang, rounds = asyncio.Event(), 0

    async def away() -> None:
        nonlocal rounds
        rounds += 1
        raise EngineUnavailable("Nobody is there.")

    async def hangs() -> None:
        await hang.wait()

    informer = Informer(engine, queue, None, Ports(1, 2), ProbeTimes(1, 1), store.record)  # type: ignore[arg-type]
    loop = Reconciler(engine, store, informer, queue, SITE, Pace(1, 0.01))
    monkeypatch.setattr(informer, "sync_clock", away)
    async with meanwhile(loop.run()):
        began = time.monotonic()
        await eventually(lambda: rounds > 5 and time.monotonic() - began > 1)  # twice as long as a resync may take
        await eventually(lambda: not loop.stuck())
        monkeypatch.setattr(informer, "sync_clock", hangs)
        await eventually(loop.stuck)
        hang.set()
        monkeypatch.setattr(informer, "sync_clock", away)
        await eventually(lambda: not loop.stuck())


async def test_a_controller_says_that_it_is_ready_lives_and_stops(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    own = {
        "MCM_STATE_DIR": str(tmp_path / "state"),
        "MCM_DATA_ROOT": str(tmp_path / "data"),
        "MCM_DESIRED_STATE": str(tmp_path / "wish.yaml"),
        "MCM_API_PORT": port,
        "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
        "NOTIFY_SOCKET": str(tmp_path / "socket"),
        "WATCHDOG_USEC": "3000000",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MCM_", "WATCHDOG_"))}
    with ears(tmp_path / "socket") as listener:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controller", "serve"),
            cwd=ROOT,
            env=inherited | own,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            away = "STATUS=The engine cannot be reached; users declared: 0\nWATCHDOG=1"
            await eventually(lambda: listener.listen().count(away) >= 2, 60)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        heard = listener.listen()
        assert (heard[0], heard[-1]) == ("READY=1", "STOPPING=1")
