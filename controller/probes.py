"""Asks a session's two services whether they answer: a real HTTP GET and a real WebSocket handshake.

Written on bare sockets: 100 sessions are asked every few seconds for as long as the controller runs, and a client
library costs ten times as much for two requests of one line each. For the same reason both are asked before the first
answer is waited for: mostly the loop is then left once, where it was six times.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from controller.model import Probe

HEALTH_PATH = "/healthz"
LONGEST_ANSWER = 8192
"""Bytes of an answer's head that are read at most."""
_WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


@dataclass(frozen=True, slots=True)
class Prober:
    host: str
    """IP address where the published ports are reached from here."""
    timeout: float = 2.0
    """Seconds; a service that takes longer does not answer."""

    async def probe(self, http_port: int, ws_port: int) -> Probe:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        get = f"GET {HEALTH_PATH} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n"
        handshake = (
            f"GET / HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        try:
            with _Call(self.host, http_port, get) as to_web, _Call(self.host, ws_port, handshake) as to_websocket:
                web = await self._listen(to_web, _judge_get)
                websocket = await self._listen(to_websocket, partial(_judge_handshake, key=key))
        except OSError as error:
            web = websocket = f"cannot be asked: {error.strerror}"  # no more descriptors
        told = (("the web service", web), ("the WebSocket service", websocket))
        detail = "; ".join(f"{name} {why}" for name, why in told if why)
        return Probe(web=not web, websocket=not websocket, checked_at=datetime.now(UTC), detail=detail)

    async def _listen(self, call: _Call, judge: Callable[[bytes], str]) -> str:
        """Why the service does not answer, or empty."""
        try:
            async with asyncio.timeout(self.timeout):
                head = await call.answer()
        except TimeoutError:
            return f"does not answer within {self.timeout:g} s"
        except OSError:
            return "does not answer yet"
        return judge(head) if head else "does not answer yet"


class _Call:
    """A connection, begun at once, and the request on its way as far as that goes without waiting."""

    def __init__(self, host: str, port: int, request: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._unsent = request.encode()
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setblocking(False)
        with suppress(OSError, OverflowError):  # not connected yet, or never, or no such port: `answer` finds out
            self._socket.connect_ex((host, port))
            self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def __enter__(self) -> _Call:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def answer(self) -> bytes:
        """The answer's head, cut if it is far too long; empty if the service hung up before its end.

        Raises:
            OSError: nobody listens.
        """
        if self._unsent:
            await self._loop.sock_sendall(self._socket, self._unsent)
        head = b""
        while b"\r\n\r\n" not in head and len(head) < LONGEST_ANSWER:
            more = await self._loop.sock_recv(self._socket, LONGEST_ANSWER)
            if not more:
                return b""
            head += more
        return head


def _judge_get(head: bytes) -> str:
    status = _status(head)
    return "" if 200 <= status < 400 else f"answers with HTTP status {status}"


def _judge_handshake(head: bytes, key: str) -> str:
    status = _status(head)
    proof = base64.b64encode(hashlib.sha1((key + _WEBSOCKET_GUID).encode(), usedforsecurity=False).digest())
    return "" if status == 101 and proof in head else f"does not shake hands (HTTP status {status})"


def _status(answer: bytes) -> int:
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
