"""A Docker engine of the tests' own, which may be killed: they run in namespaces where it meets no other."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import docker

from tests.support import IMAGE, eventually

STAND_IN = "mcm-stand-in:faults"
"""A session that costs nothing, and misbehaves where its user's folder says so."""
IN_CONTAINER = Path(__file__).with_name("stand_in.py")


class OwnEngine:
    """dockerd with folders, socket, network namespace and containerd of its own."""

    def __init__(self, folder: Path, within: Sequence[str] = (), options: Sequence[str] = ()) -> None:
        """
        Args:
            within: a command that runs what follows it, in other namespaces.
            options: of dockerd, beside those that every one here has.
        """
        self._folder = folder
        self._within = within
        self._options = options
        self.socket = folder / "engine.sock"
        self.client = docker.DockerClient(base_url=f"unix://{self.socket}", version="1.41", timeout=60)
        """Past all faults: what it says is the truth."""
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, *, live_restore: bool = False) -> None:
        """And wait until it answers."""
        self._spawn(live_restore)
        await eventually(self._answers, 60)
        self.client.close()  # its connections to the one before; it makes new ones

    def _spawn(self, live_restore: bool) -> None:
        with (self._folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(
                        *self._within,
                        "dockerd",
                        "--host",
                        f"unix://{self.socket}",
                        "--pidfile",
                        str(self._folder / "dockerd.pid"),
                    ),
                    *("--data-root", str(self._folder / "root"), "--exec-root", str(self._folder / "exec")),
                    *("--cgroup-parent", "/mcm-faults", "--shutdown-timeout", "5", "--log-level", "warn"),
                    *(*self._options, *(["--live-restore"] if live_restore else [])),
                ],
                env={**os.environ, "DOCKER_SERVICE_PREFER_OFFLINE_IMAGE": "1"},
                stdout=log,
                stderr=log,
            )

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self._process is not None
        self.client.close()
        self._process.send_signal(number)
        await asyncio.to_thread(self._process.wait, 60)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill_containerd(self) -> None:
        """Which dockerd starts again by itself."""
        os.kill(int((self._folder / "exec/containerd/containerd.pid").read_text()), signal.SIGKILL)

    async def _answers(self) -> bool:
        """Asked without the SDK, which leaves a connection that failed to the garbage collector."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"dockerd ended: {(self._folder / 'dockerd.log').read_text()[-2000:]}")
        reader, writer = await asyncio.open_unix_connection(self.socket)
        try:
            writer.write(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
            return (await reader.read()).endswith(b"OK")
        finally:
            writer.close()

    def clear(self) -> None:
        """No container is left."""
        for container in self.client.containers.list(all=True):
            container.remove(force=True)

    def take_images(self, other: docker.DockerClient) -> None:
        """Those that tests use, from an engine that has the session image."""
        self.load(b"".join(other.images.get(IMAGE).save(named=True)))

    def load(self, image: bytes) -> None:
        """The session image as it was saved, and a stand-in made of that."""
        self.client.images.load(image)
        made = self.client.containers.create(IMAGE)
        command = ["python3", "-S", "-E", "-c", IN_CONTAINER.read_text()]
        repository, _, tag = STAND_IN.partition(":")
        made.commit(repository, tag, conf={"Cmd": command})
        made.remove()
