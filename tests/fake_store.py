"""A desired state in memory, with no file behind it, for tests of the loop and of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from controller.errors import NotPersisted
from controller.model import DesiredState, Wish
from controller.store import Change, WishHealth


class FakeStore:
    def __init__(self) -> None:
        self.current = DesiredState()
        self.health = WishHealth("memory", True, (), datetime.now(UTC))
        self.full = False
        """Of its disk."""
        self.writers: list[str] = []
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

    async def run(self) -> None:
        await asyncio.Event().wait()
