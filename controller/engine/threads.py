"""A few threads for calls that block. They end with the process, whatever they wait for.

The standard library's pool is not that: at its end the process waits for every thread, so that an engine which never
answers would keep the controller from stopping.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    def __init__(self, name: str, number: int) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._number = number
        for n in range(number):
            threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True).start()

    def run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """What `call` returns or raises. Cancelled, it is not begun any more; one that was begun is left to itself."""
        future: Future[T] = Future()
        self._calls.put((future, call))
        return asyncio.wrap_future(future)

    def close(self) -> None:
        """Each thread ends after what it is doing."""
        for _ in range(self._number):
            self._calls.put(None)

    def _work(self) -> None:
        while (job := self._calls.get()) is not None:
            future, call = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - whatever it is, it is told to who waits
                    future.set_exception(error)
            del job, future, call  # nothing is kept alive while the next is waited for
