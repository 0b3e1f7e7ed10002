"""Who looks on, and of whom each of them is to be told anew.

Whatever changes is told here at the place where it is kept, and wakes those who look on (`live.py`); they read what it
is by then. So nothing is queued for a reader, however slow: it has the ids of the users that changed since it was last
told. While nobody looks on, a change costs a look at an empty set.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from controller.model import Usage, UserView
from controller.spec import format_instant

SAMPLES_KEPT = 60
"""Measurements of everybody's use: ten minutes of them, some hundred KB with a hundred sessions."""
SOMETIME = datetime.min.replace(tzinfo=UTC)


class Reader:
    """Somebody who looks on."""

    def __init__(self) -> None:
        self._users: set[int] = set()
        self._happened = True
        self._woken = asyncio.Event()
        self.leaves = False
        """The controller stops, so this is the end."""

    def changed(self, user_ids: Iterable[int]) -> None:
        self._users.update(user_ids)
        self._woken.set()

    def event(self) -> None:
        self._happened = True
        self._woken.set()

    def leave(self) -> None:
        self.leaves = True
        self._woken.set()

    def users(self) -> set[int]:
        """Those who changed since this was last asked."""
        found, self._users = self._users, set()
        return found

    def happened(self) -> bool:
        """Whether events may have been written down since this was last asked."""
        found, self._happened = self._happened, False
        return found

    async def rest(self, seconds: float) -> bool:
        """Until something happens, but no longer; whether it did."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        woken = self._woken.is_set()
        self._woken.clear()
        return woken


class Watch:
    """Told by the observed cache (`saw`, `measured`) and the store (`changed`, `happened`) on the event loop."""

    def __init__(self, starting: timedelta) -> None:
        """`starting`: for so long a session that does not answer is told to be starting, and not to be silent."""
        self._starting = starting
        self._readers: set[Reader] = set()
        self._samples: deque[tuple[int, bytes]] = deque(maxlen=SAMPLES_KEPT)
        self._measured = 0
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        reader = Reader()
        reader.leaves = self._closed
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    def close(self) -> None:
        """Whoever looks on is to leave."""
        self._closed = True
        for reader in self._readers:
            reader.leave()

    # ------------------------------------------------------------ what is told

    def saw(self, user_id: int, before: UserView | None, after: UserView | None) -> None:
        """A view was put in another's place; `None`: there was none, or is none any more."""
        if self._readers and self._told(before) != self._told(after):
            self.changed((user_id,))

    def changed(self, user_ids: Iterable[int]) -> None:
        for reader in self._readers:
            reader.changed(user_ids)

    def happened(self) -> None:
        """Events were written down."""
        for reader in self._readers:
            reader.event()

    def measured(self, at: datetime, usage: Mapping[int, Usage]) -> None:
        """What all that run were found to use."""
        users = {user_id: (round(each.cpu_percent, 2), each.memory) for user_id, each in sorted(usage.items())}
        sample = json.dumps({"at": format_instant(at), "users": users}).encode()
        self._measured += 1
        self._samples.append((self._measured, sample))
        self.changed(())

    def samples(self, after: int) -> list[tuple[int, bytes]]:
        """Those that are kept, with their numbers, as JSON; oldest first."""
        return [each for each in self._samples if each[0] > after]

    def _told(self, view: UserView | None) -> object:
        """What of a view is worth telling: not what each look renews though nothing changed."""
        if view is None:
            return None
        probe, disk = view.probe, view.disk
        seen = replace(
            view,
            engine=replace(view.engine, last_seen=None),
            observed_at=None,
            asked_at=0.0,
            probe=probe and replace(probe, checked_at=SOMETIME),
            usage=None,
            progress=replace(view.progress, passes=0),
            disk=disk and replace(disk, measured_at=SOMETIME),
        )
        return seen, self._overdue(view)

    def _overdue(self, view: UserView) -> bool:
        """The session had its time to answer: from here on silence is a fault, though nothing changed but the hour."""
        started, probe = view.container.started_at if view.container else None, view.probe
        if started is None or probe is None or probe.ready:
            return False
        return probe.checked_at - started >= self._starting
