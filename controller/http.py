"""How the API speaks HTTP: requests read strictly, every answer JSON, one log line for each call.

What a call means is `api.py`'s business; nothing here knows of users or containers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import http_exceptions, web
from aiohttp.typedefs import Middleware

from controller.caller import address_of, client_of
from controller.calls import Calls
from controller.errors import (
    EngineUnavailable,
    MatlabManagerError,
    NeedsApproval,
    NoSuchContainer,
    NoSuchGeneration,
    NotPending,
    NotPersisted,
    PolicyBroken,
    SessionConflict,
    WishInvalid,
    WishReadOnly,
)

log = logging.getLogger(__name__)

MAX_BODY = 16 * 1024
MAX_TARGET = 8 * 1024
"""Bytes of a request's path and query."""
MAX_LINE = 4 * MAX_TARGET
"""Bytes of a first line that are read at all: what is a little too long still gets a request id and a log line."""
BODY_SECONDS = 8.0
"""With what closing the connection takes, a stalled body is answered within 10."""
HEAD_SECONDS = 8.0
"""So long a new connection may take until its first request has a head."""
IDLE_SECONDS = 75.0
"""So long one may go on without a request, or with half a head of one; proxies let go of it earlier."""
CONNECTIONS, CONNECTIONS_EACH = 500, 200
"""At the same time, and of one client, unless the operator says otherwise."""
JSON_TYPE = "application/json; charset=utf-8"

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
PAIRS: web.RequestKey[dict[str, object]] = web.RequestKey("pairs", dict)
"""What the handler has found out about the call, for the log."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Handlers = dict[str, Handler]
"""By the name of their endpoint."""
RawHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Refusal(Exception):
    """An answer other than success, as the caller gets it."""

    def __init__(self, status: int, code: str, error: str, **more: object) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "code": code, **more}
        self.headers: Mapping[str, str] = {}

    def with_headers(self, headers: Mapping[str, str]) -> Refusal:
        self.headers = headers
        return self


# ---------------------------------------------------------------- answers


def answer(body: Mapping[str, Any], status: int = 200) -> web.Response:
    return encoded_answer(json.dumps(body).encode(), status)


def note(request: web.Request, **pairs: object) -> None:
    """Add to what the log says of this call."""
    request[PAIRS].update(pairs)


def encoded_answer(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body + b"\n", status=status, headers={"Content-Type": JSON_TYPE})


def speaks_json(calls: Calls) -> Middleware:
    """The one place where errors become answers, and where calls are logged and counted."""

    @web.middleware
    async def speak_json(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.monotonic()
        request[REQUEST_ID] = request_id = _request_id(request)
        request[PAIRS] = {}
        try:
            if len(request.raw_path) > MAX_TARGET:
                raise Refusal(414, "uri_too_long", f"The path of a request may have {MAX_TARGET} bytes.")
            response = await handler(request)
        except web.HTTPException as error:
            response = from_framework(error, request_id)
        except Exception as error:  # noqa: BLE001 - the edge: whatever happened, the caller gets JSON
            response = _from_error(error, request_id)
        response.headers["X-Request-ID"] = request_id
        seconds = time.monotonic() - started
        calls.answered(request, response, seconds)
        _log_call(request, response.status, seconds)
        return response

    return speak_json


def from_framework(error: web.HTTPException, request_id: str) -> web.StreamResponse:
    """aiohttp's own 404, 405 and so on, in our words; a redirect is passed on."""
    if error.status < 400:
        return error
    sentences = {
        404: "There is no such endpoint; GET / lists them.",
        405: "This endpoint does not take that method.",
        417: "Only `Expect: 100-continue` is understood.",
    }
    code = re.sub(r"\W+", "_", error.reason.lower())
    body = {"error": sentences.get(error.status, error.reason), "code": code, "request_id": request_id}
    response = answer(body, error.status)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _from_error(error: Exception, request_id: str) -> web.Response:
    match error:
        case Refusal():
            refused = answer({**error.body, "request_id": request_id}, error.status)
            refused.headers.update(error.headers)
            return refused
        case MatlabManagerError():
            body: dict[str, object] = {"error": str(error), "code": error.code}
            if error.hint:
                body["details"] = error.hint
            if isinstance(error, WishInvalid):
                body["problems"] = [{"line": p.line, "column": p.column, "message": p.message} for p in error.problems]
            return answer({**body, "request_id": request_id}, _status_of(error))
        case _:
            log.error("request failed", exc_info=error, extra={"pairs": {"request_id": request_id}})
            sentence = "The controller failed at this request; its log has the reason under this request_id."
            return answer({"error": sentence, "code": "internal_error", "request_id": request_id}, 500)


def _status_of(error: MatlabManagerError) -> int:
    match error:
        case NotPersisted() | WishInvalid() | EngineUnavailable():
            return 503
        case SessionConflict() | NeedsApproval() | NotPending() | WishReadOnly() | PolicyBroken():
            return 409
        case NoSuchContainer() | NoSuchGeneration():
            return 404
        case _:
            return 500


def _log_call(request: web.Request, status: int, seconds: float) -> None:
    level = logging.DEBUG if request.method in ("GET", "HEAD") else logging.INFO
    if log.isEnabledFor(level):
        pairs = {
            "request_id": request[REQUEST_ID],
            "method": request.method,
            "path": request.path[:200],
            **request[PAIRS],
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        log.log(level, "request", extra={"pairs": pairs})


def _request_id(request: web.Request) -> str:
    """The caller's own, so that one call can be followed through both logs, if it is fit for a log; else a new one."""
    given = request.headers.get("X-Request-ID")
    return given if given and re.fullmatch(r"[A-Za-z0-9._:@-]{1,128}", given) else _new_id()


def _new_id() -> str:
    """Not a secret; asking the kernel for one would be a tenth of a call's time."""
    return f"{random.getrandbits(128):032x}"


# ---------------------------------------------------------------- request bodies


async def read_object(request: web.Request, limit: int = MAX_BODY) -> dict[str, Any]:
    """The JSON object that the body must be, of at most so many bytes.

    Raises:
        Refusal: it is something else.
    """
    _check_type(request)
    return _parse_object(await read_body(request, limit))


async def read_optional_object(request: web.Request) -> dict[str, Any]:
    """The same, or `{}` where there is no body."""
    if not request.can_read_body:
        return {}
    body = await read_body(request, MAX_BODY)
    if not body:
        return {}
    _check_type(request)
    return _parse_object(body)


def refuse_unknown(body: dict[str, Any], known: set[str]) -> None:
    unknown = unknown_fields(body, known)
    if unknown:
        sentence = f"Unknown field: {', '.join(unknown)}."
        raise Refusal(400, "unknown_field", sentence, fields=unknown, allowed=sorted(known))


def flag(body: dict[str, Any], name: str) -> bool:
    """A field that is true or false; left out, it is false. Raises Refusal."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise Refusal(400, f"invalid_{name}", f"`{name}` must be true or false.")
    return value


def unknown_fields(body: dict[str, Any], known: set[str]) -> list[str]:
    return sorted(body.keys() - known)


def _check_type(request: web.Request) -> None:
    charset = (request.charset or "utf-8").lower()
    if request.content_type != "application/json" or "Content-Type" not in request.headers or charset != "utf-8":
        sentence = "The body must be sent with `Content-Type: application/json`, in UTF-8."
        raise Refusal(415, "unsupported_media_type", sentence)


async def read_body(request: web.Request, limit: int) -> bytes:
    """Whatever it is, of at most so many bytes. Raises Refusal."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refusal(415, "unsupported_media_type", "A compressed body is not taken.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > limit:
                    break
    except TimeoutError as error:
        sentence = f"The body did not come within {BODY_SECONDS:g} seconds."
        raise Refusal(408, "request_timeout", sentence) from error
    except (web.RequestPayloadError, http_exceptions.BadHttpMessage, ConnectionError) as error:
        raise Refusal(400, "incomplete_body", "The body broke off or was not framed as HTTP asks.") from error
    if len(body) > limit:
        _refuse_deep_nesting(bytes(body[:limit]))
        raise Refusal(413, "body_too_large", f"A body may have {limit} bytes.")
    return bytes(body)


def _parse_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise _not_json(str(error)) from error
    if not isinstance(parsed, dict):
        raise _not_json("an object is expected")
    return parsed


def _refuse_deep_nesting(beginning: bytes) -> None:
    """Of a body that is too long as well, this is the better answer: no limit would let it pass."""
    try:
        json.loads(beginning.decode("utf-8", "replace"))
    except RecursionError as error:
        raise _not_json(str(error)) from error
    except ValueError:
        return


def _not_json(why: str) -> Refusal:
    return Refusal(400, "invalid_json", f"The body must be one JSON object: {why}.")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


# ---------------------------------------------------------------- the server


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
        body = json.dumps({"error": sentence, "code": code, "request_id": _new_id()}).encode() + b"\n"
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
        request_id = _new_id()
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
            return from_framework(error, _new_id())

    return handle
