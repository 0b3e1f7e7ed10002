"""Sizes in bytes as people and Docker write them. Pure."""

from __future__ import annotations

import re

UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def parse_size(value: object) -> int:
    """`512m`, `1.5g` or a number of bytes, as bytes.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([bkmg]?)", str(value).lower())
    if match is None or isinstance(value, bool):
        raise ValueError(value)
    return int(float(match[1]) * UNITS[match[2]])


def show_size(size: int) -> str:
    """The shortest text that `parse_size` reads as exactly this many bytes."""
    for unit in ("g", "m", "k"):
        if size and size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return str(size)


def bytes_size(size: float) -> str:
    """Four significant digits and a binary unit, as `units.BytesSize` of docker/go-units prints it."""
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
    step = 0
    while size >= 1024 and step < len(units) - 1:
        size /= 1024
        step += 1
    return f"{size:.4g}{units[step]}"
