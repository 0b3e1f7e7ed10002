"""PURE. JSON-RPC 2.0: text of a WebSocket frame ↔ calls, results, errors and notifications."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

LONGEST_MESSAGE = 1024 * 1024
"""In characters. More belongs into a file."""

CallId = str | int | float | None


@dataclass(frozen=True, slots=True)
class Call:
    id: CallId
    wants_answer: bool
    """False for a call without an id, which JSON-RPC calls a notification."""
    method: str
    params: dict[str, Any]


class Fault(Exception):
    """A call that cannot be carried out; becomes the answer's `error`."""

    def __init__(self, code: int, message: str, call_id: CallId = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.call_id = call_id
        self.reason = reason
        """A word for programs, where one code has several reasons."""


NOT_JSON = -32700
NOT_A_CALL = -32600
NO_SUCH_METHOD = -32601
WRONG_PARAMS = -32602
INTERNAL = -32603
TOO_MANY_WAITING = -32000
NOTHING_ASKS = -32001
NOT_ANSWERED = -32002
"""The interpreter could not answer: no such variable, or it ended before."""
FILE_FAULT = -32003


def parse(text: str) -> Call:
    """Raises `Fault`, whose message says what is wrong with the text."""
    if len(text) > LONGEST_MESSAGE:
        raise Fault(NOT_A_CALL, f"The message has {len(text)} characters; at most {LONGEST_MESSAGE} are taken.")
    try:
        message = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Fault(NOT_JSON, f"The message is not JSON: {error}") from error
    if isinstance(message, list):
        raise Fault(NOT_A_CALL, "Batches are not taken; send each call in a message of its own.")
    if not isinstance(message, dict):
        raise Fault(NOT_A_CALL, "A call is a JSON object.")
    return _call(message)


def result(call_id: CallId, value: Mapping[str, Any]) -> str:
    return _text({"jsonrpc": "2.0", "id": call_id, "result": value})


def error(fault: Fault) -> str:
    told: dict[str, Any] = {"code": fault.code, "message": str(fault)}
    if fault.reason is not None:
        told["data"] = {"reason": fault.reason}
    return _text({"jsonrpc": "2.0", "id": fault.call_id, "error": told})


def notification(method: str, params: Mapping[str, Any]) -> str:
    return _text({"jsonrpc": "2.0", "method": method, "params": params})


def _call(message: dict[str, Any]) -> Call:
    call_id = message.get("id")
    if isinstance(call_id, bool) or not isinstance(call_id, CallId):
        raise Fault(NOT_A_CALL, "`id` is a string, a number or null.")
    if isinstance(call_id, str) and not call_id.isprintable():  # half a surrogate pair could not be sent back
        raise Fault(NOT_A_CALL, "`id` has characters that cannot be printed.")
    if message.get("jsonrpc") != "2.0":
        raise Fault(NOT_A_CALL, '`jsonrpc` is missing or not "2.0".', call_id)
    method = message.get("method")
    if not isinstance(method, str):
        raise Fault(NOT_A_CALL, "`method` is missing or not a string.", call_id)
    params = message.get("params", {})
    if not isinstance(params, dict):
        raise Fault(WRONG_PARAMS, "`params` is an object: parameters go by name.", call_id)
    return Call(call_id, "id" in message, method, params)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _text(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
