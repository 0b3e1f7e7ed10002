"""A session under exactly our flags tries to get out; what came of each attempt is the table in the docs.

`CANARIES_WRITE=1` writes docs/security-canaries.md anew; without it the page must say what was seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from docker.models.containers import Container

from controller.fence import bridge_name, chain_name, jump, network_name
from tests.rig import PROFILES, ROOT, Rig
from tests.support import Lab, eventually
from tests.tables import stands

PAGE = ROOT / "docs/security-canaries.md"
ATTEMPTS = (ROOT / "tests/attempts.py").read_text()
ENVIRONMENT = {
    "MCM_BIND_ADDRESS": "0.0.0.0",
    "MCM_INSECURE": "true",
    "MCM_SESSION_TOKENS": "on",
    "MCM_RESYNC_SECONDS": "1",
}
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
AF_INET, AF_PACKET = 2, 17


@dataclass(frozen=True)
class Attempt:
    what: str
    how: tuple[Any, ...]
    outcome: str
    means: str = ""
    """Why an attempt may succeed, or what else is to be known."""
    needs_fence: bool = False


@dataclass(frozen=True)
class Place:
    """Where things are, as a session would guess or find out."""

    gateway: str
    host: str
    """Another address of the host."""
    neighbour: str
    neighbours_name: str
    service: int
    """A port on which something of the host's listens on every address."""
    listed: int
    """The same, and the operator lists it."""
    api: int
    published: tuple[int, int]

    def nearby(self, how: tuple[Any, ...]) -> bool:
        """This goes to the host, on whatever machine the tests run."""
        return len(how) > 1 and how[1] in (self.gateway, self.host)


def _shut(what: str, *how: Any) -> Attempt:
    return Attempt(what, how, "ECONNREFUSED", needs_fence=True)


def attempts(at: Place) -> list[Attempt]:
    http, ws = at.published
    return [
        _shut("a service of the host, at the network's gateway", "connect", at.gateway, at.service),
        _shut("a service of the host, at another of its addresses", "connect", at.host, at.service),
        Attempt("the controller's API, at the gateway", ("connect", at.gateway, at.api), "ECONNREFUSED"),
        _shut("a ping of the gateway", "ping", at.gateway),
        _shut("a neighbour's page, directly", "connect", at.neighbour, 8888),
        _shut("a neighbour's WebSocket, directly", "connect", at.neighbour, 8889),
        _shut("a neighbour's page, by its published port at the gateway", "connect", at.gateway, http),
        _shut("a neighbour's WebSocket, by its published port at the gateway", "connect", at.gateway, ws),
        _shut("a neighbour's page, by its published port at the host", "connect", at.host, http),
        _shut("cloud metadata, 169.254.169.254", "connect", "169.254.169.254", 80),
        _shut("the internet, 1.1.1.1 port 443", "connect", "1.1.1.1", 443),
        Attempt("a name on the internet", ("resolve", "example.org"), "not found", needs_fence=True),
        Attempt("an IPv6 address of its own", ("ipv6", at.service), "no address"),
        Attempt(
            "a place that `session_reach` lists", ("connect", at.host, at.listed), "reached", "the operator said so"
        ),
        Attempt(
            "a neighbour's name, by Docker's own resolver",
            ("resolve", at.neighbours_name),
            "found",
            "the names and addresses of those who run are no secret; nothing can be reached there",
        ),
        Attempt("the Docker socket", ("exists", "/var/run/docker.sock", "/run/docker.sock"), "not there"),
        Attempt("a mount", ("mount",), "EPERM"),
        Attempt("a mount namespace", ("unshare", CLONE_NEWNS), "EPERM"),
        Attempt("a user namespace", ("unshare", CLONE_NEWUSER), "EPERM"),
        Attempt("a raw socket", ("raw", AF_INET), "EPERM"),
        Attempt("a packet socket", ("raw", AF_PACKET), "EPERM"),
        Attempt("to become root", ("root",), "EPERM"),
        Attempt("a device of its own", ("mknod", "/tmp/mem"), "EPERM"),
        Attempt(
            "a disk or the kernel's memory", ("exists", "/dev/sda", "/dev/vda", "/dev/mem", "/dev/kmsg"), "not there"
        ),
        Attempt("a setting of the kernel", ("write", "/proc/sys/kernel/core_pattern"), "EROFS"),
        Attempt("a file in the root file system", ("write", "/etc/canary"), "EROFS"),
        Attempt("5,000 processes", ("forks", 5000), "EAGAIN before 256"),
        Attempt("to fill `/tmp`", ("fill", "/tmp/canary", 2048), "ENOSPC", "512 MB, which count as its memory"),
        Attempt("to fill `/dev/shm`", ("fill", "/dev/shm/canary", 2048), "ENOSPC", "as large as its profile says"),
        Attempt(
            "to write to the user's folder",
            ("fill", "/home/matlab/shared/canary", 1),
            "had it all",
            "it is the user's; how much goes in is not limited by the container",
        ),
        Attempt(
            "40 MB into the container's log",
            ("log", 40),
            "written",
            "the engine keeps the last 30 MB",
        ),
        Attempt("8 GB of memory", ("memory", 8192), "killed", "the process that asks; the session goes on"),
    ]


@contextlib.contextmanager
def listening() -> Iterator[int]:
    """Something of the host's that listens on every address."""
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen(16)
        yield server.getsockname()[1]


def tries(container: Container, what: dict[str, tuple[Any, ...]]) -> dict[str, str]:
    """What came of each. By `docker exec`, which gives a process all that holds the container, and no more."""
    assert container.id is not None
    done = subprocess.run(
        ["docker", "exec", "-i", container.id, "python3", "-c", ATTEMPTS],
        input=json.dumps(what),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def another_address() -> str:
    """Of this machine: not loopback, and of no container network."""
    for name, addresses in psutil.net_if_addrs().items():
        if not name.startswith(("lo", "docker", "br-", "mcm", "veth")):
            for each in addresses:
                if each.family == socket.AF_INET and not each.address.startswith("169.254."):
                    return each.address
    pytest.skip("this machine has no address but loopback and Docker's own")


@pytest.fixture
async def canary(idle_rig: Rig, lab: Lab) -> AsyncIterator[tuple[Rig, Place]]:
    """Two sessions, published on every address, so that nothing but the network keeps them from one another."""
    rig, host = idle_rig, another_address()
    with listening() as service, listening() as listed:
        larger = PROFILES.replace("memory: 256m", "memory: 1g")
        (lab.folder / "controller.yaml").write_text(f"{larger}session_reach: ['{host}:{listed}']\n")
        await rig.start(wait=True, **ENVIRONMENT)
        await asyncio.gather(rig.create(1), rig.create(2))
        await asyncio.gather(rig.comes_up(1), rig.comes_up(2))
        own = lab.container(2).attrs["NetworkSettings"]["Networks"][network_name(lab.instance)]
        published = (lab.http_base + 2, lab.ws_base + 2)
        yield rig, Place(own["Gateway"], host, own["IPAddress"], lab.name(2), service, listed, lab.api_port, published)


async def why_open(rig: Rig) -> str:
    _, told = await rig.call("GET", "/v1/status")
    return str(told["engine"]["open"])


async def test_no_attempt_gets_out_that_is_not_documented(canary: tuple[Rig, Place], lab: Lab) -> None:
    rig, at = canary
    told, began = await why_open(rig), lab.container(1).attrs["State"]["StartedAt"]
    todo = [each for each in attempts(at) if not (told and each.needs_fence)]
    found = await asyncio.to_thread(tries, lab.container(1), {each.what: each.how for each in todo})
    assert found == {each.what: each.outcome for each in todo}

    await asyncio.gather(rig.comes_up(1), rig.comes_up(2))  # it may still be busy with what was tried
    assert lab.container(1).attrs["State"]["StartedAt"] == began, "the session did not outlive what was tried in it"
    log = Path(lab.container(1).attrs["LogPath"])
    if os.access(log.parent, os.R_OK):
        assert sum(each.stat().st_size for each in log.parent.glob(f"{log.name}*")) < 31 * 10**6
    if told:
        pytest.skip(f"what the network keeps from sessions was not tried: {told}")
    stands(PAGE, page(todo))


async def test_it_is_the_rules_that_keep_them_and_they_come_back(canary: tuple[Rig, Place], lab: Lab) -> None:
    """An attempt that fails anywhere would prove nothing."""
    rig, at = canary
    if told := await why_open(rig):
        pytest.skip(told)
    todo = {each.what: each.how for each in attempts(at) if each.needs_fence and at.nearby(each.how)}
    await rig.stop()
    iptables("-F", chain_name(lab.instance))
    opened = await asyncio.to_thread(tries, lab.container(1), todo)
    published = {what for what in todo if "published" in what}  # without Docker's proxy its own rules keep those
    assert {opened[what] for what in todo.keys() - published} == {"reached", "answered"}
    assert {opened[what] for what in published} <= {"reached", "timed out"}
    iptables("-D", "INPUT", *jump(lab.instance).split())
    network = await asyncio.to_thread(doctor_on_the_network, rig)
    assert (network["level"], network["found"]) == (
        "fault",
        "The rules that close the sessions' network are not in force.",
    )
    assert network["mend"].endswith("COMMIT\nEND")

    await rig.start(wait=True, **ENVIRONMENT)
    found = await asyncio.to_thread(tries, lab.container(1), todo)
    assert set(found.values()) == {"ECONNREFUSED"}
    assert (await asyncio.to_thread(doctor_on_the_network, rig))["level"] == "ok"
    iptables("-F", chain_name(lab.instance))
    await eventually(lambda: "REJECT" in iptables("-S", chain_name(lab.instance)))
    let_pass = f"INPUT -i {bridge_name(lab.instance)} -j ACCEPT"
    iptables("-I", *let_pass.split())
    try:
        rules = await eventually(lambda: ours_first(iptables("-S", "INPUT"), jump(lab.instance), let_pass))
        assert rules.count(f"-A INPUT {jump(lab.instance)}\n") == 1
        again = await asyncio.to_thread(tries, lab.container(1), todo)
        assert set(again.values()) <= {"ECONNREFUSED", "timed out"}  # the kernel refuses one address six times at once
    finally:
        iptables("-D", *let_pass.split())


def ours_first(rules: str, ours: str, other: str) -> str:
    return rules if 0 <= rules.find(ours) < rules.find(other) else ""


def doctor_on_the_network(rig: Rig) -> dict[str, str]:
    command = (sys.executable, "-m", "controller", "doctor", "-o", "json")
    config = ("--config", str(rig.lab.folder / "controller.yaml"))
    done = subprocess.run(
        [*command, *config], cwd=ROOT, env=rig.environment(**ENVIRONMENT), capture_output=True, check=False
    )
    [found] = [each for each in json.loads(done.stdout)["findings"] if each["what"] == "network"]
    return dict(found)


def iptables(*words: str) -> str:
    return subprocess.run(["iptables", "--wait", *words], capture_output=True, text=True, check=True).stdout


HEAD = """\
# What a session tries, and what comes of it

<!-- Written by `CANARIES_WRITE=1 make test ARGS=tests/e2e/test_canaries.py`; change that test instead of this page. -->

`make test` runs each of these in a session's container, under the flags that every session has, with session ports
published on every address of the host, and fails where one ends otherwise. All fail but those whose reason stands
there. What the network keeps away needs the rules that [operations](operations.md#what-sessions-may-reach) tells of.

| A session tries | What comes of it | |
|---|---|---|
"""


def page(tried: list[Attempt]) -> str:
    rows = (f"| {each.what} | {each.outcome} | {each.means} |" for each in tried)
    return HEAD + "\n".join(rows) + "\n"
