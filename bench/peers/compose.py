"""Docker Compose v2: a service for each user, in a file of a hundred. Nothing of it stays but the containers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from bench import floor
from bench.peers import cache
from controller.fence import network_name
from controller.model import SessionSpec
from tests.support import Lab

USERS = range(1, 101)


class Compose:
    name = "Docker Compose"
    list_url = ""
    headers: Mapping[str, str] = {}

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.label = f"{lab.instance}-compose"
        self._command: list[str] = []

    def container(self, user_id: int) -> str:
        return f"{self._lab.instance}-floor{user_id}"

    async def open(self) -> None:
        program = await asyncio.to_thread(cache.compose)
        file = self._lab.folder / "compose.json"  # which is YAML as well
        file.write_text(json.dumps(self._project()))
        self._command = [str(program), "--project-name", self.label, "--file", str(file), "--ansi", "never"]

    async def up(self, user_ids: Sequence[int]) -> None:
        await self._run("up", "--detach", "--quiet-pull", *(f"u{user_id}" for user_id in user_ids))

    async def listed(self) -> int:
        return len((await self._run("ps", "--format", "json")).splitlines())

    async def health(self, user_id: int) -> None:
        assert await self._run("ps", "--format", "json", f"u{user_id}")

    async def restart(self) -> None:
        """There is nothing to start."""

    def processes(self) -> list[psutil.Process]:
        return []

    async def close(self) -> None:
        """Whoever lent the lab removes what carries its label."""

    async def _run(self, *words: str) -> str:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*self._command, *words, stdout=pipe, stderr=pipe)
        said, wrong = await process.communicate()
        assert process.returncode == 0, wrong.decode()[-1000:]
        return said.decode()

    def _project(self) -> dict[str, object]:
        services = {f"u{user_id}": self._service(floor.prepared(self._lab, user_id)) for user_id in USERS}
        network = {"default": {"name": network_name(self._lab.instance), "external": True}}
        return {"services": services, "networks": network}

    def _service(self, spec: SessionSpec) -> dict[str, object]:
        """Under the flags of `floor.py`."""
        return {
            "image": spec.image,
            "container_name": spec.name,
            "hostname": spec.name,
            "user": spec.run_as,
            "environment": dict(spec.env),
            "labels": {"mcm.instance": self.label},
            "init": True,
            "cpus": spec.cpus,
            "mem_limit": spec.memory,
            "memswap_limit": spec.memory,
            "shm_size": spec.shm,
            "pids_limit": 256,
            "ulimits": {"nofile": {"soft": 4096, "hard": 4096}},
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "read_only": True,
            "tmpfs": ["/tmp:rw,nosuid,nodev,size=512m,mode=1777"],
            "volumes": [{"type": "bind", "source": str(Path(spec.data_folder)), "target": "/home/matlab/shared"}],
            "ports": [f"{spec.bind_address}:{spec.http_port}:8888", f"{spec.bind_address}:{spec.ws_port}:8889"],
            "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
            "restart": "no",
        }
