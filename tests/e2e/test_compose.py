"""The controller as a container, by deploy/compose.yaml as it stands but for ports, names and the folder."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.rig import ROOT, Rig
from tests.support import Lab, eventually

COMPOSES = (("docker", "compose"), ("docker-compose",))
BUILD_SECONDS = 600
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
NOT_SOURCES = shutil.ignore_patterns("__pycache__", "node_modules")


def compose_here() -> tuple[str, ...]:
    """The command, of Compose 2 or of 1.29."""
    if os.environ.get("DOCKER_HOST"):
        pytest.skip("deploy/compose.yaml takes the engine at /var/run/docker.sock, and DOCKER_HOST names another")
    for command in COMPOSES:
        try:
            subprocess.run([*command, "version"], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    pytest.skip("no Docker Compose here: neither `docker compose` nor `docker-compose`")


@dataclass(frozen=True)
class Composed:
    lab: Lab
    command: tuple[str, ...]

    @property
    def image(self) -> str:
        return f"{self.lab.instance}-controller"

    def context(self) -> Path:
        """What the image is built from, and, as the page of operations says, whom this host trusts beside it."""
        folder = self.lab.folder / "context"
        shutil.copytree(ROOT / "controller", folder / "controller", ignore=NOT_SOURCES)
        (folder / "deploy").mkdir()
        for name in (".dockerignore", "deploy/Dockerfile", "pyproject.toml", "README.md", "requirements.lock"):
            shutil.copyfile(ROOT / name, folder / name)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(TRUSTED, folder / "deploy/host.crt")
        return folder

    def override(self) -> str:
        """What keeps it from the controller, sessions and images of this machine."""
        own = {**Rig(self.lab).environment(), "MCM_RESYNC_SECONDS": "1"}
        ours = {name: value for name, value in own.items() if name.startswith("MCM_")}
        service = {"image": self.image, "environment": ours, "build": {"context": str(self.context())}}
        return json.dumps({"services": {"controller": service}})

    async def run(self, *words: str) -> str:
        files = ("-f", str(ROOT / "deploy/compose.yaml"), "-f", str(self.lab.folder / "override.yaml"))
        process = await asyncio.create_subprocess_exec(
            *(*self.command, "-p", self.lab.instance, *files, *words),
            env={**os.environ, "MATLAB_FOLDER": str(self.lab.folder)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(BUILD_SECONDS):
            said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()

    @property
    def controller(self) -> Any:
        mine: dict[str, str | list[str] | bool] | None = {"label": [f"com.docker.compose.project={self.lab.instance}"]}
        (found,) = self.lab.client.containers.list(filters=mine)
        return found


@pytest.fixture
async def composed(lab: Lab) -> AsyncIterator[Composed]:
    composed = Composed(lab, compose_here())
    (lab.folder / "override.yaml").write_text(composed.override())
    try:
        yield composed
    finally:
        await composed.run("down", "--rmi", "all")


async def test_it_makes_sessions_closes_their_network_and_they_outlive_it(composed: Composed, lab: Lab) -> None:
    await composed.run("up", "-d", "--build")
    rig = Rig(lab)

    async def ready() -> bool:
        try:
            return (await rig.call("GET", "/readyz"))[0] == 200
        except aiohttp.ClientError:
            return False

    try:
        await eventually(ready, 60)
        assert (await rig.create(1))[0] in (200, 201, 202)
        await rig.comes_up(1)
        assert "user 2: ready" in await composed.run("exec", "-T", "controller", "matlabctl", "create", "2")
        await rig.comes_up(2)
        async with aiohttp.ClientSession() as browser, browser.get(f"{rig.url}/dashboard/") as page:
            assert (page.status, page.content_type) == (200, "text/html"), "the image has the dashboard in it"
        _, status = await rig.call("GET", "/v1/status")
        assert status["engine"]["open"] == "", "the container's NET_ADMIN is there to close the sessions' network"
        checked = json.loads(await composed.run("exec", "-T", "controller", "matlabctl", "doctor", "-o", "json"))
        assert [each for each in checked["findings"] if each["level"] == "fault"] == []

        async def usage() -> Any:
            return (await rig.call("GET", "/v1/users/1"))[1]["observed"]["usage"]

        assert await eventually(usage)
        folder = (rig.data / "user_1").stat()
        assert (folder.st_uid, folder.st_gid, folder.st_mode & 0o777) == (1000, 1000, 0o700)

        before = {user_id: lab.container(user_id).attrs["State"]["StartedAt"] for user_id in (1, 2)}
        first = composed.controller.attrs["State"]["Pid"]
        os.kill(first, signal.SIGKILL)  # as a crash would: the engine starts it again
        await eventually(lambda: composed.controller.attrs["State"]["Pid"] not in (0, first))
        await eventually(ready, 60)
        await composed.run("restart", "controller")
        await eventually(ready, 60)
        assert await rig.healthy(1)
        await composed.run("down")
        assert {user_id: lab.container(user_id).attrs["State"]["StartedAt"] for user_id in (1, 2)} == before
        assert {lab.container(user_id).status for user_id in (1, 2)} == {"running"}
    finally:
        await rig.close()
