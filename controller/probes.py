"""Asks a session's two services whether they answer: a real HTTP GET and a real WebSocket handshake. The first one's
answer tells what the session does.

No token goes along: a service that asks for one answers, and lets everybody know that it lives.

Written on bare sockets: 100 sessions are asked every few seconds for as long as the controller runs, and a client
library costs ten times as much for two requests of one line each. For the same reason both are asked before the first
answer is waited for: mostly the loop is then left once, where it was six times.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ipaddress
import json
import re
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from controller.model import Probe, SessionHealth, SessionState

HEALTH_PATH = "/healthz"
HOST = "localhost"
"""By which name a session is called: one that every session answers to."""
LONGEST_ANSWER = 8192
"""Bytes of an answer that are read at most."""
_HEAD_ENDS = b"\r\n\r\n"
LONGEST_NAME = 100
"""Letters of an interpreter's name and version together."""
MOST_RESTARTS = 10**9
YEARS = range(1970, 3000)
"""Of the moments that a session may tell: those at the calendar's ends are in no other time zone."""
_STATUS = re.compile(rb"[0-9]{3}")
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,9})\r\n", re.IGNORECASE)
_WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


@dataclass(frozen=True, slots=True)
class Prober:
    host: str
    """Where published ports are reached from here, unless they are on a node with an address of its own."""
    timeout: float = 2.0
    """Seconds; a service that takes longer does not answer."""

    async def probe(self, http_port: int, ws_port: int, patience: float = 0.0, address: str = "") -> Probe:
        """`patience`: seconds to leave the services in peace before their answers are looked for. Where many are asked
        at the same time, the answers then mostly are there and need not be waited for one by one.
        `address`: of the node."""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        get = f"GET {HEALTH_PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        handshake = (
            f"GET / HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        try:
            host = address or await self._address()
            with _Call(host, http_port, get) as to_web, _Call(host, ws_port, handshake) as to_websocket:
                await asyncio.sleep(patience)
                # this one first: meanwhile the page's answer, which comes in two pieces, is there whole
                silent = [call for call in (to_websocket, to_web) if not call.heard_at_once()]
                if silent:  # for ready sessions mostly there are none, and tasks cost as much as all the rest
                    async with asyncio.TaskGroup() as listening:
                        for call in silent:
                            listening.create_task(call.hear(self.timeout))
                websocket = to_websocket.why_not(partial(_judge_handshake, key=key))
                web = to_web.why_not(_judge_get)
                session = None if web else _told(to_web.heard)
        except OSError as error:
            web = websocket = f"cannot be asked: {error.strerror or 'its host is not found in time'}"
            session = None
        told = (("the web service", web), ("the WebSocket service", websocket))
        detail = "; ".join(f"{name} {why}" for name, why in told if why)
        return Probe(not web, not websocket, datetime.now(UTC), detail, session)

    async def _address(self) -> str:
        """The host's IP address: a socket would look a name up by itself, and hold up everybody until that is done.

        Raises:
            OSError: there is none, or not in time.
        """
        with suppress(ValueError):
            return str(ipaddress.ip_address(self.host))
        async with asyncio.timeout(self.timeout):
            found = await asyncio.get_running_loop().getaddrinfo(self.host, None, family=socket.AF_INET)
        return str(found[0][4][0])


class _Call:
    """A connection, begun at once, and the request on its way as far as that goes without waiting."""

    def __init__(self, host: str, port: int, request: str) -> None:
        self.heard = b""
        """The answer, as far as it came."""
        self._trouble = "does not answer yet"
        """Why there is no answer, where there is none."""
        self._loop = asyncio.get_running_loop()
        self._unsent = request.encode()
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setblocking(False)
        with suppress(OSError, OverflowError):  # not connected yet, or never, or no such port: `hear` finds out
            self._socket.connect_ex((host, port))
            self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def __enter__(self) -> _Call:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def heard_at_once(self) -> bool:
        """Whether the answer is there, or its end: without waiting, and so without the loop's part in it."""
        try:
            while not self._unsent:
                more = self._socket.recv(LONGEST_ANSWER)
                self.heard += more
                if self._over(more):
                    return True
        except BlockingIOError:
            return False
        except OSError:  # nobody listens
            self.heard = b""
            return True
        return False

    async def hear(self, seconds: float) -> None:
        """Until the answer is complete or far too long, or the service hangs up; for so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._hear()
        except TimeoutError:
            self._trouble = f"does not answer within {seconds:g} s"
        except OSError:  # nobody listens
            self.heard = b""

    async def _hear(self) -> None:
        if self._unsent:
            await self._loop.sock_sendall(self._socket, self._unsent)
        while True:
            more = await self._loop.sock_recv(self._socket, LONGEST_ANSWER)
            self.heard += more
            if self._over(more):
                return

    def why_not(self, judge: Callable[[bytes], str]) -> str:
        """Why the service does not answer, or empty."""
        answered = _HEAD_ENDS in self.heard or len(self.heard) >= LONGEST_ANSWER
        return judge(self.heard) if answered else self._trouble

    def _over(self, last: bytes) -> bool:
        return not last or len(self.heard) >= LONGEST_ANSWER or _complete(self.heard)


def _complete(answer: bytes) -> bool:
    head, ends, body = answer.partition(_HEAD_ENDS)
    if not ends:
        return False
    announced = _CONTENT_LENGTH.search(head + b"\r\n")
    return announced is None or len(body) >= int(announced[1])


def _judge_get(answer: bytes) -> str:
    status = _status(answer)
    return "" if 200 <= status < 400 else f"answers with HTTP status {status}"


def _judge_handshake(answer: bytes, key: str) -> str:
    status = _status(answer)
    if status == 401:
        return ""  # it asks for a token
    proof = base64.b64encode(hashlib.sha1((key + _WEBSOCKET_GUID).encode(), usedforsecurity=False).digest())
    return "" if status == 101 and proof in answer else f"does not shake hands (HTTP status {status})"


def _told(answer: bytes) -> SessionHealth | None:
    """`None` where it is no session service of ours that answers.

    Whatever runs in the session may answer in its place, so nothing is kept that has another form.
    """
    try:
        told = json.loads(answer.partition(_HEAD_ENDS)[2])
        interpreter = told["interpreter"]
        return SessionHealth(
            state=SessionState(told["state"]),
            since=_moment(told["since"]),
            last_activity=_moment(told["last_activity"]),
            interpreter=_name(f"{interpreter['name']} {interpreter['version']}".strip()),
            restarts=_count(int(interpreter["restarts"])),
            safe_mode=bool(interpreter["safe_mode"]),
            started_at=_moment(told["process"]["started_at"]),
        )
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        return None


def _moment(said: str) -> datetime:
    """Raises ValueError, OverflowError: it is none, or none that can be reckoned with."""
    moment = datetime.fromisoformat(said)
    if moment.tzinfo is None or moment.year not in YEARS:
        raise ValueError(f"No moment: {said}")
    return moment.astimezone(UTC)


def _name(said: str) -> str:
    """Raises ValueError: it is too long, or cannot be shown; half a surrogate could not even be encoded."""
    if len(said) > LONGEST_NAME or not said.isprintable():
        raise ValueError("No name of an interpreter.")
    return said


def _count(restarts: int) -> int:
    """Raises ValueError: so many there cannot have been."""
    if not 0 <= restarts <= MOST_RESTARTS:
        raise ValueError("No number of restarts.")
    return restarts


def _status(answer: bytes) -> int:
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and _STATUS.fullmatch(words[1]) else 0
