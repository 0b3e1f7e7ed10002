"""An engine whose every call is timed, from asking to the answer: what it waits for a thread is part of that.

Between the controller and any engine, so that none of them knows of figures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from prometheus_client import Histogram

from controller.engine import Engine, EngineEvent, EngineInfo
from controller.errors import EngineError
from controller.model import Container, Limits, Machine, SessionSpec, Usage

T = TypeVar("T")


class Measured:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.calls = Histogram(
            "mcm_engine_call_duration_seconds",
            "Time that a call of the container engine took, the wait for a thread included.",
            ("call", "outcome"),
            registry=None,
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )

    async def info(self) -> EngineInfo:
        return await self._timed("info", self._engine.info())

    async def enclose(self) -> str:
        return await self._timed("enclose", self._engine.enclose())

    async def survey(self) -> dict[int, tuple[Container, ...]]:
        return await self._timed("survey", self._engine.survey())

    async def find(self, user_id: int) -> tuple[Container, ...]:
        return await self._timed("find", self._engine.find(user_id))

    async def create(self, spec: SessionSpec) -> str:
        return await self._timed("create", self._engine.create(spec))

    async def start(self, container_id: str) -> None:
        await self._timed("start", self._engine.start(container_id))

    async def stop(self, container_id: str) -> None:
        await self._timed("stop", self._engine.stop(container_id))

    async def restart(self, container_id: str) -> None:
        await self._timed("restart", self._engine.restart(container_id))

    async def move(self, container_id: str) -> None:
        await self._timed("move", self._engine.move(container_id))

    async def machines(self) -> tuple[Machine, ...]:
        return await self._timed("machines", self._engine.machines())

    async def drain(self, node_id: str) -> None:
        await self._timed("drain", self._engine.drain(node_id))

    async def activate(self, node_id: str) -> None:
        await self._timed("activate", self._engine.activate(node_id))

    async def forget(self, node_id: str) -> None:
        await self._timed("forget", self._engine.forget(node_id))

    async def remove(self, container_id: str) -> None:
        await self._timed("remove", self._engine.remove(container_id))

    async def rename(self, container_id: str, name: str) -> None:
        await self._timed("rename", self._engine.rename(container_id, name))

    async def unpause(self, container_id: str) -> None:
        await self._timed("unpause", self._engine.unpause(container_id))

    async def update(self, container_id: str, limits: Limits) -> None:
        await self._timed("update", self._engine.update(container_id, limits))

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[EngineEvent]]:
        return self._engine.events()  # it goes on for as long as there is nothing wrong

    async def usage(self, containers: Sequence[Container]) -> dict[str, Usage]:
        return await self._timed("usage", self._engine.usage(containers))

    async def logs(self, container_id: str, tail: int) -> str:
        return await self._timed("logs", self._engine.logs(container_id, tail))

    async def close(self) -> None:
        await self._engine.close()

    async def _timed(self, call: str, answer: Awaitable[T]) -> T:
        """`outcome` is `ok`, the code of an error of the engine, `cancelled`, or `failed` by a fault of our own."""
        began, outcome = time.monotonic(), "failed"
        try:
            result = await answer
            outcome = "ok"
            return result
        except EngineError as error:
            outcome = error.code
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self.calls.labels(call, outcome).observe(time.monotonic() - began)
