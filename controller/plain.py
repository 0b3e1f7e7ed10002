"""Values of ours as JSON has them: no types but JSON's own, and every moment as text.

Pure. Which values are told, and to whom, is left to those who tell them.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any


def plain(value: Any) -> Any:
    """The same as JSON has it: every moment as text, every value of ours as what it consists of."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return {name: plain(getattr(value, name)) for name in _fields(value.__class__)}


def timestamp(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, as `2025-10-13T10:30:00.000Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))
