"""The store's memory: the history and its thread. Whoever blocks does it there, and events are written together."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from controller.errors import NoSuchGeneration, NotPersisted
from controller.model import Event
from controller.store import Generation, Recorded
from controller.store.history import History

log = logging.getLogger(__name__)

T = TypeVar("T")

RECORD_SECONDS = 0.25
"""What happened in so short a time is written in one transaction."""


class Journal:
    """`history` is there once `open` was called, and is used within `blocking` or `asking` only."""

    history: History
    _path: Path
    _loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        # One thread for all that blocks: a cancelled caller leaves no write behind that could race with the next one.
        self._thread = ThreadPoolExecutor(1, "desired-state")
        self._unwritten: list[tuple[datetime, Event]] = []
        self._happened = asyncio.Event()
        self._followers: list[Callable[[], None]] = []

    async def blocking(self, work: Callable[[], T]) -> T:
        self._loop = asyncio.get_running_loop()
        return await self._loop.run_in_executor(self._thread, work)

    async def asking(self, work: Callable[[], T]) -> T:
        """The same for work on the history.

        Raises:
            NotPersisted: it cannot be used just now.
        """
        try:
            return await self.blocking(work)
        except sqlite3.Error as error:
            raise NotPersisted(f"The history in {self._path} cannot be used: {error}.") from error

    def open(self, path: Path) -> History:
        """Raises sqlite3.Error."""
        self._path = path
        self.history = History(path, self._wrote)
        return self.history

    async def close(self) -> None:
        await self._flush()
        await self.blocking(self.history.close)
        self._thread.shutdown()

    # ------------------------------------------------------------ what was

    async def newest(self, limit: int) -> Sequence[Generation]:
        return await self.asking(lambda: self.history.newest(limit))

    async def generation(self, number: int) -> tuple[Generation, Generation | None]:
        """One generation, and the one before it. Raises NoSuchGeneration."""
        found, before = await self.asking(lambda: (self.history.get(number), self.history.get(number - 1)))
        if found is None:
            raise NoSuchGeneration(f"There is no generation {number} in the history.")
        return found, before

    async def events(self, user_id: int | None, after: int, limit: int, kinds: Sequence[str]) -> Sequence[Recorded]:
        await self._flush()
        return await self.asking(lambda: self.history.events(user_id, after, limit, kinds))

    async def delivered(self, names: Collection[str]) -> Mapping[str, int]:
        await self._flush()
        return await self.asking(lambda: self.history.delivered(names))

    async def deliver(self, name: str, event_id: int) -> None:
        await self.asking(lambda: self.history.deliver(name, event_id))

    # ------------------------------------------------------------ what happens

    def record(self, event: Event) -> None:
        self._unwritten.append((datetime.now(UTC), event))
        self._happened.set()

    def follow(self, listener: Callable[[], None]) -> None:
        """`listener()` is called on the event loop when events were written down, of whatever kind."""
        self._followers.append(listener)

    def _wrote(self) -> None:
        self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        for follower in self._followers:
            follower()

    async def keep_recording(self) -> None:
        while True:
            await self._happened.wait()
            await self._flush()
            await asyncio.sleep(RECORD_SECONDS)

    async def _flush(self) -> None:
        self._happened.clear()
        unwritten, self._unwritten = self._unwritten, []
        if not unwritten:
            return
        try:
            await self.blocking(lambda: self.history.add_events(unwritten))
        except sqlite3.Error as error:
            log.warning("events could not be written", extra={"pairs": {"events": len(unwritten), "why": str(error)}})
