"""PURE. Every message of the protocol as JSON Schema: calls are checked by it, tests hold the service's own messages
to it, and `python3 -m session_service.protocol` prints it whole.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from .outcome import Ending
from .schema import (
    COUNT,
    NUMBER,
    TEXT,
    TIME,
    WHOLE,
    YES_OR_NO,
    Schema,
    list_of,
    one_of,
    or_null,
    record,
    text,
    violation,
    whole,
)

VERSION = 1

LONGEST_INPUT = 1000
"""Characters of an answer to `input()`: what the terminal holds in one piece."""

LONGEST_PATH = 4096
MOST_ROWS = 1000
MOST_COLUMNS = 200

STATES = ("starting", "busy", "idle", "down")
INPUT_KINDS = ("value", "text", "key", "debugger")
FORMATS = ("svg", "png", "pdf")
VALUE_KINDS = ("matrix", "struct", "list", "text")


@dataclass(frozen=True, slots=True)
class Method:
    params: Schema
    result: Schema


def _status() -> Schema:
    return record(
        state=one_of(STATES),
        since=TIME,
        last_activity=TIME,
        waiting=COUNT,
        asks=or_null(INPUT_REQUEST),
        folder=or_null(TEXT),
        interpreter=INTERPRETER,
        process=record(pid=COUNT, started_at=TIME),
        usage=record(
            memory=or_null(COUNT),
            memory_limit=or_null(COUNT),
            cpu_seconds=or_null(NUMBER),
            cpus=COUNT,
        ),
        clients=COUNT,
    )


INPUT_REQUEST = record(eval_id=COUNT, prompt=TEXT, kind=one_of(INPUT_KINDS))
INTERPRETER = record(name=TEXT, version=TEXT, pid=or_null(COUNT), restarts=COUNT, safe_mode=YES_OR_NO)
STATUS = _status()
ERROR = record(
    identifier=TEXT,
    message=TEXT,
    stack=list_of(record(file=or_null(TEXT), name=TEXT, line=WHOLE, column=WHOLE)),
)
ENDED: dict[str, Schema] = {
    "eval_id": COUNT,
    "status": one_of(tuple(Ending)),
    "error": or_null(ERROR),
    "elapsed": NUMBER,
}
EVALUATION = record(**ENDED, output=TEXT, output_truncated=YES_OR_NO)
FIGURE = record(number=COUNT, name=TEXT, width=NUMBER, height=NUMBER, revision=COUNT)
FIGURES = list_of(FIGURE)

SUMMARY: dict[str, Schema] = {
    "class": TEXT,
    "size": list_of(COUNT),
    "complex": YES_OR_NO,
    "sparse": YES_OR_NO,
    "text": TEXT,
}
VARIABLE = record(name=TEXT, bytes=COUNT, **{"global": YES_OR_NO}, **SUMMARY)
NUMBERS = list_of(list_of({"anyOf": [NUMBER, one_of(("NaN", "Inf", "-Inf"))]}))
STEP: Schema = {"anyOf": [text(63), whole(1)]}
VALUE = record(
    kind=one_of(VALUE_KINDS),
    first=list_of(COUNT),
    optional={
        "page": COUNT,
        "values": NUMBERS,
        "imaginary": NUMBERS,
        "items": list_of(record(step=STEP, **SUMMARY)),
        "content": TEXT,
    },
    **SUMMARY,
)

PATH = text(LONGEST_PATH)
ENTRY = record(name=TEXT, kind=one_of(("file", "folder", "other")), size=COUNT, modified=TIME, link=YES_OR_NO)
DONE = record()

METHODS: dict[str, Method] = {
    "eval": Method(record(code=TEXT, optional={"silent": YES_OR_NO}), EVALUATION),
    "interrupt": Method(record(), record(interrupted=YES_OR_NO)),
    "restart": Method(record(), STATUS),
    "input": Method(record(text=text(LONGEST_INPUT)), DONE),
    "status": Method(record(), STATUS),
    "whos": Method(record(), record(variables=list_of(VARIABLE))),
    "value": Method(
        record(
            name=text(63),
            optional={
                "path": {**list_of(STEP), "maxItems": 100},
                "row": whole(1),
                "column": whole(1),
                "rows": whole(1, MOST_ROWS),
                "columns": whole(1, MOST_COLUMNS),
                "page": whole(1),
            },
        ),
        VALUE,
    ),
    "complete": Method(
        record(code=TEXT, optional={"cursor": whole(0)}),
        record(start=COUNT, matches=list_of(TEXT)),
    ),
    "figures": Method(record(), record(figures=FIGURES)),
    "figure.data": Method(
        record(number=whole(1)),
        record(
            number=COUNT,
            revision=COUNT,
            too_large=YES_OR_NO,
            data=list_of({"type": "object"}),
            layout={"type": "object"},
        ),
    ),
    "figure.export": Method(
        record(
            number=whole(1),
            format=one_of(FORMATS),
            optional={"width": whole(16, 10_000), "height": whole(16, 10_000)},
        ),
        record(number=COUNT, format=one_of(FORMATS), encoding=one_of(("text", "base64")), content=TEXT),
    ),
    "files.list": Method(record(optional={"path": PATH}), record(entries=list_of(ENTRY), truncated=YES_OR_NO)),
    "files.read": Method(record(path=PATH), record(text=TEXT, revision=TEXT)),
    "files.write": Method(record(path=PATH, text=TEXT, optional={"revision": or_null(TEXT)}), record(revision=TEXT)),
    "files.rename": Method(record(path=PATH, to=PATH), DONE),
    "files.remove": Method(record(path=PATH), DONE),
    "files.mkdir": Method(record(path=PATH), DONE),
}

NOTIFICATIONS: dict[str, Schema] = {
    "hello": record(
        protocol=COUNT,
        session={"type": "object", "additionalProperties": TEXT},
        status=STATUS,
        figures=FIGURES,
        optional={"transcript": list_of(record(method=TEXT, params={"type": "object"}))},
    ),
    "busy": record(eval_id=COUNT, code=TEXT, since=TIME, silent=YES_OR_NO),
    "output": record(eval_id=or_null(COUNT), text=TEXT),
    "input_request": INPUT_REQUEST,
    "figures": record(eval_id=or_null(COUNT), figures=FIGURES),
    "idle": record(**ENDED, silent=YES_OR_NO),
    "exited": record(exit_code=WHOLE, requested=YES_OR_NO, message=TEXT, restart_in=NUMBER, safe_mode=YES_OR_NO),
    "ready": INTERPRETER,
    "missed": record(characters=COUNT),
}

FAULT = record(code=WHOLE, message=TEXT, optional={"data": record(reason=TEXT)})


def wrong_params(method: str, params: dict[str, Any]) -> str | None:
    """A sentence on the first parameter that is wrong; `None` if they all are as they should be."""
    schema = METHODS[method].params
    for name in params:
        if name not in schema["properties"]:
            return f"`{method}` has no parameter {name[:100]!r}."
    for name in schema["required"]:
        if name not in params:
            return f"`{method}` needs `{name}`."
    for name, value in params.items():
        if complaint := violation(value, schema["properties"][name]):
            return f"`{name}` of `{method}` {complaint}."
    return None


def document() -> Schema:
    """One schema that every message fits; `$defs` has those of each method and notification by name."""
    frame: Schema = {"jsonrpc": {"const": "2.0"}}
    call_id: Schema = {"type": ["string", "number", "null"]}
    parts: Schema = {"FAULT": FAULT}
    messages: list[Schema] = []
    for name, method in METHODS.items():
        parts[f"{name}.params"], parts[f"{name}.result"] = method.params, method.result
        call = record(method={"const": name}, optional={"id": call_id, "params": _to(f"{name}.params")}, **frame)
        messages.append(call)
    answers = [_to(f"{name}.result") for name in METHODS]
    messages.append(record(id=call_id, result={"anyOf": answers}, **frame))
    messages.append(record(id=call_id, error=_to("FAULT"), **frame))
    for name, params in NOTIFICATIONS.items():
        parts[name] = params
        messages.append(record(method={"const": name}, params=_to(name), **frame))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Messages of a session, protocol {VERSION}",
        "anyOf": messages,
        "$defs": parts,
    }


def _to(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=2) + "\n")
