"""The session's speed: one container of 2 cores, run with the flags that the controller uses.

start → HTTP, WebSocket, first eval   from the engine's time of the start, median of 10      goal of the last ≤ 0.6 s
1+1                                   500 round trips over the WebSocket                     goal of the median ≤ 6 ms
100,000 lines                         printed to a client ÷ printed by bare Octave to a pipe
50 clients                            each in turn asks for 1+1, and all of them hear of it
idle                                  memory and CPU of the container                        goal ≤ 40 MB
image                                 with the page in it                                    goal ≤ 480 MB
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import docker
from docker.models.containers import Container

from bench import floor
from bench.figure import Figure, Tell
from controller.model import SessionSpec
from tests.support import MIB, Lab, eventually

STARTS = 10
ROUND_TRIPS = 500
CLIENTS = 50
LINES = 100_000
PRINTING = rf'for i = 1:{LINES}, printf ("%d\n", i); end'
PAIRS = 5


@dataclass(frozen=True)
class Started:
    """Seconds from the start of a container until it answered."""

    http: float
    websocket: float
    first_eval: float


class Client:
    """One connection, always reading: what others do is heard as a page hears it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def eval(self, code: str) -> dict[str, Any]:
        number = next(self._ids)
        self._asked[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"jsonrpc": "2.0", "id": number, "method": "eval", "params": {"code": code}})
        result: dict[str, Any] = (await self._asked[number])["result"]
        assert result["status"] == "ok", result
        return result

    async def close(self) -> None:
        await self._socket.close()
        await self._reading

    async def _read(self) -> None:
        async for message in self._socket:
            content = json.loads(message.data)
            if "id" in content:
                self._asked.pop(content["id"]).set_result(content)


async def measure(lab: Lab, image: str, idle: float, tell: Tell) -> None:
    api = floor.client()
    label = f"{lab.instance}-session"
    async with aiohttp.ClientSession() as http:
        for figure in await _starts(lab, api, image, label, http):
            tell(figure)
        spec = _spec(lab, STARTS + 1, image)
        container = lab.client.containers.get(await asyncio.to_thread(floor.run, api, spec, label))
        _, client = await _first(lambda: _connect(http, spec))
        for figure in await _round_trips(client):
            tell(figure)
        await client.close()
        for figure in await _idle(container, idle):
            tell(figure)
        client = await _connect(http, spec)
        tell(await _lines(client, container))
        await client.close()
        tell(await _clients(http, spec))
    tell(_image(lab.client, image))


# ---------------------------------------------------------------- until it answers


async def _starts(lab: Lab, api: docker.APIClient, image: str, label: str, http: aiohttp.ClientSession) -> list[Figure]:
    took = []
    for number in range(STARTS + 1):
        spec = _spec(lab, number, image)
        took.append(await _start(api, spec, label, http))
        await asyncio.to_thread(api.remove_container, spec.name, force=True)
    took = took[1:]  # the first warms up
    return [
        Figure("session: start → HTTP", "s", [each.http for each in took]),
        Figure("session: start → WebSocket", "s", [each.websocket for each in took]),
        Figure("session: start → first eval", "s", [each.first_eval for each in took], most=0.6),
    ]


async def _start(api: docker.APIClient, spec: SessionSpec, label: str, http: aiohttp.ClientSession) -> Started:
    container = await asyncio.to_thread(floor.run, api, spec, label)
    # not asked before: while the container's network comes up, the engine's proxy would try again only after a second
    (page_at, _), (connected_at, client) = await asyncio.gather(
        _first(lambda: _page(http, spec)), _first(lambda: _connect(http, spec))
    )
    await client.eval("1+1")
    evaluated_at = time.time()
    await client.close()
    began = datetime.fromisoformat(api.inspect_container(container)["State"]["StartedAt"][:26] + "+00:00").timestamp()
    return Started(page_at - began, connected_at - began, evaluated_at - began)


async def _first(ask: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    """When a container answered for the first time, and what."""

    async def try_it() -> tuple[float, Any] | None:
        with contextlib.suppress(aiohttp.ClientError):
            answer = await ask()
            return time.time(), answer
        return None

    moment: tuple[float, Any] = await eventually(try_it, 60, every=0.005)
    return moment


async def _page(http: aiohttp.ClientSession, spec: SessionSpec) -> None:
    async with http.get(f"http://127.0.0.1:{spec.http_port}/") as answer:
        assert answer.status == 200


async def _connect(http: aiohttp.ClientSession, spec: SessionSpec) -> Client:
    return Client(await http.ws_connect(f"ws://127.0.0.1:{spec.ws_port}/", max_msg_size=0))


# ---------------------------------------------------------------- while it runs


async def _round_trips(client: Client) -> list[Figure]:
    await _times(client, 20)
    took = [1000 * seconds for seconds in await _times(client, ROUND_TRIPS)]
    return [
        Figure("session: 1+1", "ms", took, most=6),
        Figure("session: 1+1, 99th percentile", "ms", [statistics.quantiles(took, n=100)[98]]),
    ]


async def _times(client: Client, count: int) -> list[float]:
    took = []
    for _ in range(count):
        began = time.perf_counter()
        await client.eval("1+1")
        took.append(time.perf_counter() - began)
    return took


async def _idle(container: Container, seconds: float) -> list[Figure]:
    before, began = await asyncio.to_thread(_usage, container), time.perf_counter()
    await asyncio.sleep(seconds)
    after, took = await asyncio.to_thread(_usage, container), time.perf_counter() - began
    memory, percent = after[0] / 1e6, 100 * (after[1] - before[1]) / took
    return [
        Figure("session: idle memory", "MB", [memory], most=40),
        Figure("session: idle CPU", "% of a core", [percent]),
    ]


def _usage(container: Container) -> tuple[int, float]:
    """Bytes, without the file cache that the kernel gives back when asked, and seconds of work."""
    stats = container.stats(stream=False)
    assert isinstance(stats, dict)
    kinds = stats["memory_stats"]["stats"]
    memory = stats["memory_stats"]["usage"] - kinds.get("total_inactive_file", kinds.get("inactive_file", 0))
    return memory, stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9


async def _lines(client: Client, container: Container) -> Figure:
    ours, bare = [], []
    for _ in range(PAIRS + 1):
        began = time.perf_counter()
        await client.eval(PRINTING)
        ours.append(time.perf_counter() - began)
        bare.append(await asyncio.to_thread(_bare_octave_prints, container))
    return Figure(f"session: {LINES:,} lines", "s", ours[1:], bare[1:], "bare Octave to a pipe")


def _bare_octave_prints(container: Container) -> float:
    """Seconds that Octave alone takes, in the same container, to print the same to a pipe."""
    code = f'tic; {PRINTING}; fprintf (stderr, "%g", toc)'
    command = ["sh", "-c", '{ octave-cli --quiet --no-init-file --eval "$0" | cat >/dev/null; } 2>&1', code]
    printed = container.exec_run(command, environment={"OCTAVE_HISTFILE": "/dev/null"}).output
    assert isinstance(printed, bytes)
    return float(printed)


async def _clients(http: aiohttp.ClientSession, spec: SessionSpec) -> Figure:
    clients = [await _connect(http, spec) for _ in range(CLIENTS)]
    took = [second for client in clients for second in await _times(client, 10)]
    for client in clients:
        await client.close()
    return Figure(f"session: 1+1 with {CLIENTS} clients", "ms", [1000 * seconds for seconds in took])


# ---------------------------------------------------------------- helpers


def _image(client: docker.DockerClient, image: str) -> Figure:
    size = client.images.get(image).attrs["Size"] / 1e6
    return Figure("session: image, page included", "MB", [size], most=480)


def _spec(lab: Lab, user_id: int, image: str) -> SessionSpec:
    return floor.prepared(lab, user_id, image=image, cpus=2, memory=1024 * MIB)
