"""Calls that block run beside the loop, and keep neither it nor the process waiting."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from controller.engine.threads import Threads


async def test_what_a_call_returns_or_raises_comes_out() -> None:
    threads = Threads("test", 1)
    assert await threads.run(lambda: 6 * 7) == 42
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(lambda: 6 * 7) == 42
    threads.close()


async def test_a_call_that_nobody_waits_for_any_more_is_not_begun() -> None:
    threads, begun, go_on = Threads("test", 1), [], threading.Event()
    first = threads.run(go_on.wait)
    second = threads.run(lambda: begun.append("second"))
    second.cancel()
    await asyncio.sleep(0)  # the loop tells the call's own future in its next round
    go_on.set()
    await first
    await threads.run(lambda: None)
    assert begun == []
    threads.close()


async def test_as_many_run_at_a_time_as_there_are_threads() -> None:
    threads, together = Threads("test", 3), threading.Barrier(3)
    async with asyncio.timeout(30):
        await asyncio.gather(*(threads.run(together.wait) for _ in range(3)))
    threads.close()


def test_the_process_ends_though_a_call_never_comes_back() -> None:
    program = """
import asyncio, threading
from controller.engine.threads import Threads

async def main():
    threads = Threads("test", 2)
    call = threads.run(threading.Event().wait)
    await threads.run(lambda: None)
    threads.close()
    call.cancel()

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)
