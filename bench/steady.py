"""Whether what was measured again and again has come to rest, or goes on growing once it is warm.

Pure. Caches fill and pools open, so that everything grows at first: it is the second half of the time that is judged,
by the slope of Theil and Sen, which no single peak can bend, and by the interval in which it lies with 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from statistics import median

SLICES = 12
"""Of the second half. The median of each is what counts: neighbours in time are not independent of one another."""
WITH_95_PERCENT = 1.96
HOUR = 3600.0
SHORTEST = HOUR / 2
"""Seconds: in less, the warm-up takes more than half of the time."""


class Verdict(StrEnum):
    FLAT = "flat"
    GROWS = "GROWS"
    UNCLEAR = "cannot be told from this"


@dataclass(frozen=True)
class Trend:
    """Slopes, each in units an hour."""

    warming: float
    """Of the first half, which nothing is concluded from."""
    rate: float
    """Of the second half, which lies between `low` and `high`."""
    low: float
    high: float
    seconds: float
    """For which it was measured."""

    def verdict(self, allowed: float) -> Verdict:
        """`allowed`: so much an hour is nothing."""
        if self.seconds < SHORTEST:
            return Verdict.UNCLEAR
        if self.low > allowed:
            return Verdict.GROWS
        return Verdict.FLAT if self.high <= allowed else Verdict.UNCLEAR


def trend(times: Sequence[float], values: Sequence[float]) -> Trend:
    """`times` in seconds, ascending. Few values are told with a wide interval."""
    middle = (times[0] + times[-1]) / 2
    points = list(zip(times, values, strict=True))
    warm = _slices([point for point in points if point[0] >= middle])
    warming, _, _ = _slope(_slices([point for point in points if point[0] < middle]))
    return Trend(warming, *_slope(warm), seconds=times[-1] - times[0])


def _slices(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The median point of each of `SLICES` parts; fewer where there are not so many."""
    size = max(math.ceil(len(points) / SLICES), 1)
    parts = [points[n : n + size] for n in range(0, len(points), size)]
    return [(median(t for t, _ in part), median(v for _, v in part)) for part in parts]


def _slope(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """The median of the slopes between any two points, and the interval of it (P. K. Sen, 1968), all an hour."""
    slopes = sorted((w - v) / (t - s) * HOUR for (s, v), (t, w) in combinations(points, 2) if t > s)
    if not slopes:
        return 0.0, -math.inf, math.inf
    n = len(points)
    spread = WITH_95_PERCENT * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low, high = math.floor((len(slopes) - spread) / 2), math.ceil((len(slopes) + spread) / 2)
    return (
        median(slopes),
        slopes[low] if low >= 0 else -math.inf,
        slopes[high] if high < len(slopes) else math.inf,
    )
