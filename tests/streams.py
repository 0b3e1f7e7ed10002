"""A reader of server-sent events, for the tests: message by message, each held to the OpenAPI document."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.api_world import documented

PATIENCE = 20.0
"""Seconds until a message must be there."""
STREAM = {"Accept": "text/event-stream"}


@dataclass(frozen=True, slots=True)
class Message:
    event: str
    data: Any
    id: int | None


class Listener:
    def __init__(self, response: aiohttp.ClientResponse, name: str) -> None:
        self.response = response
        self._name = name
        """Of the operation."""

    async def next(self, event: str = "", seconds: float = PATIENCE) -> Message:
        """The next message, or the next of this kind.

        Raises:
            TimeoutError: there was none in time.
            EOFError: the stream ended.
        """
        async with asyncio.timeout(seconds):
            while True:
                message = await self._read()
                if event in ("", message.event):
                    return message

    async def up_to(self, number: int) -> list[Message]:
        """What happens, up to the event of this number."""
        found = [await self.next("happened")]
        while found[-1].id != number:
            found.append(await self.next("happened"))
        return found

    async def all(self, event: str = "", seconds: float = 0.5) -> list[Message]:
        """Those of this kind that come within so long."""
        found = []
        try:
            while True:
                found.append(await self.next(event, seconds))
        except TimeoutError:
            return found

    async def ended(self, seconds: float = PATIENCE) -> None:
        """Raises TimeoutError: the stream goes on."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self._read()
        except (EOFError, aiohttp.ClientError):
            return

    async def _read(self) -> Message:
        fields: dict[str, str] = {}
        while True:
            line = (await self.response.content.readuntil(b"\n")).decode()
            if not line:
                raise EOFError
            if line != "\n":
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value
            elif "event" in fields:
                break
        data, number = json.loads(fields["data"]), fields.get("id")
        documented().check_message(self._name, fields["event"], data)
        return Message(fields["event"], data, None if number is None else int(number))


@asynccontextmanager
async def listening(
    http: aiohttp.ClientSession, path: str = "/v1/watch", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Listener]:
    unlimited = aiohttp.ClientTimeout(total=None)
    async with http.get(path, headers={**STREAM, **(headers or {})}, timeout=unlimited) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "text/event-stream"
        yield Listener(response, "watch" if path.startswith("/v1/watch") else "events")
