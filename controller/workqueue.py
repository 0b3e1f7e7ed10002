"""A queue of user ids, the only way into the reconciler. After Kubernetes' client-go `workqueue`.

An id stands in the queue at most once, and is never handed to two workers: one that is added while it is being
worked on comes back when that work is done. Used from one event loop; not thread-safe.
"""

from __future__ import annotations

import asyncio


class WorkQueue:
    def __init__(self) -> None:
        self._ready: asyncio.Queue[int] = asyncio.Queue()
        self._waiting: set[int] = set()
        """Ids that are in `_ready`, or that go there when their work is done."""
        self._working: set[int] = set()
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def add(self, user_id: int) -> None:
        """Have somebody look at this user as soon as possible."""
        if user_id in self._waiting:
            return
        self._waiting.add(user_id)
        if user_id not in self._working:
            self._hand_out(user_id)

    def add_after(self, user_id: int, seconds: float) -> None:
        """The same, later. Where a time is set already, the earlier one counts."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(seconds, 0.0)
        timer = self._timers.get(user_id)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[user_id] = loop.call_at(when, self._due, user_id)

    async def get(self) -> int:
        """The next id. `done` must follow. Its timer is forgotten: who works on it sets the next one."""
        user_id = await self._ready.get()
        self._waiting.discard(user_id)
        self._working.add(user_id)
        timer = self._timers.pop(user_id, None)
        if timer is not None:
            timer.cancel()
        return user_id

    def done(self, user_id: int) -> None:
        self._working.discard(user_id)
        if user_id in self._waiting:
            self._hand_out(user_id)

    @property
    def queued(self) -> int:
        return len(self._waiting)

    @property
    def working(self) -> int:
        return len(self._working)

    def _due(self, user_id: int) -> None:
        self._timers.pop(user_id, None)
        self.add(user_id)

    def _hand_out(self, user_id: int) -> None:
        self._ready.put_nowait(user_id)
