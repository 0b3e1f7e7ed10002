"""Helpers of the tests: a place on the real engine, and waiting for what must become true."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from controller.model import SessionSpec
from tests.worlds import a_spec

IMAGE = "matlab-session:octave"
MIB = 2**20


@dataclass(frozen=True)
class Lab:
    """One test's own instance on the real engine."""

    client: docker.DockerClient
    instance: str
    folder: Path
    api_port: int
    http_base: int
    ws_base: int

    @property
    def prefix(self) -> str:
        return f"{self.instance}-u"

    def name(self, user_id: int) -> str:
        return f"{self.prefix}{user_id}"

    def container(self, user_id: int) -> Container:
        return self.client.containers.get(self.name(user_id))

    def containers(self) -> list[Container]:
        return self.client.containers.list(all=True, filters={"label": f"mcm.instance={self.instance}"})

    def foreigner(self, name: str) -> Container:
        """A container that somebody else made, marked only for our clean-up."""
        return self.client.containers.create(
            IMAGE, name=name, labels={"mcm.instance": f"{self.instance}-foreign"}, command=["sleep", "600"]
        )

    def spec(self, user_id: int, **changes: object) -> SessionSpec:
        folder = self.folder / "data" / f"user_{user_id}"
        own = {
            "name": self.name(user_id),
            "data_folder": str(folder),
            "http_port": self.http_base + user_id,
            "ws_port": self.ws_base + user_id,
            "memory": 256 * MIB,
            "shm": 64 * MIB,
            "cpus": 1,
        }
        return a_spec(user_id, **(own | changes))


async def eventually(what: Callable[[], Any], seconds: float = 10.0, every: float = 0.02) -> Any:
    """Ask until the answer (awaited where it is to be) is true, and return it.

    Raises:
        AssertionError: it was not by then; with the last answer or the last error.
    """
    end = time.monotonic() + seconds
    while True:
        last: object
        try:
            answer = what()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return answer
            last = answer
        except (AssertionError, OSError, LookupError, docker.errors.NotFound) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s; the last answer was {last!r}")
        await asyncio.sleep(every)
