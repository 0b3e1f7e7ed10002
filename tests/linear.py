"""Whether what concurrent callers saw of one value could have happened one call after another, each while it lasted.

After Wing and Gong, with Lowe's cache of what was tried. A call that was never answered may have been done at any time
after it began, or never; two writes must not say the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Op:
    """One caller's call."""

    writes: bool
    value: str | None
    """That was written, or that was read."""
    began: float
    ended: float = math.inf
    """Infinite: nobody knows whether it was done."""


def linearizable(ops: Sequence[Op], first: str | None = None) -> bool:
    """Whether there is an order, from `first` on, in which every read tells the last write."""
    seen = {op.value for op in ops if not op.writes}
    history = sorted((op for op in ops if _matters(op, seen)), key=lambda op: op.began)
    required = sum(1 << n for n, op in enumerate(history) if op.ended < math.inf)
    tried: set[tuple[int, str | None]] = set()
    ways = [(0, first)]
    while ways:
        done, value = ways.pop()
        if done & required == required:
            return True
        if (done, value) in tried:
            continue
        tried.add((done, value))
        ways += _steps(history, done, value)
    return False


def _matters(op: Op, seen: set[str | None]) -> bool:
    """A write that nobody heard of may as well not have been; a read without an answer says nothing."""
    return op.ended < math.inf or (op.writes and op.value in seen)


def _steps(history: Sequence[Op], done: int, value: str | None) -> list[tuple[int, str | None]]:
    """What may come next: a call that began before any other that is left had ended."""
    left = [(n, op) for n, op in enumerate(history) if not done >> n & 1]
    soonest = min(op.ended for _, op in left)
    fit = [(n, op) for n, op in left if op.began <= soonest and (op.writes or op.value == value)]
    return [(done | 1 << n, op.value) for n, op in fit]
