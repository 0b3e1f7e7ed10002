"""A desired state in memory, with no file behind it, for tests of the loop and of the API; and terms for a real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from prometheus_client.registry import Collector

from controller.brake import Limits
from controller.errors import NotPersisted
from controller.events import Event
from controller.model import DesiredState, Wish
from controller.spec import changed_users
from controller.store import Asked, Change, Pending, Sync, WishHealth
from controller.store.weighing import WishTerms
from controller.target import UNLIMITED, Load, Policy, Profile, Site

PROFILE = Profile("matlab-session:octave", 2, 4 * 2**30, 4 * 2**30, {}, None)


def terms(
    profiles: Collection[str] = ("standard", "large"),
    settle_seconds: float = 0.02,
    allow_empty: bool = False,
    total: Load = UNLIMITED,
) -> WishTerms:
    """What the settings say to a real store, with the default limits of the brake."""
    site = Site(
        *("test", "matlab-user-", "/srv/matlab", 30000, 31000, "127.0.0.1", "1000:1000", "standard"),
        dict.fromkeys(profiles, PROFILE),
        Policy(total=total),
    )
    return WishTerms(site, 100, settle_seconds, Limits(3, 20, allow_empty))


class FakeStore:
    def __init__(self, current: DesiredState | None = None) -> None:
        self.current = current or DesiredState()
        self.health = WishHealth("memory", True, (), datetime.now(UTC))
        self.full = False
        """Of its disk."""
        self.writers: list[str] = []
        self.events: list[Event] = []
        self.pending: Pending | None = None
        self.founded = True
        self.sync: Sync | None = None
        self.counted: tuple[Collector, ...] = ()
        self._listeners: list[Callable[[frozenset[int]], None]] = []

    def subscribe(self, listener: Callable[[frozenset[int]], None]) -> None:
        self._listeners.append(listener)

    def want(self, **wishes: Wish | None) -> None:
        """Set entries at once: `want(u7=Wish(), u8=None)`."""
        users = dict(self.current.users)
        ids = frozenset(int(name[1:]) for name in wishes)
        for name, wish in wishes.items():
            if wish is None:
                users.pop(int(name[1:]), None)
            else:
                users[int(name[1:])] = wish
        self.current = replace(
            self.current,
            generation=self.current.generation + 1,
            users=MappingProxyType(dict(sorted(users.items()))),
        )
        for listener in self._listeners:
            listener(ids)

    async def change(self, user_id: int, change: Change, writer: str) -> DesiredState:
        before = self.current.users.get(user_id)
        after = change(before)
        if after == before:
            return self.current
        if self.full:
            raise NotPersisted("The desired state could not be written: no space left on device.")
        self.writers.append(writer)
        self.want(**{f"u{user_id}": after})
        return self.current

    async def amend(
        self, amend: Callable[[DesiredState], DesiredState], writer: str, *, braked: bool = False
    ) -> DesiredState:
        before, after = self.current, amend(self.current)
        if after == before:
            return before
        self.writers.append(writer)
        self.current = replace(after, generation=before.generation + 1)
        for listener in self._listeners:
            listener(frozenset(changed_users(before, after)))
        return self.current

    def asked(self, user_id: int) -> Asked | None:
        return None

    async def surveyed(self, running: Mapping[int, str | None]) -> None:
        pass

    def record(self, event: Event) -> None:
        self.events.append(event)

    def follow(self, listener: Callable[[], None]) -> None:
        pass

    async def run(self) -> None:
        await asyncio.Event().wait()
