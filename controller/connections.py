"""The API's connections: how many there may be and how long each may be silent, and what is answered on one before any
call is read from it. What is read then is left to `http.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import http_exceptions, web

from controller.caller import address_of, client_of
from controller.http import JSON_TYPE, MAX_TARGET, answer, from_framework, new_id

log = logging.getLogger(__name__)

MAX_LINE = 4 * MAX_TARGET
"""Bytes of a first line that are read at all: what is a little too long still gets a request id and a log line."""
HEAD_SECONDS = 8.0
"""So long a new connection may take until its first request has a head."""
IDLE_SECONDS = 75.0
"""So long one may go on without a request, or with half a head of one; proxies let go of it earlier."""
CONNECTIONS, CONNECTIONS_EACH = 500, 200
"""At the same time, and of one client, unless the operator says otherwise."""

RawHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Runner(web.AppRunner):
    """Serves an application so that what aiohttp answers before the application is asked is JSON, too."""

    def __init__(
        self,
        app: web.Application,
        shutdown_timeout: float,
        connections: int = CONNECTIONS,
        connections_each: int = CONNECTIONS_EACH,
    ) -> None:
        self._most, self._most_each = connections, connections_each
        super().__init__(
            app,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=1.0,
            max_line_size=MAX_LINE,
            shutdown_timeout=shutdown_timeout,
        )

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        server = _Server(_worded(plain.request_handler), request_factory=plain.request_factory, **self._kwargs)
        server.most, server.most_each = self._most, self._most_each
        return server


class _Server(web.Server):
    def __init__(self, *handler: Any, **options: Any) -> None:
        super().__init__(*handler, **options)
        self.most, self.most_each = CONNECTIONS, CONNECTIONS_EACH
        self.held: Counter[str] = Counter()
        """By client."""

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    """aiohttp's, which would wait an hour for the head of a request, and take as many connections as come.

    Of one client, as of all, only so many are taken. This machine's are not counted as one client's: a proxy here
    speaks for many. With TLS a connection counts from the end of its handshake on, since asyncio shows it to nobody
    before; handshakes under way are bounded by the time that `listener.py` gives them.
    """

    __slots__ = ("_client", "_head", "_server")

    def __init__(self, server: _Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._server = server
        self._client = ""
        self._head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._client = client_of(address_of(peer[0] if isinstance(peer, tuple) else ""))
        self._server.held[self._client] += 1
        if len(self._server.connections) > self._server.most:
            self._turn_away(503, "too_many_connections", "Too many connections are open; come again in a moment.")
        elif self._client and self._server.held[self._client] > self._server.most_each:
            self._turn_away(429, "too_many_connections", "Too many connections are open from your address.")
        else:
            self._head = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._headless)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._head is not None:
            self._head.cancel()
        self._server.held[self._client] -= 1
        if not self._server.held[self._client]:
            del self._server.held[self._client]
        super().connection_lost(exc)

    def _headless(self) -> None:
        """Whoever sends a first request line by line for ever holds a connection for nothing."""
        if self._request_count == 0:
            self._turn_away(408, "request_timeout", f"No request came within {HEAD_SECONDS:g} seconds.")

    def _turn_away(self, status: int, code: str, sentence: str) -> None:
        """Answer what asked nothing yet."""
        body = json.dumps({"error": sentence, "code": code, "request_id": new_id()}).encode() + b"\n"
        head = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"Content-Type: {JSON_TYPE}",
            f"Content-Length: {len(body)}",
            "Retry-After: 1",
            "Connection: close",
        ]
        if isinstance(self.transport, asyncio.Transport):
            self.transport.write("\r\n".join([*head, "", ""]).encode() + body)
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What could not be read as HTTP."""
        request_id = new_id()
        pairs = {"request_id": request_id, "status": status, "from": request.remote}
        if status >= 500:
            log.error("connection failed", exc_info=exc, extra={"pairs": pairs})
            code, sentence = "internal_error", "The controller failed at this request; its log has the reason."
        else:
            log.info("not HTTP", extra={"pairs": {**pairs, "reason": str(exc)[:200]}})
            status, code, sentence = _unreadable(exc)
        response = answer({"error": sentence, "code": code, "request_id": request_id}, status)
        response.force_close()
        return response


def _unreadable(error: BaseException | None) -> tuple[int, str, str]:
    if not isinstance(error, http_exceptions.LineTooLong):
        return 400, "bad_request", "This is not an HTTP request."
    if error.args[1] == MAX_LINE:
        return 414, "uri_too_long", f"The path of a request may have {MAX_TARGET} bytes."
    return 431, "header_too_large", "A header is too long."


def _worded(handler: RawHandler) -> RawHandler:
    """aiohttp raises some answers, to an `Expect` that it does not know, before any middleware."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return from_framework(error, new_id())

    return handle
