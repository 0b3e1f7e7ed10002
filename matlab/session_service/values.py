"""PURE. What the interpreter tells about variables, in the words of the protocol: flat lists of numbers become rows,
and what JSON cannot say (NaN, Inf) becomes text.
"""

from __future__ import annotations

import math
from typing import Any

Json = dict[str, Any]

DEFAULTS: Json = {"path": [], "row": 1, "column": 1, "rows": 100, "columns": 50, "page": 1}

LONGEST_TEXT = 64 * 1024


def value_params(params: Json) -> Json:
    """The parameters of `value` with what was left out; the steps inside are numbers and names, as given."""
    return {**DEFAULTS, **params, "longest": LONGEST_TEXT}


def read_value(raw: Json) -> Json:
    """From what the interpreter sent."""
    value = dict(raw)
    shape = value.pop("shape", None)
    if shape is not None:
        for name in ("values", "imaginary"):
            if name in value:
                value[name] = _in_rows([_plain(number) for number in flat(value[name])], *shape)
    return value


def flat(value: Any) -> list[Any]:
    """jsonencode writes an array of one without its brackets."""
    return value if isinstance(value, list) else [value]


def _in_rows(numbers: list[Any], rows: int, columns: int) -> list[list[Any]]:
    return [numbers[row * columns : (row + 1) * columns] for row in range(rows)]


def _plain(number: Any) -> Any:
    if isinstance(number, bool):
        return int(number)
    if isinstance(number, float) and not math.isfinite(number):
        return "NaN" if math.isnan(number) else "Inf" if number > 0 else "-Inf"
    return number
