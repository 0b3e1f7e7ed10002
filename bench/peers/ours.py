"""The controller, as one of those who are compared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import psutil

from tests.rig import Rig


class Ours:
    name = "this controller"
    headers: Mapping[str, str] = {}

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.list_url = f"{rig.url}/list"

    def container(self, user_id: int) -> str:
        return self._rig.lab.name(user_id)

    async def open(self) -> None:
        await self._rig.start(MCM_API_RATE="0")

    async def up(self, user_ids: Sequence[int]) -> None:
        answers = await asyncio.gather(*(self._rig.create(user_id) for user_id in user_ids))
        assert all(status in (201, 202) for status, _ in answers), answers  # 202: it takes longer than 25 s

    async def listed(self) -> int:
        return list((await self._rig.statuses()).values()).count("running")

    async def health(self, user_id: int) -> None:
        assert (await self._rig.health(user_id))["status"] == "running"

    async def restart(self) -> None:
        await self._rig.stop()
        await self._rig.start(MCM_API_RATE="0")

    def processes(self) -> list[psutil.Process]:
        return [] if self._rig.process is None else [psutil.Process(self._rig.process.pid)]

    async def close(self) -> None:
        """Whoever lent the rig closes it."""
