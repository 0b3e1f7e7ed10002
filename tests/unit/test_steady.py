"""What was measured for hours is judged by its second half: a warm-up is no leak, and a leak is not taken for one."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from bench.steady import Verdict, trend

MINUTE = 60.0


def judged(shape: Callable[[float], float], noise: float = 0.3, minutes: int = 60) -> Verdict:
    """One measurement each 6 s, with noise, of what has this shape over the minutes; 1 an hour is allowed."""
    chance = random.Random(7)
    times = [n * 6.0 for n in range(minutes * 10)]
    return trend(times, [shape(t / MINUTE) + chance.gauss(0, noise) for t in times]).verdict(1.0)


@pytest.mark.parametrize(
    ("shape", "verdict"),
    [
        (lambda _: 70.0, Verdict.FLAT),
        (lambda m: 70 + 5 * (1 - math.exp(-m / 5)), Verdict.FLAT),  # a warm-up
        (lambda m: 70 + 3 * (m > 20), Verdict.FLAT),  # a pool that opened late
        (lambda m: 70 + 20 * (40 <= m <= 43), Verdict.FLAT),  # a peak
        (lambda m: 70 + 3 * m / 60, Verdict.GROWS),
        (lambda m: 70 + 5 * (1 - math.exp(-m / 5)) + 3 * m / 60, Verdict.GROWS),  # a leak behind a warm-up
        (lambda m: 70 + 2 * (m // 5), Verdict.GROWS),  # in steps
        (lambda m: 70 - 3 * m / 60, Verdict.FLAT),
    ],
)
def test_a_leak_is_told_from_a_warm_up(shape: Callable[[float], float], verdict: Verdict) -> None:
    assert judged(shape) is verdict


def test_too_short_a_run_concludes_nothing() -> None:
    assert judged(lambda m: 70 + 5 * (1 - math.exp(-m / 5)), noise=0.01, minutes=7) is Verdict.UNCLEAR
    assert trend([0.0], [70.0]).verdict(1.0) is Verdict.UNCLEAR
