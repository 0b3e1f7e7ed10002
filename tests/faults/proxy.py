"""Stands before a Docker engine's socket, and does to what passes what networks and engines do on bad days.

It understands just enough of HTTP/1.1 to know where a request and its answer end. Every call that passes is kept, so
that a test can ask afterwards what was done, to whom, and whether it was ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import assert_never

# ---------------------------------------------------------------- what can go wrong


@dataclass(frozen=True)
class Gone:
    """The connection ends before anything is done."""


@dataclass(frozen=True)
class Hang:
    """Nothing is done and nothing is said for so long, then the connection ends."""

    seconds: float


@dataclass(frozen=True)
class Late:
    """It is done at once, and told so much later."""

    seconds: float


@dataclass(frozen=True)
class Drip:
    """It is done, and told a byte at a time; after so many bytes all the rest."""

    pause: float
    bytes: int


@dataclass(frozen=True)
class LoseReply:
    """It is done, and the connection ends without a word."""


@dataclass(frozen=True)
class CutReply:
    """It is done, and half of the answer comes."""


@dataclass(frozen=True)
class Answer:
    """Nothing is done, and this is said; `done`: it is done, and this is said nevertheless."""

    status: int
    body: bytes
    done: bool = False


@dataclass(frozen=True)
class Stale:
    """What was said at the last time before this fault began is said again."""


@dataclass(frozen=True)
class Tell:
    """The test is called, before or after it is done, and nothing is answered any more."""

    whom: Callable[[], Awaitable[None]]
    done: bool


Fault = Gone | Hang | Late | Drip | LoseReply | CutReply | Answer | Stale | Tell


class Events(Enum):
    """What becomes of the stream of events."""

    WHOLE = auto()
    DROPPED = auto()
    DOUBLED = auto()
    REORDERED = auto()
    DEAD = auto()
    """No event comes on this stream any more, and it does not end."""
    GARBLED = auto()
    HALVED = auto()


@dataclass
class Rule:
    """Faults for the calls whose `METHOD /path` matches."""

    fault: Fault
    calls: re.Pattern[str]
    times: int
    """For each thing called, such as the start of one container: the first so many."""
    skip: int = 0
    """So many calls that match pass unharmed first."""
    hits: dict[str, int] = field(default_factory=dict)

    def strikes(self, call: str) -> bool:
        if self.calls.search(call) is None:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits[call] = self.hits.get(call, 0) + 1
        return self.hits[call] <= self.times

    @property
    def points(self) -> int:
        """How often it struck."""
        return sum(min(n, self.times) for n in self.hits.values())


@dataclass(frozen=True)
class Call:
    """One that passed."""

    method: str
    path: str
    """Without the version and the query."""
    status: int
    """Of the engine's answer; 0: it was not asked, or gave none."""
    fault: str
    at: float

    @property
    def changes(self) -> bool:
        return self.method != "GET"


# ---------------------------------------------------------------- the proxy


class FaultProxy:
    def __init__(self, place: Path, engine: Path) -> None:
        self.socket = place
        self._engine = engine
        self._listener: socket.socket | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.Task[None]] = set()
        self._rules: list[Rule] = []
        self._lifted = asyncio.Event()
        self._last_said: dict[str, bytes] = {}
        self.events = Events.WHOLE
        self.calls: list[Call] = []
        self.struck_at = 0.0
        """When a fault last took effect, or was lifted, by `time.monotonic`."""
        self.made: set[str] = set()
        """Ids of containers whose making passed here."""

    async def open(self) -> None:
        self.socket.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.setblocking(False)
        self._listener.bind(str(self.socket))
        self._listener.listen(128)
        asyncio.get_running_loop().add_reader(self._listener, self._take_in)

    async def close(self) -> None:
        """As an engine that is gone: nobody listens, and all connections end."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        self.socket.unlink(missing_ok=True)
        await self.hang_up()

    async def hang_up(self) -> None:
        """All connections end."""
        await asyncio.sleep(0)  # also those just taken in: by then they have begun, and end in order
        talks = list(self._talks)
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    def break_streams(self) -> None:
        for stream in list(self._streams):
            stream.cancel()

    def fault(self, fault: Fault, calls: str, times: int = 1_000_000, skip: int = 0) -> Rule:
        """From now on, until `lift`."""
        rule = Rule(fault, re.compile(calls), times, skip)
        self._rules.append(rule)
        return rule

    def lift(self) -> None:
        """No more faults; what is held back by one goes on at once."""
        self.struck_at = time.monotonic()
        self._rules = []
        self.events = Events.WHOLE
        self._lifted.set()
        self._lifted = asyncio.Event()

    def changes_since(self, moment: float) -> list[Call]:
        """Calls that may change something, by `time.monotonic`."""
        return [call for call in self.calls if call.changes and call.at >= moment]

    # ------------------------------------------------------------ one connection

    def _take_in(self) -> None:
        """By hand: a server of asyncio's that is closed amid this leaves the connection open, and to nobody."""
        with contextlib.suppress(BlockingIOError):
            assert self._listener is not None
            caller, _ = self._listener.accept()
            caller.setblocking(False)
            talk = asyncio.create_task(self._talk(caller))
            self._talks.add(talk)
            talk.add_done_callback(self._talks.discard)

    async def _talk(self, caller: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=caller, limit=2**24)
        upstream = _Upstream(self._engine)
        try:
            while (request := await _read_message(reader)) is not None:
                if not await self._pass_on(request, upstream, writer):
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()  # and the task ends quietly: to be cancelled is what hanging up means
        finally:
            upstream.close()
            writer.close()

    async def _pass_on(self, request: bytes, upstream: _Upstream, writer: asyncio.StreamWriter) -> bool:
        """One call; false: the connection is to end."""
        method, target, _ = request.split(b" ", 2)
        path = re.sub(r"^/v1\.\d+", "", target.decode().partition("?")[0])
        call = f"{method.decode()} {path}"
        if path == "/events":
            self._note(call, 200, None)
            await self._stream(request, writer)
            return False
        rule = next((rule for rule in self._rules if rule.strikes(call)), None)
        fault = None if rule is None else rule.fault
        if self._undone(fault):
            self._note(call, 0, fault)
            reply = b""
        else:
            began = time.monotonic()
            reply = await upstream.ask(request)
            self._note(call, _status(reply), fault, began)
            if call == "POST /containers/create" and _status(reply) == 201:
                self.made.add(json.loads(_body(reply))["Id"])
        said = await self._said(fault, call + target.decode(), reply, writer)
        if fault is not None:
            self.struck_at = time.monotonic()
        if not said:
            return False
        writer.write(said)
        await writer.drain()
        return said == reply and b"connection: close" not in reply.partition(b"\r\n\r\n")[0].lower()

    def _undone(self, fault: Fault | None) -> bool:
        match fault:
            case Gone() | Hang() | Answer(done=False) | Tell(done=False):
                return True
            case _:
                return False

    async def _said(self, fault: Fault | None, key: str, reply: bytes, writer: asyncio.StreamWriter) -> bytes:
        """What the caller gets to hear; empty: the connection ends."""
        match fault:
            case None:
                self._last_said[key] = reply
                return reply
            case Gone() | LoseReply():
                return b""
            case Hang(seconds):
                await self._wait(seconds)
                return b""
            case Late(seconds):
                await self._wait(seconds)
                return reply
            case Drip(pause, number):
                for n in range(number):
                    writer.write(reply[n : n + 1])
                    await writer.drain()
                    await self._wait(pause)
                writer.write(reply[number:])
                await writer.drain()
                return b""
            case CutReply():
                writer.write(reply[: len(reply) // 2])
                await writer.drain()
                return b""
            case Answer(status, body):
                head = (
                    f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                return head.encode() + body
            case Stale():
                return self._last_said.get(key, reply)
            case Tell(whom):
                await whom()
                return b""
            case _:
                assert_never(fault)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._lifted.wait()

    def _note(self, call: str, status: int, fault: Fault | None, at: float | None = None) -> None:
        method, _, path = call.partition(" ")
        name = "" if fault is None else type(fault).__name__
        self.calls.append(Call(method, path, status, name, time.monotonic() if at is None else at))

    # ------------------------------------------------------------ events

    async def _stream(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        stream = asyncio.current_task()
        assert stream is not None
        self._streams.add(stream)
        reader, to_engine = await asyncio.open_unix_connection(self._engine, limit=2**24)
        try:
            to_engine.write(request)
            writer.write(await reader.readuntil(b"\r\n\r\n"))
            held = b""
            dead = False
            while True:
                size = await reader.readuntil(b"\r\n")
                chunk = size + await reader.readexactly(int(size, 16) + 2)
                if int(size, 16) == 0:
                    return
                dead = dead or self.events is Events.DEAD
                held, told = (b"", b"") if dead else self._event(chunk, held)
                writer.write(told)
                await writer.drain()
                if self.events is Events.HALVED:
                    return
        finally:
            self._streams.discard(stream)
            to_engine.close()

    def _event(self, chunk: bytes, held: bytes) -> tuple[bytes, bytes]:
        """What is kept back, and what is told now."""
        match self.events:
            case Events.WHOLE:
                return b"", held + chunk
            case Events.DROPPED | Events.DEAD:
                return b"", b""
            case Events.DOUBLED:
                return b"", chunk + chunk
            case Events.REORDERED:
                return (b"", chunk + held) if held else (chunk, b"")
            case Events.GARBLED:
                return b"", b"9\r\n{]garble\n\r\n"
            case Events.HALVED:
                return b"", chunk[: len(chunk) // 2]
            case _:
                assert_never(self.events)


class _Upstream:
    """A connection to the engine, made when it is needed first."""

    def __init__(self, engine: Path) -> None:
        self._engine = engine
        self._link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> bytes:
        if self._link is None:
            self._link = await asyncio.open_unix_connection(self._engine, limit=2**24)
        reader, writer = self._link
        writer.write(request)
        await writer.drain()
        reply = await _read_message(reader)
        if reply is None:
            raise ConnectionResetError("the engine hung up")
        return reply

    def close(self) -> None:
        if self._link is not None:
            self._link[1].close()


# ---------------------------------------------------------------- just enough HTTP


async def _read_message(reader: asyncio.StreamReader) -> bytes | None:
    """A request or an answer, head and body; `None` at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    lower = head.lower()
    length = re.search(rb"\r\ncontent-length: *(\d+)\r\n", lower)
    if length is not None:
        return head + await reader.readexactly(int(length[1]))
    if b"\r\ntransfer-encoding: chunked\r\n" not in lower:
        return head
    body = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        body += size + await reader.readexactly(int(size, 16) + 2)
        if int(size, 16) == 0:
            return head + body


def _status(reply: bytes) -> int:
    return int(reply.split(b" ", 2)[1])


def _body(reply: bytes) -> bytes:
    return reply.partition(b"\r\n\r\n")[2]
