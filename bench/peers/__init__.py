"""What people would run otherwise, set up by the benchmark itself, each with the same image, limits and network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import psutil


class Missing(Exception):
    """A peer cannot be had here: why, in a sentence."""


class Peer(Protocol):
    name: str
    list_url: str
    """What answers with everybody; empty where only a command does."""
    headers: Mapping[str, str]

    def container(self, user_id: int) -> str:
        """Its name."""
        ...

    async def open(self) -> None:
        """Raises: Missing."""
        ...

    async def up(self, user_ids: Sequence[int]) -> None:
        """Ask for their sessions, all at once."""
        ...

    async def listed(self) -> int:
        """How many run, as it is told."""
        ...

    async def health(self, user_id: int) -> None: ...

    async def restart(self) -> None:
        """End the process that manages, and start it anew; returns when it answers."""
        ...

    def processes(self) -> list[psutil.Process]:
        """That stay while nothing is asked; none where it is a command."""
        ...

    async def close(self) -> None: ...
