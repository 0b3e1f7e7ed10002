"""A peer that is a process of its own, asked by HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from bench.peers import Missing
from tests.support import eventually


class Process:
    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str], url: str) -> None:
        """`url` answers 200 once it is there. The process ends with ours, however that ends."""
        self._command = ["setpriv", "--pdeathsig", "TERM", *command]
        self._folder = folder
        self._environment = environment
        self._url = url
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self, headers: Mapping[str, str]) -> None:
        """Raises: Missing: it does not come up."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=120)
            self._session = aiohttp.ClientSession(
                headers=headers, timeout=timeout, connector=aiohttp.TCPConnector(limit=0)
            )
        with (self._folder / "peer.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=self._folder, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            await eventually(self._answers, 60)
        except AssertionError as error:
            said = (self._folder / "peer.log").read_text().strip().splitlines()[-1:]
            raise Missing(f"it does not come up: {''.join(said)}") from error

    async def ask(self, method: str, url: str, body: object = None) -> tuple[int, Any]:
        assert self._session is not None
        async with self._session.request(method, url, json=body) as answer:
            return answer.status, await answer.json() if answer.content_type == "application/json" else None

    def all(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            processes = self.all()
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 20)
            for left in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    left.kill()
            await self._process.wait()

    async def close(self) -> None:
        await self.stop()
        if self._session is not None:
            await self._session.close()

    async def _answers(self) -> bool:
        try:
            status, _ = await self.ask("GET", self._url)
        except aiohttp.ClientError:
            return False
        return status == 200
