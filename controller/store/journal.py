"""The store's memory: the history and its thread. Whoever blocks does it there, and events are written together."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from controller.errors import InDoubt, NoSuchGeneration, NotPersisted
from controller.events import Event
from controller.store import Generation, Recorded
from controller.store.history import History, Undecided

log = logging.getLogger(__name__)

T = TypeVar("T")

RECORD_SECONDS = 0.25
"""What happened in so short a time is written in one transaction."""
AGAIN_SECONDS = 5.0
"""Until what could not be written is tried again, where nobody asks before."""
UNWRITTEN_KEPT = 10_000
"""Events that wait for a disk that takes them; of more, the oldest are lost: about 4 MB."""


class Journal:
    """`history` is there once `open` was called, and is used within `blocking` or `asking` only."""

    history: History
    _path: Path
    _loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        # One thread for all that blocks: a cancelled caller leaves no write behind that could race with the next one.
        self._thread = ThreadPoolExecutor(1, "desired-state")
        self._unwritten: list[tuple[datetime, Event]] = []
        """The loop appends and the thread takes away, so that whoever waits for it may be cancelled at any time."""
        self._happened = asyncio.Event()
        self._followers: list[Callable[[], None]] = []

    async def blocking(self, work: Callable[[], T]) -> T:
        self._loop = asyncio.get_running_loop()
        return await self._loop.run_in_executor(self._thread, work)

    async def asking(self, work: Callable[[], T]) -> T:
        """The same for work on the history.

        Raises:
            InDoubt: what was to be written may be there at the next start.
            NotPersisted: it cannot be used just now.
        """
        try:
            return await self.blocking(work)
        except Undecided as error:
            raise InDoubt(f"The disk under {self._path} fails: {error}. The change may be there or not.") from error
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
        with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        for follower in self._followers:
            follower()

    async def keep_recording(self) -> None:
        while True:
            await self._happened.wait()
            self._happened.clear()
            written = await self._flush()
            if not written:
                self._happened.set()
            await asyncio.sleep(RECORD_SECONDS if written else AGAIN_SECONDS)

    async def _flush(self) -> bool:
        """Whether nothing is left of what happened before."""
        return not self._unwritten or await self.blocking(self._write)

    def _write(self) -> bool:
        """The same, in the thread: what cannot be written stays for the next time."""
        waiting = len(self._unwritten)
        try:
            if waiting:  # whoever came before may have written all
                self._take(waiting)
        except sqlite3.Error as error:
            lost = max(0, len(self._unwritten) - UNWRITTEN_KEPT)
            del self._unwritten[:lost]
            pairs = {"events": waiting, "lost": lost, "why": str(error)}
            log.warning("events could not be written, and wait", extra={"pairs": pairs})
            return False
        return True

    def _take(self, number: int) -> None:
        """So many of the oldest. Raises sqlite3.Error: those that are left cannot be written."""
        oldest = self._unwritten[:number]
        try:
            self.history.add_events(oldest)
        except sqlite3.Error:
            raise
        except Exception:  # what no database takes, such as half a character: the others are not to wait behind it
            if number > 1:
                for _ in oldest:
                    self._take(1)
                return
            log.exception("event cannot be written, and is lost")
        del self._unwritten[:number]
