"""How times, sizes and states are said to people. Pure: the present comes in as an argument."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from controller.cli.api import Json

Cell = str | tuple[str, str]
"""Text, or text and the colour that it has on a terminal."""

GOOD, BAD, WAITING, QUIET = "green", "red", "yellow", "dim"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def span(length: timedelta) -> str:
    """As kubectl prints it: the largest unit alone."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def age(text: str | None, now: datetime) -> str:
    return span(now - moment(text)) if text else "-"


def when(text: str | None, now: datetime) -> str:
    """A moment by this machine's clock on the wall, and how far away it is."""
    if not text:
        return "-"
    there = moment(text)
    away = f"{span(now - there)} ago" if there <= now else f"in {span(there - now)}"
    return f"{there.astimezone():%Y-%m-%d %H:%M:%S} ({away})"


def condition(user: Json, kind: str) -> Json:
    found: Json = next(each for each in user["conditions"] if each["type"] == kind)
    return found


def ready(user: Json) -> Cell:
    """`yes`, `no` or `?`."""
    match condition(user, "Ready")["status"]:
        case "True":
            return ("yes", GOOD)
        case "False":
            return ("no", QUIET if rests(user) else WAITING)
        case _:
            return ("?", WAITING)


def trouble(user: Json) -> Cell:
    """In one word why it is not ready, or what is wrong though it is; empty where all is as wanted."""
    stands, wrong = condition(user, "Ready"), condition(user, "Degraded")
    if wrong["status"] == "True":
        return (wrong["reason"], BAD)
    if user.get("paused"):
        return ("Paused", WAITING)
    if stands["status"] != "True" and not rests(user):
        return (stands["reason"], WAITING)
    return ("DiskQuotaExceeded", WAITING) if over_quota(user) else ""


def over_quota(user: Json) -> bool:
    """A controller from before there was a quota does not tell."""
    return bool((user["observed"].get("disk") or {}).get("over_since"))


def rests(user: Json) -> bool:
    """Stopped, as wanted."""
    return bool(condition(user, "Ready")["reason"] == "Stopped")


def share(part: float, whole: float) -> str:
    return f"{part / whole * 100:.0f}%" if whole else "-"


def failure(progress: Json) -> str:
    """The last error with what to do about it, as sentences; empty where there is none."""
    told = (part.strip().rstrip(".") for part in (progress["error"], progress["hint"]) if part)
    return " ".join(f"{part}." for part in told)


def number(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def hand(writer: str) -> str:
    """Who wrote it, with a long request id cut: programs get it whole."""
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{24}\b", r"\1", writer)


def cores(count: float) -> str:
    return f"{count:g} cpu" if count == 1 else f"{count:g} cpus"


def text_of(value: Any) -> str:
    """A value in a sentence."""
    return "none" if value is None else str(value)
