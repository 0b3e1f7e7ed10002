"""A service counts as healthy only when it really answers, and a probe always comes to an end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import hashlib
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.model import SessionHealth, SessionState
from controller.probes import Prober

Answer = Callable[[bytes], bytes | None]


@asynccontextmanager
async def service(answer: Answer) -> AsyncIterator[int]:
    """Listens, and answers a request's head with these bytes; with nothing, ever, if they are `None`."""

    calls: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            said = answer(await reader.readuntil(b"\r\n\r\n"))
            if said is None:
                await reader.read()
            else:
                writer.write(said)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*(call for call in calls if call))


def page(_: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def handshake(request: bytes) -> bytes:
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", request)
    assert key
    accept = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"


async def test_both_services_answer() -> None:
    async with service(page) as web, service(handshake) as websocket:
        probe = await Prober("127.0.0.1").probe(web, websocket)
    assert (probe.web, probe.websocket, probe.detail) == (True, True, "")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: b"", "does not answer yet"),
        (lambda _: b"HTTP/1.1 503 Busy\r\n\r\n", "HTTP status 503"),
        (lambda _: b"SSH-2.0-OpenSSH\r\n\r\n", "HTTP status 0"),
        (lambda _: b"x" * 100_000, "HTTP status 0"),
        (lambda _: b"HTTP/1.1 " + b"2" * 5000 + b" OK\r\n\r\n", "HTTP status 0"),
    ],
)
async def test_what_answers_otherwise_is_not_healthy(answer: Answer, why: str) -> None:
    async with service(answer) as port:
        probe = await Prober("127.0.0.1").probe(port, port)
    assert (probe.web, probe.websocket) == (False, False)
    assert probe.detail.count(why) == 2


async def test_two_services_that_say_nothing_are_waited_for_at_the_same_time() -> None:
    """One after the other took twice as long, with which a look at a swarm's session came too late."""
    async with service(lambda _: None) as port:
        began = asyncio.get_running_loop().time()
        probe = await Prober("127.0.0.1", timeout=1).probe(port, port)
        took = asyncio.get_running_loop().time() - began
    assert (probe.web, probe.websocket) == (False, False)
    assert probe.detail.count("does not answer within 1 s") == 2
    assert 1 <= took < 1.8


async def test_a_host_with_a_name_is_looked_up_without_holding_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def find(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        if host == "nowhere.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", find)
    async with service(page) as web, service(handshake) as websocket:
        assert (await Prober("engine.invalid").probe(web, websocket)).ready
        lost = await Prober("nowhere.invalid").probe(web, websocket)
        assert (await Prober("nowhere.invalid").probe(web, websocket, address="127.0.0.1")).ready
        assert (await Prober("127.0.0.1").probe(web, websocket)).ready
    assert asked == ["engine.invalid", "nowhere.invalid"]
    assert not lost.web
    assert "the web service cannot be asked: Name or service not known" in lost.detail


def answers(body: bytes, length: int | None = None) -> Answer:
    return lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) if length is None else length) + body


OCTAVE = {"name": "octave", "version": "7.3.0", "pid": 7, "restarts": 2, "safe_mode": True}
NO_MOMENTS = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00Z",
    "2026-11-22T10:00:00",
)
"""There are none of them in UTC, or not in every time zone, or nobody knows when."""
NO_INTERPRETERS: tuple[dict[str, Any], ...] = (
    {"restarts": float("inf")},
    {"restarts": float("nan")},
    {"restarts": "2" * 5000},
    {"restarts": -1},
    {"restarts": 10**12},
    {"name": "octave\ud800"},
    {"name": "octave\x1b[2J"},
    {"version": "7" * 1000},
)
TELLS: dict[str, Any] = {
    "state": "busy",
    "since": "2026-11-22T10:00:00.500Z",
    "last_activity": "2026-11-22T10:00:00.250Z",
    "interpreter": OCTAVE,
    "process": {"pid": 1, "started_at": "2026-11-22T09:00:00.000Z"},
    "more": "that a later session may tell",
}


async def test_what_a_session_tells_of_itself_is_taken_along() -> None:
    async with service(answers(json.dumps(TELLS).encode())) as web, service(handshake) as websocket:
        probe = await Prober("127.0.0.1").probe(web, websocket)
    assert probe.ready
    ten = datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert probe.session == SessionHealth(
        state=SessionState.BUSY,
        since=ten + timedelta(milliseconds=500),
        last_activity=ten + timedelta(milliseconds=250),
        interpreter="octave 7.3.0",
        restarts=2,
        safe_mode=True,
        started_at=ten - timedelta(hours=1),
    )


@pytest.mark.parametrize(
    "answer",
    [
        page,
        answers(b"<html>"),
        answers(b"[" * 8000),
        answers(b"null"),
        answers(json.dumps(TELLS | {"state": "asleep"}).encode()),
        answers(json.dumps(TELLS | {"since": 5}).encode()),
        answers(json.dumps(TELLS | {"interpreter": []}).encode()),
        *(answers(json.dumps(TELLS | {"since": when}).encode()) for when in NO_MOMENTS),
        *(answers(json.dumps(TELLS | {"process": {"started_at": when}}).encode()) for when in NO_MOMENTS),
        *(answers(json.dumps(TELLS | {"interpreter": OCTAVE | wrong}).encode()) for wrong in NO_INTERPRETERS),
        answers(json.dumps(TELLS).replace(": 2,", ": 1e999,").encode()),
        answers(json.dumps(TELLS).replace(": 2,", f": {'2' * 5000},").encode()),
        answers(b"x" * 100_000),
        answers(b"half", length=100),
    ],
)
async def test_a_page_that_tells_nothing_of_a_session_is_healthy_all_the_same(answer: Answer) -> None:
    async with service(answer) as web, service(handshake) as websocket:
        probe = await Prober("127.0.0.1").probe(web, websocket)
    assert (probe.ready, probe.session) == (True, None)


async def test_a_body_that_never_comes_is_waited_for_and_no_fault() -> None:
    release = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        await release.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as server, service(handshake) as websocket:
        probe = await Prober("127.0.0.1", timeout=0.2).probe(server.sockets[0].getsockname()[1], websocket)
        release.set()
    assert (probe.web, probe.session) == (True, None)


async def test_a_websocket_that_asks_for_a_token_answers() -> None:
    async with service(page) as web, service(lambda _: b"HTTP/1.1 401 Unauthorized\r\n\r\n") as websocket:
        probe = await Prober("127.0.0.1").probe(web, websocket)
    assert (probe.ready, probe.detail) == (True, "")


async def test_a_handshake_without_proof_is_none() -> None:
    async with service(lambda _: b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: abc\r\n\r\n") as port:
        probe = await Prober("127.0.0.1").probe(port, port)
    assert not probe.websocket


async def test_nobody_listens_and_a_port_that_no_host_has() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        probe = await Prober("127.0.0.1").probe(unused.getsockname()[1], 65_999)
    assert probe.detail == "the web service does not answer yet; the WebSocket service does not answer yet"


async def test_a_connection_that_takes_its_time_is_waited_for() -> None:
    """As to another machine: here the queue of those who want to be connected is full at first."""
    loop = asyncio.get_running_loop()

    async def serve(connection: socket.socket) -> None:
        with connection:
            request = await loop.sock_recv(connection, 1000)
            await loop.sock_sendall(connection, (handshake if b"Upgrade" in request else page)(request))

    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        listening.setblocking(False)
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            asking = asyncio.create_task(Prober("127.0.0.1", timeout=20).probe(port, port))
            await asyncio.sleep(0.1)
            waiting, _ = await loop.sock_accept(listening)
            async with asyncio.TaskGroup() as serving:
                for _ in range(2):
                    connection, _ = await loop.sock_accept(listening)
                    serving.create_task(serve(connection))
            probe = await asking
            waiting.close()
    assert probe.ready, probe.detail


async def test_without_descriptors_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    probe = await Prober("127.0.0.1").probe(1, 2)
    assert probe.detail.startswith("the web service cannot be asked: Too many open files")
