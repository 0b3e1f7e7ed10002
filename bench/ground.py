"""The ground that is measured on: a machine at rest before each, and the engine's own word for when it was done."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import docker
import psutil

from tests.rig import Rig
from tests.support import Lab, eventually


async def rest(seconds: float = 0.3) -> None:
    """Until the machine was idle for so long; on a busy one not for ever."""
    await asyncio.sleep(seconds)
    with contextlib.suppress(AssertionError):
        await eventually(lambda: psutil.cpu_percent(seconds) < 8, 30)


async def clear(rig: Rig, *others: str) -> None:
    """End every session, of the controller and of those labels; the kernel tears networks down long after."""
    users = list(await rig.statuses())
    for at in range(0, len(users), 10):
        await asyncio.gather(*(rig.destroy(user_id) for user_id in users[at : at + 10]))
    for label in others:
        await asyncio.to_thread(remove, rig.lab, label)
    await settled()


async def settled() -> None:
    """After many were taken away."""
    await asyncio.sleep(3)
    await rest(2)


def remove(lab: Lab, label: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        for row in lab.client.api.containers(all=True, filters={"label": f"mcm.instance={label}"}):
            pool.submit(lab.client.api.remove_container, row["Id"], force=True, v=True)


class Starts:
    """When the engine started which container, by its own events: the same judge for all who are compared."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._news = threading.Condition()

    def last(self, name: str) -> float:
        return self._at.get(name, 0.0)

    def wait(self, names: list[str], since: float, seconds: float) -> float:
        """Blocks until the last of these was started after `since`; when that was. `inf`: it was not."""
        end = time.monotonic() + seconds
        with self._news:
            while not all(self.last(name) > since for name in names):
                if not self._news.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    return float("inf")
        return max(self.last(name) for name in names)

    def _heard(self, name: str, at: float) -> None:
        with self._news:
            self._at[name] = at
            self._news.notify_all()


@contextlib.contextmanager
def starts() -> Iterator[Starts]:
    api = docker.APIClient(version="auto")
    heard, stream = Starts(), api.events(decode=True, filters={"type": "container", "event": "start"})

    def hear() -> None:
        for event in stream:
            heard._heard(event["Actor"]["Attributes"]["name"], event["timeNano"] / 1e9)

    threading.Thread(target=hear, daemon=True).start()
    try:
        yield heard
    finally:
        stream.close()
        api.close()
