"""A swarm of real nodes on one machine: each has a dockerd, a host name and a network of its own, on one bridge.

It is made in the namespaces of `scripts/alone`, so that whatever a run leaves, killed or not, ends with these. All
nodes have this machine's files: a user's folder is the same on each, as on a file system that they share.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import docker.errors

from controller.engine.service import SideDoor
from tests.faults.engine import OwnEngine
from tests.support import IMAGE, eventually

BRIDGE = "mcm-swarm"
HERE = "10.77.0.1"
"""Where the tests are, in the nodes' network."""
CGROUPS = Path("/sys/fs/cgroup")
FOLDER = "mcm-swarm-"
SIDE_PORT = 2376
REQUEST = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
HEARTBEAT = 1
"""Seconds between two of a node; three that stay out, and it is down."""
PATIENCE = 180.0
"""Seconds for what takes a few where nothing else is to be done: three engines may have half a processor."""


class Node(OwnEngine):
    """One machine of the swarm."""

    def __init__(self, name: str, address: str, folder: Path) -> None:
        self.name = name
        self.address = address
        self.link = f"mcm-{name}"
        """Its cable's end on the bridge."""
        self.id = ""
        """In the swarm."""
        self._holder = _machine(name)
        names = (f"--{kind}=/proc/{self._holder.pid}/ns/{kind}" for kind in ("net", "uts"))
        self.cgroup = f"{folder.parent.name}-{name}"
        """Of all that runs on it: another run's nodes on this machine have others."""
        folder.mkdir()
        (folder / "daemon.json").write_text("{}")
        certify(folder.parent, folder, address)
        options = (
            *("--config-file", str(folder / "daemon.json"), "--cgroup-parent", f"/{self.cgroup}"),
            *("--host", f"tcp://{address}:{SIDE_PORT}", "--tlsverify", f"--tlscacert={folder.parent / 'ca.pem'}"),
            *(f"--tlscert={folder / 'cert.pem'}", f"--tlskey={folder / 'key.pem'}"),
        )
        super().__init__(folder, ("nsenter", *names), options)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def role(self) -> str:
        return "manager" if self.name == "n1" else "worker"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def plug_in(self) -> None:
        """A cable to the bridge."""
        _run("ip", "link", "add", self.link, "type", "veth", "peer", "eth0", "netns", str(self._holder.pid))
        _run("ip", "link", "set", self.link, "master", BRIDGE, "up")
        there = ("nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "ip")
        _run(*there, "link", "set", "lo", "up")
        _run(*there, "address", "add", f"{self.address}/24", "dev", "eth0")
        _run(*there, "link", "set", "eth0", "up")
        _run(*there, "route", "add", "default", "via", HERE)

    def kill(self) -> None:
        """Its engine, at once: its containers go on."""
        self.client.close()
        self.send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(10)

    def cut_off(self) -> None:
        """Its cable is drawn."""
        _run("ip", "link", "set", self.link, "down")

    def join_again(self) -> None:
        _run("ip", "link", "set", self.link, "up")

    async def end(self) -> None:
        await self.stop()
        self._holder.kill()
        self._holder.wait(10)


@dataclass(frozen=True)
class Cluster:
    """The first node is its only manager."""

    nodes: tuple[Node, ...]
    door: SideDoor
    """To the nodes' own engines."""

    @property
    def manager(self) -> Node:
        return self.nodes[0]

    @property
    def api(self) -> Any:
        """The manager's, whose types the SDK does not tell."""
        return self.manager.client.api

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def container(self, service: str) -> tuple[Node, str]:
        """Where this service's task runs, and the id of its container there.

        Raises:
            LookupError: nowhere.
        """
        for node in self.nodes:
            for row in node.client.api.containers(filters={"label": f"com.docker.swarm.service.name={service}"}):
                return node, str(row["Id"])
        raise LookupError(service)

    def others(self, lost: Node) -> Cluster:
        return replace(self, nodes=tuple(node for node in self.nodes if node is not lost))

    async def taken_back(self, lost: Node) -> None:
        """A node that was killed and taken out of the swarm starts with no container, and joins anew."""
        if not lost.alive:
            await lost.start()
        await asyncio.to_thread(lost.client.swarm.leave, force=True)
        await eventually(lambda: not lost.client.api.containers(), PATIENCE)
        await asyncio.to_thread(_join_one, lost, self.manager)

    def hand(self, deed: str, service: str) -> None:
        """Do with a service, or with its container, what somebody at a node's shell may do."""
        if deed == "remove":
            self.api.remove_service(service)
        else:
            node, container_id = self.container(service)
            getattr(node.client.containers.get(container_id), deed)()

    def amend(self, service: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a service's spec, as `docker service update` does."""
        found = self.api.inspect_service(service)
        change(found["Spec"])
        url = self.api._url("/services/{0}/update", service)
        self.api._post_json(url, found["Spec"], params={"version": found["Version"]["Index"]}).raise_for_status()

    def give(self, node: Node, availability: str = "active", **labels: str) -> None:
        """This node has these labels, and no others, and is available as said."""
        spec = {"Availability": availability, "Role": node.role, "Labels": labels}
        while True:
            version = self.api.inspect_node(node.id)["Version"]["Index"]
            try:
                self.api.update_node(node.id, version, spec)
            except docker.errors.APIError as error:  # the managers themselves came in between
                if "out of sequence" not in str(error):
                    raise
            else:
                return

    def foreigner(self, name: str) -> None:
        """A service that somebody else made."""
        container = {"Image": IMAGE, "Command": ["sleep", "600"]}
        self.api.create_service({"ContainerSpec": container}, name=name)

    async def put_right(self) -> None:
        """Each node is there and takes sessions, and no service is left, whatever a test that failed has done."""
        for node in self.nodes:
            node.join_again()
            if not node.alive:
                await node.start()
            if node.id not in {each["ID"] for each in await asyncio.to_thread(self.api.nodes)}:
                await self.taken_back(node)
            await asyncio.to_thread(self.give, node)
        await eventually(lambda: all(self._is_ready(node) for node in self.nodes), PATIENCE)
        await self.cleared()

    def _is_ready(self, node: Node) -> bool:
        return bool(self.api.inspect_node(node.id)["Status"]["State"] == "ready")

    async def cleared(self) -> None:
        """No service is left, and no container of one."""
        await asyncio.to_thread(self._clear)
        await eventually(lambda: not any(node.client.api.containers(all=True) for node in self.nodes), PATIENCE)

    def _clear(self) -> None:
        for service in self.api.services():
            with contextlib.suppress(docker.errors.NotFound):
                self.api.remove_service(service["ID"])
        for node in self.nodes:
            for row in node.client.api.containers():
                with contextlib.suppress(docker.errors.APIError):
                    node.client.api.kill(row["Id"])


@contextlib.asynccontextmanager
async def a_cluster(nodes: int = 3) -> AsyncIterator[Cluster]:
    """So many nodes with the images that tests use; gone afterwards."""
    made: list[Node] = []
    with _a_folder() as folder, _a_bridge():
        _run(*REQUEST, "-x509", "-days", "1", "-subj", "/CN=tests", *_into(folder, "ca-key.pem", "ca.pem"))
        certify(folder, folder, HERE)
        for n in range(1, nodes + 1):
            made.append(Node(f"n{n}", f"10.77.0.1{n}", folder / f"n{n}"))
            made[-1].plug_in()
        await asyncio.gather(*(node.start() for node in made))
        with contextlib.closing(docker.from_env()) as usual:
            image = b"".join(usual.images.get(IMAGE).save(named=True))
        await asyncio.gather(*(asyncio.to_thread(node.load, image) for node in made))
        await asyncio.to_thread(_join, made)
        files = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        yield Cluster(tuple(made), SideDoor(SIDE_PORT, *files))
        await asyncio.gather(*(node.end() for node in made))


def certify(authority: Path, folder: Path, address: str) -> None:
    """A certificate for whoever has this address, and its key, by the authority in that folder."""
    said = (
        f"subjectAltName=IP:{address}",
        "extendedKeyUsage=serverAuth,clientAuth",
        *("authorityKeyIdentifier=keyid", "subjectKeyIdentifier=hash"),
    )
    (folder / "names").write_text("\n".join(said))
    _run(*REQUEST, "-subj", f"/CN={address}", *_into(folder, "key.pem", "request.pem"))
    _run(
        *("openssl", "x509", "-req", "-days", "1", "-CAcreateserial", "-extfile", str(folder / "names")),
        *("-CA", str(authority / "ca.pem"), "-CAkey", str(authority / "ca-key.pem")),
        *("-in", str(folder / "request.pem"), "-out", str(folder / "cert.pem")),
    )


def _into(folder: Path, key: str, out: str) -> tuple[str, ...]:
    return "-keyout", str(folder / key), "-out", str(folder / out)


@contextlib.contextmanager
def _a_folder() -> Iterator[Path]:
    """Empty, and gone afterwards, as are those of runs that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        with (left / "lock").open("a") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(left)
    folder = Path(tempfile.mkdtemp(prefix=FOLDER))
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            _remove(folder)


def _remove(folder: Path) -> None:
    """With what engines have mounted below it, and their control groups, the innermost first."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed([each for each in mounted if each.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)
    for top in CGROUPS.glob(f"**/{folder.name}-n[0-9]"):
        for group in sorted((top, *(each for each in top.rglob("*") if each.is_dir())), reverse=True):
            with contextlib.suppress(OSError):
                group.rmdir()


def _join(nodes: list[Node]) -> None:
    first, *others = nodes
    first.client.swarm.init(advertise_addr=first.address, listen_addr=f"{first.address}:2377")
    first.client.swarm.reload()
    first.client.swarm.update(dispatcher_heartbeat_period=HEARTBEAT * 1_000_000_000)
    first.id = str(first.client.info()["Swarm"]["NodeID"])
    for each in others:
        _join_one(each, first)


def _join_one(node: Node, manager: Node) -> None:
    manager.client.swarm.reload()
    token = manager.client.swarm.attrs["JoinTokens"]["Worker"]
    at = node.address
    node.client.swarm.join([f"{manager.address}:2377"], token, listen_addr=at, advertise_addr=at)
    node.id = str(node.client.info()["Swarm"]["NodeID"])


def _machine(name: str) -> subprocess.Popen[bytes]:
    """A process that holds a host name and a network, as long as it lives."""
    held = ["unshare", "--net", "--uts", "sh", "-c", f"hostname {name}; echo; exec sleep infinity"]
    holder = subprocess.Popen(held, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.stdout.close()
    return holder


@contextlib.contextmanager
def _a_bridge() -> Iterator[None]:
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "address", "add", f"{HERE}/24", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    try:
        yield
    finally:
        _run("ip", "link", "delete", BRIDGE)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
