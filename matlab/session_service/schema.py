"""PURE. The small part of JSON Schema that the protocol is written in: words to write it with, and what a value
violates, said as a sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
YES_OR_NO: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}

LARGEST_NUMBER = 2**31 - 1


def record(optional: Mapping[str, Schema] | None = None, **required: Schema) -> Schema:
    """An object with exactly these members."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def one_of(values: Collection[str]) -> Schema:
    return {"type": "string", "enum": list(values)}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def whole(least: int, most: int = LARGEST_NUMBER) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def text(longest: int) -> Schema:
    return {"type": "string", "maxLength": longest}


def violation(value: object, schema: Schema) -> str | None:
    """What `value` should have been, as in "is a string"; `None` if it is that."""
    if "anyOf" in schema:
        complaints = [violation(value, alternative) for alternative in schema["anyOf"]]
        return None if None in complaints else ", or ".join(c for c in complaints if c)
    match schema["type"]:
        case "string":
            return _not_text(value, schema)
        case "integer":
            return _not_whole(value, schema)
        case "boolean":
            return None if isinstance(value, bool) else "is true or false"
        case "array":
            return _not_list(value, schema)
        case "null":
            return None if value is None else "is null"
        case other:
            raise AssertionError(f"parameters are never of type {other}")


def _not_text(value: object, schema: Schema) -> str | None:
    if not isinstance(value, str):
        return "is a string"
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return "is a string of valid Unicode"
    if value not in schema.get("enum", [value]):
        return f"is one of {', '.join(schema['enum'])}"
    if len(value) > schema.get("maxLength", len(value)):
        return f"is a string of at most {schema['maxLength']} characters"
    return None


def _not_whole(value: object, schema: Schema) -> str | None:
    least, most = schema["minimum"], schema["maximum"]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        return f"is a whole number from {least} to {most}"
    return None


def _not_list(value: object, schema: Schema) -> str | None:
    if not isinstance(value, list) or len(value) > schema.get("maxItems", len(value)):
        return f"is a list of at most {schema['maxItems']}" if "maxItems" in schema else "is a list"
    complaints = (violation(item, schema["items"]) for item in value)
    return next((f"is a list, of which each {complaint}" for complaint in complaints if complaint), None)
