"""The controller with a hundred users.

100 users                one edit of the file       ÷ a pool of 10 threads on the bare SDK   goal ≤ 1.05
                         and the same               ÷ `docker compose up --detach`           goal ≤ 1.00
GET /list, 100 sessions  its requests per second    ÷ an empty aiohttp JSON handler's        goal ≥ 0.70
resync, 100 users        the controller's own log                                            goal < 300 ms
idle, 100 sessions       CPU and memory of its process                                       goal < 1 %, 80 MB
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

import aiohttp
import psutil

from bench import floor
from bench.figure import Figure, Tell
from bench.ground import clear, rest, starts
from bench.load import requests_per_second
from bench.peers import Missing
from bench.peers.compose import Compose
from controller.fence import network_name
from tests.rig import Rig
from tests.support import Lab, eventually


async def measure(lab: Lab, rounds: int, users: int, idle: float, tell: Tell) -> None:
    rig = Rig(lab)
    try:
        await rig.start(MCM_API_RATE="0")  # one caller that measures is no flood
        for figure in await _hundred(rig, rounds, users):
            tell(figure)
        tell(await _list(rig, users, 2 * rounds + 1))
        for figure in await _at_rest(rig, users, idle):
            tell(figure)
    finally:
        await rig.close()


# ---------------------------------------------------------------- a hundred users


async def _hundred(rig: Rig, rounds: int, users: int) -> list[Figure]:
    """By turns, each on a machine that the one before has left; each is first, second and last equally often.

    Of three, because now and then one takes a third longer: of its processor time the kernel has more (decision 41).
    The controller is last of all: its hundred stay.
    """
    others = [_floor_label(rig.lab)]
    deeds: dict[str, Callable[[], Awaitable[float]]] = {"sdk": partial(_by_sdk, rig.lab, users)}
    compose = await _compose(rig.lab)
    if compose is not None:
        others.append(compose.label)
        deeds["compose"] = lambda: _seconds(partial(compose.up, range(1, users + 1)))
    deeds["ours"] = partial(_by_file, rig, users)
    names = list(deeds)
    took: dict[str, list[float]] = {name: [] for name in names}
    for left in reversed(range(rounds)):
        first = left % len(names)
        for name in names[first:] + names[:first]:
            await clear(rig, *others)
            took[name].append(await deeds[name]())
    name = f"{users} users from nothing"
    figures = [Figure(name, "s", took["ours"], took["sdk"], "ten threads on the bare SDK", most=1.05)]
    if compose is not None:
        figures.append(Figure(name, "s", took["ours"], took["compose"], "docker compose up --detach", most=1.0))
    return figures


async def _compose(lab: Lab) -> Compose | None:
    compose = Compose(lab)
    try:
        await compose.open()
    except Missing as missing:
        print(f"       Docker Compose is not measured: {missing}", flush=True)
        return None
    return compose


async def _seconds(deed: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await deed()
    return time.perf_counter() - began


async def _by_sdk(lab: Lab, users: int) -> float:
    specs = [floor.prepared(lab, n) for n in range(1, users + 1)]
    api = floor.client()
    names = api, specs, _floor_label(lab), network_name(lab.instance)
    return await _seconds(partial(asyncio.to_thread, floor.run_pool, *names))


def _floor_label(lab: Lab) -> str:
    return f"{lab.instance}-floor"


async def _by_file(rig: Rig, users: int) -> float:
    """Until the engine's own events have told of every start: asking the API would take time from it."""
    rows = "users:\n" + "".join(f"  {n}: {{}}\n" for n in range(1, users + 1))
    text = re.sub(r"^users:.*\n", rows, rig.wish.read_text(), flags=re.MULTILINE)
    names = [rig.lab.name(n) for n in range(1, users + 1)]
    with starts() as heard:
        saved = time.time()
        rig.wish.write_text(text)
        last = await asyncio.to_thread(heard.wait, names, saved, 600)
    await eventually(lambda: _running(rig, users), 30)
    return last - saved


async def _running(rig: Rig, number: int) -> bool:
    return list((await rig.statuses()).values()).count("running") == number


# ---------------------------------------------------------------- with a hundred sessions


async def _list(rig: Rig, users: int, turns: int) -> Figure:
    await rest(2)  # let a hundred interpreters finish starting
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.empty_handler", str(rig.lab.api_port + 1)
    )
    try:
        empty = f"http://127.0.0.1:{rig.lab.api_port + 1}/"
        await eventually(lambda: _answers(empty))
        ours, bare = [], []
        for _ in range(turns):
            bare.append(await requests_per_second(empty))
            ours.append(await requests_per_second(rig.url + "/list"))
    finally:
        process.terminate()
        await process.wait()
    return Figure(f"GET /list, {users} sessions", "requests/s", ours, bare, "an empty aiohttp handler", least=0.70)


async def _answers(url: str) -> bool:
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(url) as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


async def _at_rest(rig: Rig, users: int, seconds: float) -> list[Figure]:
    """Two resyncs at least lie in the minute that this takes by default."""
    assert rig.process is not None
    process = psutil.Process(rig.process.pid)
    await rest(2)
    resyncs: dict[int, float] = {}
    before, began = process.cpu_times(), time.perf_counter()
    while time.perf_counter() - began < seconds or not resyncs:
        await asyncio.sleep(10)
        _, status = await rig.call("GET", "/v1/status")
        resyncs[status["queue"]["resyncs"]] = float(status["queue"]["resync_ms"])
    after, took = process.cpu_times(), time.perf_counter() - began
    percent = 100 * (after.user + after.system - before.user - before.system) / took
    memory = process.memory_info().rss / 1e6
    return [
        Figure(f"no-op resync, {users} users", "ms", list(resyncs.values()), most=300),
        Figure(f"idle CPU, {users} sessions", "% of a core", [percent], most=1),
        Figure(f"idle memory, {users} sessions", "MB", [memory], most=80),
    ]
