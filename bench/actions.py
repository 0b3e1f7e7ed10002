"""What one user waits for, each alternately by the controller and by the bare SDK.

create → running          POST /create                     ÷ the SDK's create and start                 goal ≤ 1.05
                          and the same two calls with no SDK at all, over the engine's socket
edit → running            an editor's save of a new user   ÷ the SDK's create and start                 goal ≤ 1.05
`docker kill` → running   by nobody's call                 ÷ a loop that starts whoever an event says died  goal ≤ 1.05
restart                   POST /restart                    ÷ the SDK's restart                          goal ≤ 1.05
destroy                   POST /destroy                    ÷ the SDK's stop and remove                  goal ≤ 1.05
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from functools import partial

from bench import floor
from bench.figure import Figure, Tell
from bench.ground import Starts, rest, starts
from controller.fence import network_name
from tests.rig import Rig
from tests.support import Lab

GOAL = 1.05
SDK, SOCKET, EDITED, SDK_EDITED = 31, 61, 81, 111
"""Ids from which on the others' users are counted; the controller's are from 1 on."""


async def measure(lab: Lab, pairs: int, tell: Tell) -> None:
    rig = Rig(lab)
    try:
        with starts() as heard:
            each = _Each(rig, heard, pairs)
            await rig.start(MCM_API_RATE="0")  # one caller that measures is no flood
            for figure in await each.created():
                tell(figure)
            tell(await each.edited())
            tell(await each.killed())
            tell(await each.restarted())
            tell(await each.destroyed())
    finally:
        await rig.close()


class _Each:
    def __init__(self, rig: Rig, heard: Starts, pairs: int) -> None:
        self._rig = rig
        self._heard = heard
        self._pairs = range(1, pairs + 1)
        self._api = floor.client()
        self._label = f"{rig.lab.instance}-floor"
        self._network = network_name(rig.lab.instance)

    async def created(self) -> list[Figure]:
        ours, sdk, raw = [], [], []
        for n in (0, *self._pairs):  # the first of each warms up
            sdk.append(await self._timed(partial(self._runs, floor.run, SDK + n)))
            ours.append(await self._timed(partial(self._creates, n + 1)))
            raw.append(await self._timed(partial(self._runs, floor.run_by_socket, SOCKET + n)))
        return [
            _figure("create → running", ours[1:], sdk[1:], "the SDK's create and start"),
            Figure("create → running, without the SDK", "ms", ours[1:], raw[1:], "two requests on the engine's socket"),
        ]

    async def edited(self) -> Figure:
        ours, bare = [], []
        for n in self._pairs:
            bare.append(await self._timed(partial(self._runs, floor.run, SDK_EDITED + n)))
            await rest()
            ours.append(await self._edits(EDITED + n))
        return _figure("edit → running", ours, bare, "the SDK's create and start")

    async def killed(self) -> Figure:
        ours, bare = [], []
        with floor.healing(self._api, self._label):
            for n in self._pairs:
                bare.append(await self._kills(self._floor_name(SDK + n)))
                ours.append(await self._kills(self._rig.lab.name(n + 1)))
        return _figure("docker kill → running", ours, bare, "a loop that starts whoever an event says has died")

    async def restarted(self) -> Figure:
        ours, bare = [], []
        for n in self._pairs:
            name = self._floor_name(SDK + n)
            bare.append(await self._timed(partial(asyncio.to_thread, floor.restart, self._api, name)))
            ours.append(await self._timed(partial(self._asks, self._rig.restart, n + 1)))
        return _figure("restart", ours, bare, "the SDK's restart")

    async def destroyed(self) -> Figure:
        ours, bare = [], []
        for n in self._pairs:
            name = self._floor_name(SDK + n)
            bare.append(await self._timed(partial(asyncio.to_thread, floor.destroy, self._api, name)))
            ours.append(await self._timed(partial(self._asks, self._rig.destroy, n + 1)))
        return _figure("destroy", ours, bare, "the SDK's stop and remove")

    # ------------------------------------------------------------ each once

    async def _timed(self, deed: Callable[[], Awaitable[object]]) -> float:
        """Milliseconds, from a machine at rest: the start of the one before would take time from it."""
        await rest()
        began = time.perf_counter()
        await deed()
        return 1000 * (time.perf_counter() - began)

    async def _creates(self, user_id: int) -> None:
        status, body = await self._rig.create(user_id)
        assert status == 201, body

    async def _asks(self, ask: Callable[[int], Awaitable[tuple[int, object]]], user_id: int) -> None:
        status, body = await ask(user_id)
        assert status == 200, body

    async def _runs(self, run: Callable[..., str], user_id: int) -> None:
        spec = floor.prepared(self._rig.lab, user_id)
        await asyncio.to_thread(run, self._api, spec, self._label, self._network)

    async def _edits(self, user_id: int) -> float:
        text = re.sub(r"^users:.*\n", "users:\n", self._rig.wish.read_text(), count=1, flags=re.MULTILINE)
        fresh = self._rig.wish.with_name("edited~")
        fresh.write_text(text.replace("users:\n", f"users:\n  {user_id}: {{}}\n", 1))
        saved = time.time()
        fresh.replace(self._rig.wish)
        return await self._until_started(self._rig.lab.name(user_id), saved)

    async def _kills(self, name: str) -> float:
        await rest()
        killed = time.time()
        await asyncio.to_thread(self._api.kill, name)
        return await self._until_started(name, killed)

    async def _until_started(self, name: str, since: float) -> float:
        return 1000 * (await asyncio.to_thread(self._heard.wait, [name], since, 30) - since)

    def _floor_name(self, user_id: int) -> str:
        return f"{self._rig.lab.instance}-floor{user_id}"


def _figure(name: str, ours: list[float], bare: list[float], against: str) -> Figure:
    return Figure(name, "ms", ours, bare, against, most=GOAL)
