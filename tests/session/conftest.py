"""Real containers of the session image, run as the controller runs them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import docker
import pytest
from docker.models.containers import Container

from tests.session.peer import Peer
from tests.support import LABEL, an_instance, clear_away_leftovers, eventually

IMAGE = os.environ.get("MCM_TEST_SESSION_IMAGE", "matlab-session:octave")
"""Another one for those who work on the image while others use it."""
FULL_IMAGE = os.environ.get("MCM_TEST_FULL_IMAGE", "matlab-session:octave-full")
ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
"""Generous: while another process of the tests starts dozens of sessions at once, one more takes its share of two cores
and 20 seconds. How fast it is alone, the benchmark tells."""
CONNECT_SECONDS = 5.0
"""The engine's proxy takes connections before the container does, and such a one may get no answer at all."""
HTTP, WEBSOCKET = "8888/tcp", "8889/tcp"


@pytest.fixture(scope="session")
def session_image() -> str:
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode != 0:
        subprocess.run([ROOT / "scripts" / "setup", "image"], check=True)
    with contextlib.closing(docker.from_env()) as client:
        clear_away_leftovers(client)
    return IMAGE


@dataclass
class Session:
    """A running container and how to speak with it. The engine is asked for its ports once."""

    container: Container
    folder: Path
    http: aiohttp.ClientSession
    token: str = ""

    @functools.cached_property
    def page(self) -> str:
        return f"http://127.0.0.1:{self._port(HTTP)}"

    @functools.cached_property
    def websocket(self) -> str:
        return f"ws://127.0.0.1:{self._port(WEBSOCKET)}/"

    async def health(self) -> dict[str, Any]:
        async with self.http.get(f"{self.page}/healthz", headers=self._headers) as answer:
            assert answer.status == 200
            health: dict[str, Any] = await answer.json()
            return health

    async def connect(self, query: str = "", **options: Any) -> Peer:
        """A client that has read its `hello`."""
        peer = Peer(await self.http.ws_connect(self.websocket + query, headers=self._headers, **options))
        await peer.until("hello")
        return peer

    async def ready(self) -> Session:
        """Wait until the WebSocket port is open and the user's startup.m is over."""
        try:
            await eventually(self.is_open, START_SECONDS)
            await eventually(self._is_idle, START_SECONDS)
        except AssertionError as error:
            self.container.reload()
            error.add_note(f"The container is {self.container.status}. It said:\n{self.container.logs().decode()}")
            raise
        return self

    async def is_open(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS), self.http.ws_connect(self.websocket, headers=self._headers):
                return True
        return False

    def memory(self) -> int:
        """Bytes that the container uses, as the kernel counts them; without the files in its page cache: those that no
        other container had read before."""
        stats = self.container.stats(stream=False)
        assert isinstance(stats, dict)
        counted = stats["memory_stats"]["stats"]
        return int(stats["memory_stats"]["usage"] - counted["active_file"] - counted["inactive_file"])

    async def _is_idle(self) -> bool:
        return bool((await self.health())["state"] == "idle")

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _port(self, inside: str) -> str:
        self.container.reload()
        (published,) = self.container.ports[inside] or []
        return str(published["HostPort"])


Start = Callable[..., Session]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        yield http


@pytest.fixture
async def start(session_image: str, http: aiohttp.ClientSession) -> AsyncIterator[Start]:
    """Start a container with files already in its user's folder; all of it is gone after the test."""
    with contextlib.ExitStack() as clean_up:

        def run(files: dict[str, str] | None = None, **options: Any) -> Session:
            container, folder = clean_up.enter_context(a_container(session_image, files or {}, options))
            return Session(container, folder, http)

        yield run


@pytest.fixture
async def session(start: Start) -> Session:
    """A container of the test's own."""
    return await start().ready()


@pytest.fixture(scope="session")
def shared_container(session_image: str) -> Iterator[tuple[Container, Path]]:
    with a_container(session_image, {}, {}) as made:
        yield made


@pytest.fixture
async def shared(shared_container: tuple[Container, Path], http: aiohttp.ClientSession) -> Session:
    """The container of all tests that leave the session and its interpreter alive; without variables and figures."""
    session = await Session(*shared_container, http).ready()
    peer = await session.connect()
    assert (await peer.eval("cd /home/matlab/shared; close all; clear all"))["status"] == "ok"
    await peer.socket.close()
    return session


@contextlib.contextmanager
def a_container(image: str, files: dict[str, str], options: dict[str, Any]) -> Iterator[tuple[Container, Path]]:
    user = f"{os.getuid()}:{os.getgid()}" if os.getuid() else "1000:1000"
    client = docker.from_env()
    try:
        with _user_folder(options.get("user", user), files) as folder:
            container = client.containers.run(**(_as_the_controller(folder, user) | {"image": image} | options))
            try:
                yield container, folder
            finally:
                container.remove(force=True)
    finally:
        client.close()


def _as_the_controller(folder: Path, user: str) -> dict[str, Any]:
    instance = an_instance()
    return {
        "detach": True,
        "name": instance,
        "labels": {LABEL: instance},
        "init": True,
        "read_only": True,
        "tmpfs": {"/tmp": "rw,nosuid,nodev,size=512m,mode=1777"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "user": user,
        "mem_limit": "1g",
        "memswap_limit": "1g",
        "nano_cpus": 2_000_000_000,
        "pids_limit": 256,
        "shm_size": "64m",
        "environment": {
            "MCM_USER_ID": "7",
            "MCM_SESSION_ID": "test-1",
            "MCM_HTTP_PORT": "30007",
            "MCM_WS_PORT": "31007",
        },
        "volumes": {str(folder): {"bind": "/home/matlab/shared", "mode": "rw"}},
        "ports": {HTTP: ("127.0.0.1", None), WEBSOCKET: ("127.0.0.1", None)},
    }


@contextlib.contextmanager
def _user_folder(user: str, files: dict[str, str]) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mcmtest-session-"))
    try:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        if os.getuid() == 0:
            uid, gid = (int(part) for part in user.split(":"))
            for path in (folder, *folder.rglob("*")):
                os.chown(path, uid, gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
