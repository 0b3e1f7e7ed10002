"""Keeps measuring the users' folders, one after another and slowly, and tells who passes the quota and who is back.

There may be a hundred folders with millions of files. A thread of its own counts for a few milliseconds at a time and
rests in between for so long that it has `SHARE` of a core, or of the disk, at the most. Its priority is the usual one:
a thread that others push aside while it holds the interpreter's lock would hold up the whole controller.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from controller.disk_usage import Census
from controller.engine.threads import Threads
from controller.events import Event, EventKind, EventReason
from controller.informer import Informer
from controller.model import DiskUse
from controller.quota import judged, told
from controller.target import data_folder

log = logging.getLogger(__name__)

SHARE = 0.02
SLICE = 0.005
"""Seconds of work between two rests."""
GIVE_UP = 30.0
"""Seconds of work on one folder, some millions of files: then it is said to hold at least what was counted."""
LONGEST_REST = 60.0
LOOK_EVERY = 5.0
"""Seconds between two looks for a folder that is due, where none was."""


class DiskWatch:
    def __init__(
        self,
        informer: Informer,
        data_root: str,
        quota_of: Callable[[int], int | None],
        record: Callable[[Event], None],
        every: float,
    ) -> None:
        """`every`: seconds between two measurements of the same folder, or more."""
        self._informer = informer
        self._data_root = data_root
        self._quota_of = quota_of
        self._record = record
        self._every = every
        self._found: dict[int, DiskUse] = {}
        self._ended: dict[int, float] = {}
        """When each was last measured, by `time.monotonic`."""

    async def run(self) -> None:
        """Measure until cancelled."""
        threads = Threads("disk", 1)
        try:
            while True:
                user_id = self._due()
                if user_id is None:
                    await asyncio.sleep(min(LOOK_EVERY, self._every))
                    continue
                try:
                    await self._measure(user_id, threads)
                except Exception:
                    log.exception("folder not measured", extra={"pairs": {"user": user_id}})
                self._ended[user_id] = time.monotonic()
        finally:
            threads.close()

    def _due(self) -> int | None:
        """The user whose folder waits longest, if it is time for any."""
        known, now = self._informer.known(), time.monotonic()
        for left in self._ended.keys() - known:
            self._ended.pop(left)
            self._found.pop(left, None)
        waiting = {
            n: ended
            for n in known
            if (ended := self._ended.get(n, -math.inf)) + self._every <= now or self._came_back(n)
        }
        return min(waiting, key=lambda n: (waiting[n], n), default=None)

    def _came_back(self, user_id: int) -> bool:
        """The user was removed and made again since, so that nobody knows any more what was measured."""
        return user_id in self._found and self._informer.view(user_id).disk is None

    async def _measure(self, user_id: int, threads: Threads) -> None:
        census = Census(Path(data_folder(self._data_root, user_id)))
        try:
            took = await self._count(census, threads)
        except asyncio.CancelledError:
            threads.run(census.give_up)  # when it has ended what it does just now
            raise
        self._judge(user_id, census)
        await _rest(took)

    async def _count(self, census: Census, threads: Threads) -> float:
        """Returns how many seconds the last piece of work took."""
        worked = 0.0
        while True:
            began = time.monotonic()
            done = await threads.run(partial(census.work, SLICE))
            took = time.monotonic() - began
            worked += took
            if done:
                return took
            if worked >= GIVE_UP:
                await threads.run(census.give_up)
                return took
            await _rest(took)

    def _judge(self, user_id: int, census: Census) -> None:
        before = self._found.get(user_id)
        use = judged(census.size, census.complete, self._quota_of(user_id), before, datetime.now(UTC))
        self._found[user_id] = use
        self._informer.measured(user_id, use)
        if (use.over_since is None) != (before is None or before.over_since is None):
            self._tell(user_id, use)

    def _tell(self, user_id: int, use: DiskUse) -> None:
        over = use.over_since is not None
        pairs = {"user": user_id, "size": use.size, "quota": use.quota}
        log.info("disk quota exceeded" if over else "disk quota kept again", extra={"pairs": pairs})
        reason = EventReason.OVER_QUOTA if over else EventReason.WITHIN_QUOTA
        self._record(Event(EventKind.SESSION, reason, told(use), user_id))


async def _rest(worked: float) -> None:
    await asyncio.sleep(min(worked * (1 / SHARE - 1), LONGEST_REST))
