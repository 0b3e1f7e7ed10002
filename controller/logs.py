"""One line per event, on standard error: words for people, then the facts as pairs.

Any module logs with its own `logging.getLogger(__name__)` and hands the facts over beside the words:

    log.info("container started", extra={"pairs": {"user": 7, "action": "start", "reason": "exited with code 137"}})

    2026-11-22T10:00:00.123Z INFO  container started user=7 action=start reason="exited with code 137"

A pair whose value is `None` is left out. Nothing in a value can start a new line or pass for another pair, whoever
chose it: a caller's session id and an engine's message land here, too.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal

SHORT = {"WARNING": "WARN ", "CRITICAL": "FATAL"}
COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31m", "DEBUG": "\x1b[2m"}
PLAIN = "\x1b[0m"


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Send our own events from `level` on, and other packages' warnings, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter(colours))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("controller").setLevel(level.upper())
    logging.getLogger("aiohttp.access").disabled = True  # the API logs its requests itself, as pairs
    # a head that an engine cut short, with a traceback: what came of it is told by the call that got it
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


def printable(text: str) -> str:
    """The text with everything that a terminal or a line reader could act on written as an escape."""
    return text if text.isprintable() else "".join(_escaped(character) for character in text)


class TextFormatter(logging.Formatter):
    def __init__(self, colours: bool) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        level = SHORT.get(record.levelname, f"{record.levelname:<5}")
        if self._colours and record.levelname in COLOURS:
            level = f"{COLOURS[record.levelname]}{level}{PLAIN}"
        pairs = "".join(f" {name}={_quoted(str(value))}" for name, value in _pairs(record))
        first = f"{_time(record)} {level} {printable(record.getMessage())}{pairs}"
        return "\n".join([first, *(f"    {line}" for line in _traceback(record))])


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fixed: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if trace := list(_traceback(record)):
            fixed["exception"] = "\n".join(trace)
        event = fixed | dict(_pairs(record)) | fixed  # in this order, and no pair takes the place of these
        return json.dumps({name: _encodable(value) for name, value in event.items()})


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _pairs(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    pairs: Mapping[str, object] = getattr(record, "pairs", {})
    yield from ((name, value) for name, value in pairs.items() if value is not None)
    if not record.name.startswith("controller"):
        yield "logger", record.name


def _traceback(record: logging.LogRecord) -> Iterator[str]:
    if record.exc_info:
        text = logging.Formatter().formatException(record.exc_info)
        yield from (printable(line) for line in text.split("\n"))


def _encodable(value: object) -> object:
    """A value that every JSON reader takes: half a surrogate pair, which Python would let through, is written out."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _quoted(value: str) -> str:
    """A value in logfmt: bare where that cannot be mistaken, else in quotes with escapes."""
    if value and value.isprintable() and not any(character in ' "=\\' for character in value):
        return value
    return '"' + printable(value.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
