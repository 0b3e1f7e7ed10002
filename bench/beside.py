"""The controller beside what people would run otherwise, on the same work, one after the other.

ready                  from asking for 50 users (20, 1) until the engine has started the last, told by its events
list, health           one call after another; and requests a second, eight at a time
docker kill → running  until the engine has started the session again, whoever asked it to
idle                   CPU and memory of what stays when nothing is asked, with 100 sessions
restart                from the end of the process until it answers again
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import psutil

from bench.figure import told
from bench.ground import Starts, remove, rest, settled, starts
from bench.load import requests_per_second
from bench.peers import Missing, Peer
from bench.peers.compose import Compose
from bench.peers.hub import Hub
from bench.peers.origin import Origin
from bench.peers.ours import Ours
from tests.rig import Rig
from tests.support import Lab, eventually

HEALS_WITHIN = 15.0
"""Seconds that a killed session is waited for."""
COMMANDS_AT_ONCE = 8
NOTHING = "–"

Say = Callable[[str], None]


@dataclass
class Beside:
    """What was measured of one peer, by the name of the figure."""

    name: str
    figures: dict[str, Sequence[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    """Where there is no number."""
    missing: str = ""
    """Why there is none at all."""

    def put(self, figure: str, unit: str, *values: float) -> None:
        self.figures[figure], self.units[figure] = values, unit

    def cell(self, figure: str) -> str:
        if figure in self.figures:
            return told(self.figures[figure], self.units[figure])
        return self.words.get(figure, "")


async def measure(lab: Lab, batches: Sequence[int], idle: float, say: Say) -> list[Beside]:
    """`batches`: so many users at a time, each beside those who are there."""
    rig = Rig(lab)
    found = []
    try:
        with starts() as heard:
            port = lab.api_port
            peers: list[Peer] = [Ours(rig), Origin(lab, port + 1), Compose(lab), Hub(lab, port + 3)]
            for peer in peers:
                beside = Beside(peer.name)
                try:
                    await _Round(peer, heard, beside, say).measure(batches, idle)
                except Missing as missing:
                    beside.missing = str(missing)
                    say(f"{peer.name}: not measured, for {missing}")
                found.append(beside)
                await peer.close()
                if peer is peers[0]:
                    await rig.stop()
                for whose in ("", "-origin", "-compose", "-hub"):
                    await asyncio.to_thread(remove, lab, lab.instance + whose)
                await settled()
    finally:
        await rig.close()
    return found


class _Round:
    """Of one peer."""

    def __init__(self, peer: Peer, heard: Starts, beside: Beside, say: Say) -> None:
        self._peer = peer
        self._heard = heard
        self._beside = beside
        self._say = say

    async def measure(self, batches: Sequence[int], idle: float) -> None:
        await self._peer.open()
        there = 0
        for n, batch in enumerate(batches):
            await self._up(there, batch)
            there += batch
            if n == 0 or batch is batches[-1]:
                await self._asked(there)
        await self._idle(there, idle)
        await self._killed(there)
        await self._restarted(there)

    async def _up(self, there: int, batch: int) -> None:
        user_ids = range(there + 1, there + batch + 1)
        names = [self._peer.container(user_id) for user_id in user_ids]
        await rest()
        began = time.time()
        asking = asyncio.create_task(self._peer.up(user_ids))
        last = await asyncio.to_thread(self._heard.wait, names, began, 300)
        await asking
        self._put(f"ready, {batch} user{'s' * (batch > 1)}", "s", last - began)

    async def _asked(self, there: int) -> None:
        await eventually(lambda: self._tells(there), 60)
        await rest(1)
        self._put(f"list, {there} sessions", "ms", *await _times(self._peer.listed))
        self._put(f"health, {there} sessions", "ms", *await _times(lambda: self._peer.health(1)))
        rate = await self._rate()
        self._put(f"list, {there} sessions, at its fastest", "requests/s", rate)

    async def _tells(self, number: int) -> bool:
        return await self._peer.listed() == number

    async def _rate(self) -> float:
        if self._peer.list_url:
            return await requests_per_second(self._peer.list_url, headers=self._peer.headers)
        began, calls = time.perf_counter(), COMMANDS_AT_ONCE
        await asyncio.gather(*(self._peer.listed() for _ in range(calls)))
        return calls / (time.perf_counter() - began)

    async def _idle(self, there: int, seconds: float) -> None:
        processes = self._peer.processes()
        if not processes:
            self._beside.words[f"idle CPU, {there} sessions"] = NOTHING
            self._beside.words[f"idle memory, {there} sessions"] = NOTHING
            return
        await rest(1)
        before, began = _cpu(processes), time.perf_counter()
        await asyncio.sleep(seconds)
        self._put(f"idle CPU, {there} sessions", "%", 100 * (_cpu(processes) - before) / (time.perf_counter() - began))
        self._put(f"idle memory, {there} sessions", "MB", sum(each.memory_info().rss for each in processes) / 1e6)

    async def _killed(self, there: int) -> None:
        name = self._peer.container(1)
        killed = time.time()
        killer = await asyncio.create_subprocess_exec("docker", "kill", name, stdout=asyncio.subprocess.DEVNULL)
        await killer.wait()
        again = await asyncio.to_thread(self._heard.wait, [name], killed, HEALS_WITHIN)
        figure = "docker kill → running"
        if again < float("inf"):
            self._put(figure, "s", again - killed)
        else:
            self._beside.words[figure] = f"not within {HEALS_WITHIN:g} s"
            self._say(f"{self._peer.name}: {figure}: not within {HEALS_WITHIN:g} s")

    async def _restarted(self, there: int) -> None:
        if not self._peer.processes():
            self._beside.words["restart of the manager"] = NOTHING
            return
        began = time.perf_counter()
        await self._peer.restart()
        self._put("restart of the manager", "s", time.perf_counter() - began)

    def _put(self, figure: str, unit: str, *values: float) -> None:
        self._beside.put(figure, unit, *values)
        self._say(f"{self._peer.name}: {figure}: {told(values, unit)}")


async def _times(ask: Callable[[], Awaitable[object]], most: int = 30, seconds: float = 4) -> list[float]:
    """Milliseconds of calls one after the other, after one that warms up."""
    await ask()
    took: list[float] = []
    began = time.perf_counter()
    while len(took) < most and time.perf_counter() - began < seconds:
        asked = time.perf_counter()
        await ask()
        took.append(1000 * (time.perf_counter() - asked))
    return took


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (each.cpu_times() for each in processes))
