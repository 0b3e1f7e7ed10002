"""The client for programs with an event loop: `async with AsyncClient() as client`.

A module of its own, so that programs without one do not load aiohttp.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Self, TypeVar, assert_never

import aiohttp
from yarl import URL

from controller import event_shapes
from controller.client.calls import Calls
from controller.client.steps import Awaiting, Happened, Listen, Lost, More, Pause, Request, Response, Steps
from controller.events import EventKind

T = TypeVar("T")


class AsyncClient(Calls, Awaiting):
    _http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        where = self._address
        # A connection for each call: then it is known whether one was sent that gets no answer.
        connector = (
            aiohttp.UnixConnector(where.socket, force_close=True)
            if where.socket
            else aiohttp.TCPConnector(ssl=where.trust or True, force_close=True)
        )
        self._http = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def take(self, steps: Steps[T]) -> T:
        told: object = None
        while True:
            try:
                step = steps.send(told)
            except StopIteration as end:
                answer: T = end.value
                return answer
            told = await (self._exchange(step) if isinstance(step, Request) else _pause(step))

    async def follow_events(
        self, user_id: int | None = None, after: int | None = None, kinds: Sequence[EventKind] = ()
    ) -> AsyncIterator[event_shapes.HappenedEvent]:
        """What happens, as it happens, each event once and without end: those after the id `after`, or from now on.

        After 0 are all that are kept. A stream that breaks off is taken up where it was.

        Raises Refused and Unreachable, as any call.
        """
        steps = self._following(user_id, after, kinds)
        told: object = None
        async with AsyncExitStack() as held:
            while True:
                step = steps.send(told)
                told = None
                match step:
                    case Happened():
                        yield step.event
                    case Listen():
                        await held.aclose()
                        stream = await self._open(step.request, held)
                        told = stream if isinstance(stream, Lost) else stream.status
                    case More():
                        told = await _piece(stream)
                    case Request():
                        told = await self._exchange(step)
                    case Pause():
                        told = await _pause(step)
                    case _:
                        assert_never(step)

    async def _exchange(self, request: Request) -> Response | Lost:
        try:
            async with asyncio.timeout(request.timeout), AsyncExitStack() as held:
                response = await self._open(request, held)
                if isinstance(response, Lost):
                    return response
                return Response(response.status, await response.read(), response.headers.get("Retry-After", ""))
        except (OSError, aiohttp.ClientError) as error:
            return Lost(_why(error), sent=True)

    async def _open(self, request: Request, held: AsyncExitStack) -> aiohttp.ClientResponse | Lost:
        """The response with its content still to come, for as long as `held` is."""
        asked = self._http.request(
            request.method,
            URL(self._address.origin + request.target, encoded=True),
            data=request.body,
            headers=request.headers,
            timeout=aiohttp.ClientTimeout(sock_connect=request.timeout, sock_read=request.timeout),
            allow_redirects=False,
        )
        try:
            return await held.enter_async_context(asked)
        except (OSError, aiohttp.ClientError) as error:
            return Lost(_why(error), sent=not isinstance(error, aiohttp.ClientConnectorError))


async def _pause(pause: Pause) -> float:
    await asyncio.sleep(pause.seconds)
    return asyncio.get_running_loop().time()


async def _piece(stream: aiohttp.ClientResponse | Lost) -> bytes | Lost:
    try:
        return stream if isinstance(stream, Lost) else await stream.content.readany()
    except (OSError, aiohttp.ClientError) as error:
        return Lost(_why(error), sent=True)


def _why(error: Exception) -> str:
    """In the system's words, without the address: the sentence around it has that."""
    known = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(known, ConnectionError | FileNotFoundError) and known.errno:
        return os.strerror(known.errno)
    return getattr(known, "strerror", None) or str(known) or type(known).__name__
