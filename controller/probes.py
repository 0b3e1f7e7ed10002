"""Asks a session's two services whether they answer: a real HTTP GET and a real WebSocket handshake.

Written on bare sockets: 100 sessions are asked every few seconds for as long as the controller runs, and a client
library costs ten times as much for two requests of one line each.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

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
        web = await self._ask(
            http_port, f"GET {HEALTH_PATH} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n", _judge_get
        )
        websocket = await self._handshake(ws_port)
        told = (("the web service", web), ("the WebSocket service", websocket))
        detail = "; ".join(f"{name} {why}" for name, why in told if why)
        return Probe(web=not web, websocket=not websocket, checked_at=datetime.now(UTC), detail=detail)

    async def _handshake(self, port: int) -> str:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        proof = base64.b64encode(hashlib.sha1((key + _WEBSOCKET_GUID).encode(), usedforsecurity=False).digest())

        def judge(status: int, head: bytes) -> str:
            return "" if status == 101 and proof in head else f"does not shake hands (HTTP status {status})"

        return await self._ask(
            port,
            f"GET / HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n",
            judge,
        )

    async def _ask(self, port: int, request: str, judge: Callable[[int, bytes], str]) -> str:
        """Why the service does not answer, or empty."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            with socket.socket(family) as connection:
                connection.setblocking(False)
                async with asyncio.timeout(self.timeout):
                    await loop.sock_connect(connection, (self.host, port))
                    await loop.sock_sendall(connection, request.encode())
                    head = b""
                    while b"\r\n\r\n" not in head and len(head) < LONGEST_ANSWER:
                        more = await loop.sock_recv(connection, LONGEST_ANSWER)
                        if not more:
                            return "does not answer yet"
                        head += more
                    return judge(_status(head), head)
        except TimeoutError:
            return f"does not answer within {self.timeout:g} s"
        except (OSError, OverflowError):  # the latter of a port that no host has
            return "does not answer yet"


def _judge_get(status: int, _: bytes) -> str:
    return "" if 200 <= status < 400 else f"answers with HTTP status {status}"


def _status(answer: bytes) -> int:
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
