"""Our own writers take turns, and give up where somebody elsewhere writes without a pause."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from controller.errors import Overtaken
from controller.store.home import Moved

T = TypeVar("T")

TRIES, SECONDS = 3, 10.0
"""A write gives up after so many attempts, each of which somebody else came before, and after so long."""


async def in_turn(lock: asyncio.Lock, attempt: Callable[[], Awaitable[T]], name: str) -> T:
    """What an attempt comes to that nobody came before. The lock is held for one at a time: others have theirs between.

    Args:
        attempt: raises Moved where somebody wrote to the home, which is called `name`, and has changed nothing then.

    Raises:
        Overtaken: somebody wrote each time.
    """
    clock = asyncio.get_running_loop().time
    tries, end = 0, clock() + SECONDS
    while tries < TRIES or clock() < end:
        async with lock:
            with contextlib.suppress(Moved):
                return await attempt()
        tries += 1
    raise Overtaken(
        f"Others write to {name} without a pause: each of {tries} attempts came after one of theirs. "
        "The change was not made."
    )
