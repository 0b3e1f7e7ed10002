"""Time that passes only when there is nothing left to do: hours of the loop's life in milliseconds, the same each time.

The code is as it is shipped. It is told the time by this clock, and what it would hand to a thread is done between two
of its steps, in the order in which it was handed over.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import selectors
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any, Self
from unittest import mock

from controller import informer, reconciler
from controller.store import account, disk, journal
from tests import fake_engine

BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._now = 0.0
        self.ahead = timedelta(0)
        """Of the controller's clock on the wall, which somebody has set."""
        super().__init__(_Leaping(self))

    def time(self) -> float:
        return self._now

    def leap(self, seconds: float) -> None:
        self._now += seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self.create_future()

        def work() -> None:  # like a thread's, it is done even where nobody waits for it any more
            try:
                result, error = func(*args), None
            except Exception as raised:  # noqa: BLE001 - whatever it is, it belongs to whoever waits
                result, error = None, raised
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self.call_soon(work)
        return future


class _Leaping(selectors.DefaultSelector):
    """Where the loop would wait, its time leaps."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("nothing is left that could ever happen")
        self._loop.leap(max(timeout, 0.0))
        return super().select(0)


@contextlib.contextmanager
def virtual_time(seed: int = 0) -> Iterator[asyncio.Runner]:
    """A runner on such a loop; its clock is what the loop's modules read meanwhile, their chance comes from `seed`."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner, contextlib.ExitStack() as patches:
        loop = _virtual(runner.get_loop())

        class Virtual(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Self:
                return BEGIN + timedelta(seconds=loop.time())  # type: ignore[return-value]

        class OnOurWall(Virtual):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Self:
                return super().now(tz) + loop.ahead

        patches.enter_context(mock.patch.object(fake_engine, "datetime", Virtual))
        for module in (informer, account, disk, journal):
            patches.enter_context(mock.patch.object(module, "datetime", OnOurWall))
        for module in (informer, reconciler):
            patches.enter_context(mock.patch.object(module, "time", SimpleNamespace(monotonic=loop.time)))
        chance = random.Random(seed)
        patches.enter_context(mock.patch.object(reconciler, "random", SimpleNamespace(random=chance.random)))
        yield runner


def set_the_clock(ahead: timedelta) -> None:
    """The controller's, and not the engine's."""
    _virtual(asyncio.get_running_loop()).ahead = ahead


def now() -> datetime:
    """The engine's clock, within the loop."""
    return BEGIN + timedelta(seconds=asyncio.get_running_loop().time())


def _virtual(loop: asyncio.AbstractEventLoop) -> VirtualLoop:
    assert isinstance(loop, VirtualLoop)
    return loop
