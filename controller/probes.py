"""Asks a session's two services whether they answer: a real HTTP GET and a real WebSocket handshake.

Written on bare sockets that block, in threads of its own: 100 sessions are asked every few seconds for as long as the
controller runs. The event loop costs half as much again for four steps of one line each, and a client library ten
times as much (docs/decisions/0013-probes-in-threads.md).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from controller.model import Probe
from controller.threads import Threads

HEALTH_PATH = "/healthz"
SESSIONS_AT_ONCE = 32
"""More than the informer asks by itself, so that a call which asks for one session need not wait for the rest."""
LONGEST_ANSWER = 8192
"""Bytes of an answer's head that are read at most."""
_WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Prober:
    def __init__(self, host: str, timeout: float = 2.0) -> None:
        """
        Args:
            host: IP address where the published ports are reached from here.
            timeout: seconds; a service that takes longer does not answer.
        """
        self._host = host
        self._timeout = timeout
        self._threads = Threads("probe", SESSIONS_AT_ONCE)

    async def probe(self, http_port: int, ws_port: int) -> Probe:
        return await self._threads.run(partial(self._probe, http_port, ws_port))

    def close(self) -> None:
        self._threads.close()

    def _probe(self, http_port: int, ws_port: int) -> Probe:
        web = self._ask(
            http_port, f"GET {HEALTH_PATH} HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\n\r\n", _judge_get
        )
        websocket = self._handshake(ws_port)
        told = (("the web service", web), ("the WebSocket service", websocket))
        detail = "; ".join(f"{name} {why}" for name, why in told if why)
        return Probe(web=not web, websocket=not websocket, checked_at=datetime.now(UTC), detail=detail)

    def _handshake(self, port: int) -> str:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        proof = base64.b64encode(hashlib.sha1((key + _WEBSOCKET_GUID).encode(), usedforsecurity=False).digest())

        def judge(status: int, head: bytes) -> str:
            return "" if status == 101 and proof in head else f"does not shake hands (HTTP status {status})"

        return self._ask(
            port,
            f"GET / HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n",
            judge,
        )

    def _ask(self, port: int, request: str, judge: Callable[[int, bytes], str]) -> str:
        """Why the service does not answer, or empty."""
        deadline = time.monotonic() + self._timeout
        try:
            with socket.create_connection((self._host, port), self._timeout) as connection:
                connection.sendall(request.encode())
                head = b""
                while b"\r\n\r\n" not in head and len(head) < LONGEST_ANSWER:
                    more = connection.recv(LONGEST_ANSWER)
                    if not more:
                        return "does not answer yet"
                    head += more
                    # Who sends a byte now and then does not answer either.
                    connection.settimeout(max(deadline - time.monotonic(), 0.001))
                return judge(_status(head), head)
        except TimeoutError:
            return f"does not answer within {self._timeout:g} s"
        except (OSError, OverflowError):  # the latter of a port that no host has
            return "does not answer yet"


def _judge_get(status: int, _: bytes) -> str:
    return "" if 200 <= status < 400 else f"answers with HTTP status {status}"


def _status(answer: bytes) -> int:
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
