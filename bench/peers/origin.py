"""A minimal Flask app that does what such apps do (`origin_app.py`), as one of those who are compared."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from bench import floor
from bench.peers import Missing, cache
from bench.peers.process import Process
from controller.fence import network_name
from tests.support import Lab

APP = Path(__file__).with_name("origin_app.py")


class Origin:
    name = "Flask over the shell"
    headers: Mapping[str, str] = {}

    def __init__(self, lab: Lab, port: int) -> None:
        self._lab = lab
        self._url = f"http://127.0.0.1:{port}"
        self.list_url = f"{self._url}/list"
        self._port = port
        self._process: Process | None = None

    def container(self, user_id: int) -> str:
        return f"{self._lab.instance}-floor{user_id}"

    async def open(self) -> None:
        for program in ("docker", "curl"):
            if shutil.which(program) is None:
                raise Missing(f"there is no `{program}` here, which it calls")
        python = await asyncio.to_thread(cache.python)
        spec = floor.prepared(self._lab, 1)
        told = {
            "prefix": self.container(0).removesuffix("0"),
            "image": spec.image,
            "data": str(Path(spec.data_folder).parent),
            "http_base": spec.http_port - 1,
            "ws_base": spec.ws_port - 1,
            "label": f"mcm.instance={self._lab.instance}-origin",
            "network": network_name(self._lab.instance),
            "user": spec.run_as,
            "cpus": spec.cpus,
            "memory": spec.memory,
            "shm": spec.shm,
            "env": dict(spec.env),
        }
        environment = {**os.environ, "ORIGIN": json.dumps(told)}
        self._process = Process([str(python), str(APP), str(self._port)], self._lab.folder, environment, self._url)
        await self._process.start({})

    async def up(self, user_ids: Sequence[int]) -> None:
        assert self._process is not None
        for user_id in user_ids:
            floor.prepared(self._lab, user_id)
        asked = [self._process.ask("POST", f"{self._url}/create", {"user_id": user_id}) for user_id in user_ids]
        answers = await asyncio.gather(*asked)
        assert all(status == 201 for status, _ in answers), answers

    async def listed(self) -> int:
        assert self._process is not None
        _, body = await self._process.ask("GET", self.list_url)
        return int(body["total"])

    async def health(self, user_id: int) -> None:
        assert self._process is not None
        status, body = await self._process.ask("GET", f"{self._url}/health/{user_id}")
        assert status == 200, body

    async def restart(self) -> None:
        assert self._process is not None
        await self._process.stop()
        await self._process.start({})

    def processes(self) -> list[psutil.Process]:
        return [] if self._process is None else self._process.all()

    async def close(self) -> None:
        if self._process is not None:
            await self._process.close()
