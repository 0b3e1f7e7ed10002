"""Asks a session's two services whether they answer: a real HTTP GET and a real WebSocket handshake.

Written on bare asyncio streams: 100 sessions are asked every few seconds for as long as the controller runs, and a
client library costs ten times as much for two requests of one line each.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from controller.model import Probe

HEALTH_PATH = "/healthz"
_WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


@dataclass(frozen=True, slots=True)
class Prober:
    host: str
    """Where the published ports are reached from here."""
    timeout: float = 2.0
    """Seconds; a service that takes longer does not answer."""

    async def probe(self, http_port: int, ws_port: int) -> Probe:
        web, websocket = await asyncio.gather(self._ask(http_port, self._get), self._ask(ws_port, self._handshake))
        detail = "; ".join(
            f"{name} {why}" for name, why in (("the web service", web), ("the WebSocket service", websocket)) if why
        )
        return Probe(web=not web, websocket=not websocket, checked_at=datetime.now(UTC), detail=detail)

    async def _ask(self, port: int, question: _Question) -> str:
        """Why the service does not answer, or empty."""
        try:
            async with asyncio.timeout(self.timeout):
                reader, writer = await asyncio.open_connection(self.host, port, limit=8192)
                try:
                    return await question(reader, writer)
                finally:
                    writer.close()
        except TimeoutError:
            return f"does not answer within {self.timeout:g} s"
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return "does not answer yet"

    async def _get(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(f"GET {HEALTH_PATH} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode())
        status = _status(await reader.readuntil(b"\r\n\r\n"))
        return "" if 200 <= status < 400 else f"answers with HTTP status {status}"

    async def _handshake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        writer.write(
            f"GET / HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        answer = await reader.readuntil(b"\r\n\r\n")
        proof = base64.b64encode(hashlib.sha1((key + _WEBSOCKET_GUID).encode(), usedforsecurity=False).digest())
        if _status(answer) == 101 and proof in answer:
            return ""
        return f"does not shake hands (HTTP status {_status(answer)})"


_Question = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[str]]


def _status(answer: bytes) -> int:
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
