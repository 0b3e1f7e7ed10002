"""A real controller in a process of its own, on the real engine, and a caller's view of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.support import Lab, eventually

ROOT = Path(__file__).parents[1]
PROFILES = """\
profiles:
  standard: {cpus: 1, memory: 256m, shm: 64m}
  large: {cpus: 2, memory: 512m, shm: 64m}
"""

Answer = tuple[int, Any]


class Rig:
    def __init__(self, lab: Lab, settings: str = PROFILES) -> None:
        self.lab = lab
        self.wish = lab.folder / "desired_state.yaml"
        self.log_file = lab.folder / "controller.log"
        self.data = lab.folder / "data"
        self.url = f"http://127.0.0.1:{lab.api_port}"
        self.process: asyncio.subprocess.Process | None = None
        self.program: tuple[str, ...] = ("-m", "controller")
        """For Python."""
        (lab.folder / "controller.yaml").write_text(settings)
        self._session: aiohttp.ClientSession | None = None

    def environment(self, **changes: str) -> dict[str, str]:
        own = {
            "MCM_API_PORT": str(self.lab.api_port),
            "MCM_HTTP_PORT_BASE": str(self.lab.http_base),
            "MCM_WS_PORT_BASE": str(self.lab.ws_base),
            "MCM_INSTANCE": self.lab.instance,
            "MCM_CONTAINER_PREFIX": self.lab.prefix,
            "MCM_DESIRED_STATE": str(self.wish),
            "MCM_STATE_DIR": str(self.lab.folder / "state"),
            "MCM_DATA_ROOT": str(self.data),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MCM_", "PYTHON"))}
        return inherited | own | changes

    # ------------------------------------------------------------ the process

    async def start(self, wait: bool = True, **changes: str) -> None:
        with self.log_file.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, *self.program, "serve"),
                *("--config", str(self.lab.folder / "controller.yaml")),
                cwd=ROOT,
                env=self.environment(**changes),
                stdout=log,
                stderr=log,
            )
        if wait:
            await eventually(lambda: self.answers("/readyz"))

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(20):
            return await self.process.wait()

    async def close(self) -> None:
        if self.process is not None and self.process.returncode is None:
            await self.stop(signal.SIGKILL)
        if self._session is not None:
            await self._session.close()

    def log(self) -> str:
        return self.log_file.read_text()

    # ------------------------------------------------------------ its callers

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        data = None if body is None else json.dumps(body)
        sent: Mapping[str, str] = headers if body is None else {"Content-Type": "application/json", **headers}
        async with self._session.request(method, self.url + path, data=data, headers=sent) as response:
            return response.status, await response.json()

    async def create(self, user_id: int, **more: object) -> Answer:
        return await self.call("POST", "/create", {"user_id": user_id, **more})

    async def destroy(self, user_id: int) -> Answer:
        return await self.call("POST", f"/destroy/{self.lab.name(user_id)}")

    async def restart(self, user_id: int) -> Answer:
        return await self.call("POST", f"/restart/{self.lab.name(user_id)}")

    async def health(self, user_id: int) -> Any:
        return (await self.call("GET", f"/health/{self.lab.name(user_id)}"))[1]

    async def statuses(self) -> dict[int, str]:
        """Docker's word for each user's container, as `GET /list` tells it."""
        _, body = await self.call("GET", "/list")
        return {row["user_id"]: row["status"] for row in body["containers"]}

    async def healthy(self, user_id: int) -> bool:
        health = await self.health(user_id)
        return (health.get("web_service"), health.get("websocket_service")) == ("healthy", "healthy")

    async def comes_up(self, user_id: int) -> None:
        """Wait until both services answer: a second or two, or a minute where many interpreters start at once."""
        await eventually(lambda: self.healthy(user_id), 120, every=0.1)

    async def all_come_up(self, user_ids: Iterable[int]) -> None:
        """Create these users' sessions, where they are not there yet, and wait for all at once."""

        async def one(user_id: int) -> None:
            await self.create(user_id)
            await self.comes_up(user_id)

        await asyncio.gather(*map(one, user_ids))

    async def answers(self, path: str = "/healthz") -> bool:
        """Whether the controller listens and answers this with 200."""
        assert self.process is not None
        if self.process.returncode is not None:
            raise RuntimeError(f"the controller ended with code {self.process.returncode}:\n{self.log()}")
        try:
            status, _ = await self.call("GET", path)
        except aiohttp.ClientError:
            return False
        return status == 200
