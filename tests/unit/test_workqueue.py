"""An id is in the queue once, never with two workers, and never lost."""

import asyncio

from controller.workqueue import WorkQueue
from tests.support import eventually


async def test_an_id_added_twice_is_handed_out_once() -> None:
    queue = WorkQueue()
    queue.add(7)
    queue.add(7)
    assert queue.queued == 1
    assert await queue.get() == 7
    assert queue.queued == 0


async def test_an_id_added_while_it_is_worked_on_comes_back_when_that_is_done() -> None:
    queue = WorkQueue()
    queue.add(7)
    await queue.get()
    queue.add(7)
    second = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not second.done()
    queue.done(7)
    assert await second == 7


async def test_order_is_first_come_first_served() -> None:
    queue = WorkQueue()
    for user_id in (3, 1, 2):
        queue.add(user_id)
    assert [await queue.get() for _ in range(3)] == [3, 1, 2]


async def test_of_two_times_the_earlier_counts() -> None:
    queue = WorkQueue()
    queue.add_after(7, 60)
    queue.add_after(7, 0.01)
    queue.add_after(7, 60)
    async with asyncio.timeout(30):
        assert await queue.get() == 7


async def test_who_works_on_an_id_sets_its_next_time() -> None:
    queue = WorkQueue()
    queue.add_after(7, 0.02)
    queue.add(7)
    await queue.get()
    queue.done(7)
    await asyncio.sleep(0.05)
    assert queue.queued == 0, "the timer that was set before the work was not forgotten"


async def test_many_workers_never_share_an_id() -> None:
    queue = WorkQueue()
    busy: set[int] = set()
    handled = 0

    async def work() -> None:
        nonlocal handled
        while True:
            user_id = await queue.get()
            assert user_id not in busy
            busy.add(user_id)
            await asyncio.sleep(0)
            busy.discard(user_id)
            handled += 1
            queue.done(user_id)

    workers = [asyncio.create_task(work()) for _ in range(8)]
    for n in range(2000):
        queue.add(n % 5)
        if n % 7 == 0:
            await asyncio.sleep(0)
    await eventually(lambda: queue.queued + queue.working == 0)
    for worker in workers:
        worker.cancel()
    assert handled >= 5
    assert not [w for w in workers if w.done() and not w.cancelled() and w.exception()]
