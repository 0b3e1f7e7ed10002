"""How the API speaks HTTP: requests read strictly, every answer JSON, one log line for each call.

What a call means is `api.py`'s business; nothing here knows of users or containers. Who may hold a connection, and for
how long, is `connections.py`'s.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiohttp import http_exceptions, web
from aiohttp.typedefs import Middleware

from controller.calls import Calls
from controller.errors import (
    EngineUnavailable,
    MatlabManagerError,
    NeedsApproval,
    NoSuchContainer,
    NoSuchGeneration,
    NoSuchNode,
    NotPending,
    NotPersisted,
    PolicyBroken,
    SessionConflict,
    WishInvalid,
    WishReadOnly,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_BODY = 16 * 1024
MAX_TARGET = 8 * 1024
"""Bytes of a request's path and query."""
BODY_SECONDS = 8.0
"""With what closing the connection takes, a stalled body is answered within 10."""
ROWS_AT_ONCE = 100
"""Of a long list, encoded in one go: two milliseconds or so."""
JSON_TYPE = "application/json; charset=utf-8"
_JSON_WORDS = {
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}
"""What JSON calls what Python reads it as."""

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
PAIRS: web.RequestKey[dict[str, object]] = web.RequestKey("pairs", dict)
"""What the handler has found out about the call, for the log."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Handlers = dict[str, Handler]
"""By the name of their endpoint."""


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


async def listed_answer(name: str, rows: Sequence[T], told: Callable[[T], Mapping[str, Any]]) -> web.Response:
    """`{name: rows}`, each as `told` has it; between some of them others have their turn."""
    encoded = []
    for so_many, row in enumerate(rows, 1):
        encoded.append(json.dumps(told(row)).encode())
        if so_many % ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return encoded_answer(b"{%s: [%s]}" % (json.dumps(name).encode(), b", ".join(encoded)))


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
    allowed = error.headers.get("Allow")
    advice = {"details": f"It takes {allowed.replace(',', ', ')}."} if allowed else {}
    body = {"error": sentences.get(error.status, error.reason), "code": code, **advice, "request_id": request_id}
    response = answer(body, error.status)
    if allowed:
        response.headers["Allow"] = allowed
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
        case NoSuchContainer() | NoSuchGeneration() | NoSuchNode():
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
    return given if given and re.fullmatch(r"[A-Za-z0-9._:@-]{1,128}", given) else new_id()


def new_id() -> str:
    """Of a request. Not a secret; asking the kernel for one would be a tenth of a call's time."""
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
    if not body.strip():
        raise _not_json("there is none")
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
        raise _not_json(f"this one is {_JSON_WORDS[type(parsed)]}")
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
