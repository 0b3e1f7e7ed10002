"""Callers write and read at once while the controller is killed: what they saw could have happened in turn."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from tests.faults.engine import OwnEngine
from tests.faults.scorecard import Scorecard
from tests.faults.world import LENGTH
from tests.linear import Op, linearizable
from tests.rig import Rig
from tests.support import a_lab, eventually

USERS = range(1, 6)
CALLERS = 6
KILLS = 12 * LENGTH


@pytest_asyncio.fixture(loop_scope="session")
async def rig(own_engine: OwnEngine) -> AsyncIterator[Rig]:
    with a_lab(own_engine.client) as lab:
        rig = Rig(lab)
        yield rig
        await rig.close()


class Caller:
    """Writes words that nobody else says, and reads; notes when each call began and ended."""

    def __init__(self, rig: Rig, name: str, chance: random.Random) -> None:
        self._rig = rig
        self._name = name
        self._chance = chance
        self._said = 0
        self.ops: dict[int, list[Op]] = {n: [] for n in USERS}

    async def go_on(self) -> None:
        while True:
            user_id = self._chance.choice(USERS)
            began = time.monotonic()
            if self._chance.random() < 0.5:
                self._said += 1
                word = f"{self._name}-{self._said}"
                known = await self._write(user_id, word)
                if known is not False:
                    self.ops[user_id].append(Op(True, word, began, time.monotonic() if known else float("inf")))
            else:
                found = await self._read(user_id)
                if found is not None:
                    self.ops[user_id].append(Op(False, found, began, time.monotonic()))
            await asyncio.sleep(self._chance.random() * 0.01)

    async def _write(self, user_id: int, word: str) -> bool | None:
        """Whether it was done; `None`: nobody knows."""
        body = {"users": {str(user_id): {"session_id": word}}}
        try:
            status, _ = await self._rig.call("PATCH", "/v1/users", body)
        except aiohttp.ClientConnectorError:
            return False
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        assert status in (200, 503), status
        return True if status == 200 else None

    async def _read(self, user_id: int) -> str | None:
        try:
            _, said = await self._rig.call("GET", f"/v1/users/{user_id}")
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        return str(said["desired"]["session_id"])


async def test_calls_happened_in_some_order(rig: Rig, scorecard: Scorecard) -> None:
    seed = random.SystemRandom().randrange(2**32)
    chance = random.Random(seed)
    await rig.start()
    first = {str(n): {"state": "stopped", "session_id": "first"} for n in USERS}
    assert (await rig.call("PATCH", "/v1/users", {"users": first}))[0] == 200
    callers = [Caller(rig, f"c{n}", random.Random(chance.random())) for n in range(CALLERS)]
    talks = [asyncio.create_task(caller.go_on()) for caller in callers]
    outages = []
    for _ in range(KILLS):
        heard = sum(len(ops) for caller in callers for ops in caller.ops.values())
        await eventually(lambda: _heard(callers) > heard + 40, 60)  # noqa: B023
        await asyncio.sleep(chance.random() * 0.2)
        await rig.stop(signal.SIGKILL)
        killed = time.monotonic()
        await rig.start()
        outages.append(time.monotonic() - killed)
    heard = _heard(callers)
    await eventually(lambda: _heard(callers) > heard + 40, 60)
    for talk in talks:
        talk.cancel()
    for ended in await asyncio.gather(*talks, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError), ended
    for user_id in USERS:
        ops = [op for caller in callers for op in caller.ops[user_id]]
        assert linearizable(ops, "first"), f"seed {seed}, user {user_id}: {sorted(ops, key=lambda op: op.began)}"
    print(f"{_heard(callers)} calls")
    scorecard.record(
        "clients", "calls at once while the controller is killed", KILLS, outages, "until it answers again", seed
    )


def _heard(callers: list[Caller]) -> int:
    return sum(len(ops) for caller in callers for ops in caller.ops.values())
