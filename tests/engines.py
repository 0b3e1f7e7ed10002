"""Runs tests on the Docker engine of another Debian release: python -m tests.engines RELEASE[+SETTINGS] [PYTEST ...]

`scripts/tree` has unpacked that release's packages: dockerd, containerd, runc and their `iptables` run inside of it, as
on a machine of that release, and the controller and the tests outside, with what is here. `scripts/alone` gives them a
world where this engine meets no other.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.errors

from tests.rig import ROOT
from tests.support import IMAGE

SUITES = (
    *("tests/contract/test_engine.py", "tests/contract/test_hardening.py"),
    *("tests/e2e/test_canaries.py", "tests/e2e/test_contract.py", "tests/e2e/test_healing.py"),
    *("tests/e2e/test_upgrade.py", "tests/e2e/test_access.py"),
)
SETTINGS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "": ((), {}),
    "as-29": (("--feature", "containerd-snapshotter=true"), {"DOCKER_MIN_API_VERSION": "1.44"}),
    "no-iptables": (("--iptables=false",), {}),
}
"""How an engine may be set, in options and environment: `as-29` as Docker 29 is by default."""
INSIDE = """
tree=$1
shift
mount --bind "$tree" "$tree"
for shared in /proc /sys /dev /tmp; do
    mkdir -p "$tree$shared"
    mount --rbind "$shared" "$tree$shared"
done
mkdir -p "$tree/run" "$tree/mnt"
mount -t tmpfs tmpfs "$tree/run"
cp /etc/hosts /etc/resolv.conf "$tree/etc/"
cd "$tree"
pivot_root . mnt
umount --lazy mnt
exec "$@"
"""
"""The tree becomes the root of a mount namespace, not just of a process: `docker exec` joins containers from there."""
START_SECONDS = 60
NETWORK = "10.213.77"


def main(tree: Path, settings: str, arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="mcm-engine-") as folder, an_engine(tree, settings, Path(folder)) as host:
        environment = {**os.environ, "DOCKER_HOST": host}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", *(arguments or SUITES)],
            env=environment,
            check=False,
        ).returncode


@contextlib.contextmanager
def an_engine(tree: Path, settings: str, folder: Path) -> Iterator[str]:
    """Its address, with the session image on it."""
    lead_nowhere()
    host = f"unix://{folder}/engine.sock"
    options, environment = SETTINGS[settings]
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("unshare", "--mount", "bash", "-euc", INSIDE, "inside", str(tree)),
                *("dockerd", "--host", host, "--pidfile", f"{folder}/dockerd.pid"),
                *("--data-root", f"{folder}/root", "--exec-root", f"{folder}/exec"),
                *("--cgroup-parent", "/mcm-engines", "--shutdown-timeout", "5", *options),
            ],
            stdout=log,
            stderr=log,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
        )
    try:
        with contextlib.closing(docker.from_env()) as usual, contextlib.closing(answering(host, process)) as other:
            said = other.version()
            print(
                f"Docker {said['Version']} of {tree.name}, API {said['MinAPIVersion']} to {said['ApiVersion']},",
                end=" ",
            )
            print(", ".join(f"{each['Name']} {each['Version']}" for each in said["Components"][1:3]))
            other.images.load(b"".join(usual.images.get(IMAGE).save(named=True)))
        yield host
    except BaseException:
        print((folder / "dockerd.log").read_text(errors="replace")[-4000:], file=sys.stderr)
        raise
    finally:
        process.terminate()
        process.wait(30)


def lead_nowhere() -> None:
    """An address and a way out, as a machine has: what is refused shall be so by our rules, not for want of a route."""
    for command in (
        "link add out type veth peer name nowhere",
        f"address add {NETWORK}.1/24 dev out",
        "link set out up",
        "link set nowhere up",
        f"route add default via {NETWORK}.2 dev out",
    ):
        subprocess.run(["ip", *command.split()], check=True)


def answering(host: str, process: subprocess.Popen[bytes]) -> docker.DockerClient:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(docker.errors.DockerException):
            return docker.DockerClient(base_url=host, timeout=120)
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("dockerd does not come up")
        time.sleep(0.1)


if __name__ == "__main__":
    release, _, how = sys.argv[1].partition("+")
    sys.exit(main(ROOT / ".engines" / release, how, sys.argv[2:]))
