"""Where the desired state lives. `yaml_file.py` keeps it in one text file that people and the API both write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.errors import Problem
from controller.model import DesiredState, Wish


@dataclass(frozen=True, slots=True)
class WishHealth:
    """Whether the text as it stands now is in force, and if not, what is wrong with it."""

    source: str
    """Path of the file."""
    valid: bool
    problems: tuple[Problem, ...]
    since: datetime


Change = Callable[[Wish | None], Wish | None]
"""Given a user's entry as it is (`None`: not there), the entry as it shall be (`None`: removed)."""


class Store(Protocol):
    @property
    def current(self) -> DesiredState:
        """The last good state: the one in force. Generation 0: there was none yet, so nothing may be concluded."""
        ...

    @property
    def health(self) -> WishHealth: ...

    def subscribe(self, listener: Callable[[frozenset[int]], None]) -> None:
        """`listener(ids)` is called on the event loop after each change, with the ids whose entry changed."""
        ...

    async def change(self, user_id: int, change: Change, writer: str) -> DesiredState:
        """Change one user's entry; returns the state in force afterwards, durable on disk.

        `change` runs under the store's lock and may raise to refuse; an entry left as it was writes nothing. It runs
        once more when somebody else wrote meanwhile.

        Raises:
            NotPersisted: it could not be written; nothing changed.
        """
        ...

    async def run(self) -> None:
        """Watch for other writers until cancelled."""
        ...
