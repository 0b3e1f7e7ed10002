"""Who is on the way from a node that is emptied: so many at a time, and the next when one has come.

A move has come to its end when the session can be used again where it is now, and for the others' sake some time
after it began in any case: one session that never comes up keeps nobody from leaving.

Pure: the time comes in as an argument, in seconds by any clock that only goes forward.
"""

from __future__ import annotations

LONGEST = 180.0
"""Seconds that a move may hold its place."""


class Moves:
    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._began: dict[int, float] = {}
        self._waiting: dict[int, None] = {}
        """In the order in which they asked."""

    def take(self, user_id: int, now: float) -> bool:
        """Whether this user's move may begin, or has; else the user waits for `over` to name them."""
        self._let_go(now)
        if user_id not in self._began and len(self._began) >= self.at_once:
            self._waiting[user_id] = None
            return False
        self._waiting.pop(user_id, None)
        self._began.setdefault(user_id, now)
        return True

    def holds(self, user_id: int, now: float) -> bool:
        """Whether this user is on the way."""
        self._let_go(now)
        return user_id in self._began

    def over(self, user_id: int) -> int | None:
        """The user has come, or does not go; returns who may ask again."""
        self._waiting.pop(user_id, None)
        if self._began.pop(user_id, None) is None:
            return None
        return self._next()

    def _next(self) -> int | None:
        first = next(iter(self._waiting), None)
        if first is not None:
            del self._waiting[first]
        return first

    def _let_go(self, now: float) -> None:
        self._began = {user_id: began for user_id, began in self._began.items() if now - began < LONGEST}

    @property
    def under_way(self) -> tuple[int, ...]:
        return tuple(sorted(self._began))

    @property
    def waiting(self) -> tuple[int, ...]:
        return tuple(sorted(self._waiting))
