"""A place of one's own on the real engine, and waiting for what must become true; for the tests and the benchmark.

What is made here is labelled with an instance id that names its process, so that the next run can clear away what a
crashed one left, and never anything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container

from controller.engine.hardening import FLAGS
from controller.fence import FROM_DOCKER, chain_name, jump
from controller.model import SessionSpec
from tests.worlds import a_spec

IMAGE = "matlab-session:octave"
MIB = 2**20
LABEL = "mcm.instance"
OURS = "mcmtest-"
PORTS = 300
"""Of one test's instance."""


@dataclass(frozen=True)
class Lab:
    """One test's own instance on the real engine."""

    client: docker.DockerClient
    instance: str
    folder: Path
    api_port: int
    http_base: int
    ws_base: int

    @property
    def prefix(self) -> str:
        return f"{self.instance}-u"

    def name(self, user_id: int) -> str:
        return f"{self.prefix}{user_id}"

    def container(self, user_id: int) -> Container:
        return self.client.containers.get(self.name(user_id))

    def containers(self) -> list[Container]:
        # The engine takes back a create whose caller was killed, also between its list and a look at each.
        return self.client.containers.list(
            all=True, filters={"label": f"mcm.instance={self.instance}"}, ignore_removed=True
        )

    def foreigner(self, name: str, **more: Any) -> Container:
        """A container that somebody else made, marked only for our clean-up."""
        return self.client.containers.create(
            IMAGE, name=name, labels={"mcm.instance": f"{self.instance}-foreign"}, command=["sleep", "600"], **more
        )

    def remake(
        self, container_id: str, host: Mapping[str, Any] | None = None, user: str = "", without: Sequence[str] = ()
    ) -> str:
        """A copy by somebody else's hand in a container's place, with another `HostConfig`, user or fewer labels."""
        api = self.client.api
        was = api.inspect_container(container_id)
        api.remove_container(container_id, force=True)
        config, before = was["Config"], was["HostConfig"]
        kept = {
            name: before[name] for name in ("Mounts", "Memory", "MemorySwap", "PidsLimit", "NanoCpus", "NetworkMode")
        }
        made = api.create_container(
            image=config["Image"],
            name=was["Name"].removeprefix("/"),
            user=user or config["User"],
            labels={name: value for name, value in config["Labels"].items() if name not in without},
            host_config={**kept, **FLAGS, **(host or {})},
        )
        return str(made["Id"])

    def spec(self, user_id: int, **changes: object) -> SessionSpec:
        folder = self.folder / "data" / f"user_{user_id}"
        own = {
            "name": self.name(user_id),
            "data_folder": str(folder),
            "http_port": self.http_base + user_id,
            "ws_port": self.ws_base + user_id,
            "memory": 256 * MIB,
            "shm": 64 * MIB,
            "cpus": 1,
        }
        return a_spec(user_id, **(own | changes))


async def eventually(what: Callable[[], Any], seconds: float = 30.0, every: float = 0.02) -> Any:
    """Ask until the answer (awaited where it is to be) is true, and return it.

    Raises:
        AssertionError: it was not by then; with the last answer or the last error.
    """
    end = time.monotonic() + seconds
    while True:
        last: object
        try:
            answer = what()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return answer
            last = answer
        except (AssertionError, OSError, LookupError, docker.errors.APIError) as error:
            last = error  # of a container that is just being removed Docker 20.10 now and then says 500
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s; the last answer was {last!r}")
        await asyncio.sleep(every)


@contextlib.asynccontextmanager
async def meanwhile(part: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """A part of the controller runs for as long as the block does."""
    task = asyncio.create_task(part)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def manifest(folder: Path) -> dict[str, tuple[int, int, int, str]]:
    """Of each thing below: mode, owner, and what a link says or a file holds. No link is followed."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            stat = path.lstat()
            content = os.readlink(path) if path.is_symlink() else "" if path.is_dir() else path.read_bytes().hex()
            found[str(path.relative_to(folder))] = (stat.st_mode, stat.st_uid, stat.st_gid, content)
    return found


def an_instance() -> str:
    """By this name what a run that is killed leaves behind is found."""
    return f"{OURS}{os.getpid()}-{secrets.token_hex(3)}"


@contextlib.contextmanager
def a_lab(client: docker.DockerClient) -> Iterator[Lab]:
    """A place of its own, empty afterwards."""
    instance = an_instance()
    folder = Path(tempfile.mkdtemp(prefix=f"{instance}-"))
    folder.chmod(0o755)
    with free_ports() as ports:
        try:
            yield Lab(client, instance, folder, *ports)
        finally:
            _clear_away(client, lambda other: other.startswith(instance))
            shutil.rmtree(folder, ignore_errors=True)


def clear_away_leftovers(client: docker.DockerClient) -> None:
    """Remove what runs that are no longer there have left."""
    _clear_away(client, lambda instance: not _alive(instance))


def _clear_away(client: docker.DockerClient, chosen: Callable[[str], bool]) -> None:
    """Remove the tests' containers whose instance is `chosen`, a few at a time."""

    def remove(container_id: str) -> None:
        with contextlib.suppress(docker.errors.APIError):
            client.api.remove_container(container_id, force=True, v=True)

    rows = client.api.containers(all=True, filters={"label": LABEL})
    with ThreadPoolExecutor(4) as pool:
        for row in rows:
            instance = row["Labels"].get(LABEL, "")
            if instance.startswith(OURS) and chosen(instance):
                pool.submit(remove, row["Id"])
    for network in client.api.networks(filters={"label": LABEL}):
        instance = network["Labels"].get(LABEL, "")
        if instance.startswith(OURS) and chosen(instance):
            with contextlib.suppress(docker.errors.APIError):
                client.api.remove_network(network["Id"])
            _open_again(instance)


def _open_again(instance: str) -> None:
    """Take the rules away that a controller, which may, has made for its network."""
    chain = chain_name(instance)
    jumps = [f"-D {hook} {jump(instance)}".split() for hook in ("INPUT", "FORWARD", FROM_DOCKER)]
    for command in (*jumps, ["-F", chain], ["-X", chain]):
        subprocess.run(["iptables", "--wait", *command], capture_output=True, check=False)


def _alive(instance: str) -> bool:
    """Whether the run that this instance belongs to is still there."""
    pid = instance.removeprefix(OURS).partition("-")[0]
    return pid.isdecimal() and Path(f"/proc/{pid}").exists()


@contextlib.contextmanager
def free_ports() -> Iterator[tuple[int, int, int]]:
    """An API port and two bases with 130 free ports above each, away from the defaults, and nobody else's meanwhile.

    Tests run in several processes: free is not enough, for a neighbour may have looked a moment ago and not begun to
    listen. So a block is held by a name that the kernel gives to one process and takes back from a dead one.
    """
    blocks = list(range(20000, 29000, PORTS))
    random.shuffle(blocks)
    for base in blocks:
        with socket.socket(socket.AF_UNIX) as claim:
            try:
                claim.bind(f"\0{OURS}ports-{base}")
            except OSError:
                continue
            if all(_free(port) for port in range(base, base + PORTS)):
                yield base, base + 10, base + 150
                return
    raise RuntimeError("no free ports for the tests between 20000 and 29000")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
