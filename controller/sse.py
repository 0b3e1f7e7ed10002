"""Server-sent events: how a stream of messages is said to a reader, and how it ends.

As https://html.spec.whatwg.org/multipage/server-sent-events.html has it. Each message's data is one line of JSON.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from controller.errors import MatlabManagerError
from controller.http import REQUEST_ID

log = logging.getLogger(__name__)

MEDIA = "text/event-stream"
BEAT_SECONDS = 10.0
"""So long a stream is silent at most: whatever stands between lets go of one that is for a minute or so."""
SEND_SECONDS = 20.0
"""A reader that takes nothing for so long has gone without saying so."""
HEADERS = {"Content-Type": MEDIA, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The last one is for proxies of nginx's kind, which would keep messages back until they have a handful."""


class Stream:
    """What is not taken is waited for: no more than one message is kept here for a reader."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._clock = asyncio.get_running_loop().time
        self._spoke = self._clock()
        self.response = web.StreamResponse(headers=HEADERS | {"X-Request-ID": request[REQUEST_ID]})

    @property
    def lost(self) -> bool:
        """Nobody listens any more."""
        transport = self._request.transport
        return transport is None or transport.is_closing()

    async def begin(self) -> None:
        """Answer that there is a stream. Raises as `say`: who asked may have gone by now."""
        async with asyncio.timeout(SEND_SECONDS):
            await self.response.prepare(self._request)

    async def say(self, event: str, data: bytes, number: int | None = None) -> None:
        """`number`: where a reader that comes back says it has come to.

        Raises:
            ConnectionError: the reader has gone.
            TimeoutError: it takes nothing.
        """
        named = "" if number is None else f"id: {number}\n"
        await self._write(f"{named}event: {event}\ndata: ".encode() + data + b"\n\n")

    async def beat(self) -> None:
        """Say that the stream lives, if it was silent for long. Raises as `say`."""
        if self._clock() - self._spoke >= BEAT_SECONDS:
            await self._write(b":\n\n")

    async def _write(self, raw: bytes) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self.response.write(raw)
        self._spoke = self._clock()


@asynccontextmanager
async def streaming(request: web.Request) -> AsyncIterator[Stream]:
    """A stream for as long as there is something to say. Once it has begun, an error can only break it off."""
    stream = Stream(request)
    try:
        yield stream
        return
    except (ConnectionError, TimeoutError):
        pass
    except MatlabManagerError as error:
        pairs = {"request_id": request[REQUEST_ID], "why": str(error)}
        log.warning("stream broken off", extra={"pairs": pairs})
    except Exception:
        log.exception("stream failed", extra={"pairs": {"request_id": request[REQUEST_ID]}})
    if request.transport is not None:
        request.transport.abort()
