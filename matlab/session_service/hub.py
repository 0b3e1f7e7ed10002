"""Who listens: every notification goes to every client in the same order, and none of them can hold up the others.

A client that does not keep up loses printed text first, and is told how much; one that stops reading altogether is
let go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from . import rpc

BACKLOG = 1024 * 1024
"""Characters that may wait for one client before printed text is left out."""

LARGEST_BACKLOG = 16 * BACKLOG
"""Characters after which the client is let go, and nothing more is kept for it."""

TRANSCRIPT = 128 * 1024
"""Characters of the recent past, as messages, that a client who comes later can see."""


@dataclass(slots=True)
class _Missed:
    """Stands in a backlog where printed text was left out."""

    characters: int


class Client:
    """One connection's backlog."""

    def __init__(self) -> None:
        self._backlog: deque[str | _Missed] = deque()
        self._size = 0
        self._something = asyncio.Event()
        self.too_far_behind = asyncio.Event()
        """It is to be let go, and gets nothing more."""

    def send(self, message: str, printed: int = 0) -> None:
        """`printed`: how many characters of printed text it carries; only such a message may be left out."""
        if self.too_far_behind.is_set():
            return
        if printed and self._size + len(message) > BACKLOG:
            self._leave_out(printed)
        else:
            self._backlog.append(message)
            self._size += len(message)
        if self._size > LARGEST_BACKLOG:
            self._backlog.clear()
            self.too_far_behind.set()
        self._something.set()

    async def next(self) -> str | None:
        """The next message; `None` when the client has fallen too far behind."""
        while not self._backlog:
            if self.too_far_behind.is_set():
                return None
            self._something.clear()
            await self._something.wait()
        message = self._backlog.popleft()
        if isinstance(message, _Missed):
            return rpc.notification("missed", {"characters": message.characters})
        self._size -= len(message)
        return message

    def _leave_out(self, printed: int) -> None:
        last = self._backlog[-1] if self._backlog else None
        if isinstance(last, _Missed):
            last.characters += printed
        else:
            self._backlog.append(_Missed(printed))


class Hub:
    def __init__(self) -> None:
        self._clients: set[Client] = set()
        self._transcript: deque[tuple[str, dict[str, Any], int]] = deque()
        self._transcript_size = 0

    def __len__(self) -> int:
        return len(self._clients)

    def join(self, client: Client) -> None:
        """From now on it gets everything; `transcript` tells what was before."""
        self._clients.add(client)

    def leave(self, client: Client) -> None:
        self._clients.discard(client)

    def publish(self, method: str, params: dict[str, Any]) -> None:
        """Tell everyone; whoever comes later is not told of silent commands."""
        printed = len(params["text"]) if method == "output" else 0
        message = rpc.notification(method, params)
        for client in self._clients:
            client.send(message, printed)
        if params.get("silent"):
            return
        self._transcript.append((method, params, len(message)))
        self._transcript_size += len(message)
        while self._transcript_size > TRANSCRIPT:
            _, _, size = self._transcript.popleft()
            self._transcript_size -= size

    def transcript(self) -> list[dict[str, Any]]:
        return [{"method": method, "params": params} for method, params, _ in self._transcript]
