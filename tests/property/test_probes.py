"""Whatever a session answers, it is a probe's finding, and everybody can be told of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.probes import Prober
from tests.api_world import api_world

texts = st.text(st.characters(), max_size=20) | st.sampled_from(["\ud800", "\x00", "octave" * 500])
moments = st.one_of(
    st.datetimes(timezones=st.none() | st.timezones()).map(lambda moment: moment.isoformat()),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-22T10:00:00Z"]),
)
numbers = st.integers() | st.floats() | st.sampled_from([10**4000, "9" * 5000, "1"])
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts | moments,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
tellings = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["starting", "busy", "idle", "down"]),
        "since": moments,
        "last_activity": moments,
        "interpreter": st.fixed_dictionaries(
            {"name": texts, "version": texts, "restarts": numbers, "safe_mode": anything}
        ),
        "process": st.fixed_dictionaries({"started_at": moments}),
    }
)
statuses = st.sampled_from([b"200", b"200", b"200", b"101", b"401", b"503", b"2" * 5000, "²".encode()]) | st.binary()
bodies = st.binary(max_size=200) | (tellings | anything).map(lambda told: json.dumps(told).encode())
answers = st.binary(max_size=200) | st.builds(
    lambda status, body: b"HTTP/1.1 %s OK\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body),
    statuses,
    bodies,
)

Look = Callable[[bytes], None]


@pytest.fixture(scope="module")
def look() -> Iterator[Look]:
    """Lets a session answer so, and reads all that tells of it."""
    with asyncio.Runner() as runner:
        world = _world()
        ask = runner.run(_on(world))
        yield lambda answer: runner.run(ask(answer))
        runner.run(_on(world))


async def _world() -> AsyncIterator[Any]:
    async with api_world() as world, _service() as (port, says):
        await world.create(7)
        prober: Any = _Everywhere(port)
        world.informer._prober = prober

        async def ask(answer: bytes) -> None:
            says[:] = [answer]
            seen = await world.informer.refresh(7, 0)
            assert seen.probe is not None
            for path in ("/v1/users", "/v1/users/7", "/list"):
                assert (await world.call("GET", path))[0] == 200
            async with world.http.get("/metrics") as metrics:
                assert metrics.status == 200

        yield ask


async def _on(world: AsyncIterator[Any]) -> Any:
    """What it gives next; at its end, nothing."""
    return await anext(world, None)


class _Everywhere:
    def __init__(self, port: int) -> None:
        self._port = port

    async def probe(self, *_: object) -> Any:
        return await Prober("127.0.0.1").probe(self._port, self._port)


@asynccontextmanager
async def _service() -> AsyncIterator[tuple[int, list[bytes]]]:
    says: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says[0])
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        yield server.sockets[0].getsockname()[1], says


@settings(max_examples=100, deadline=None)
@given(answers)
def test_whatever_a_session_answers_it_can_be_told(look: Look, answer: bytes) -> None:
    look(answer)
