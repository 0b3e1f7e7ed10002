"""One measured figure with all its samples, and how it is told: a line on the terminal, a row on the page.

A figure with a floor is judged by its ratio to it, one without by its median.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEADING = f"{'':6} {'':38} {'ours':>24} {'floor':>24}   ratio and goal"
TABLE = "| | ours | n | floor | ratio | goal | |\n|---|---:|---:|---:|---:|---:|---|"


@dataclass(frozen=True)
class Figure:
    name: str
    unit: str
    ours: Sequence[float]
    floor: Sequence[float] = ()
    """Of the same run; as many as of ours where they were taken in pairs."""
    against: str = ""
    """What the floor is."""
    most: float | None = None
    least: float | None = None

    @property
    def ratio(self) -> float | None:
        """The median of the pairs' ratios; of medians where there are no pairs."""
        if not self.floor:
            return None
        return statistics.median(self._ratios()) or None

    @property
    def value(self) -> float:
        """What the goal is about."""
        ratio = self.ratio
        return statistics.median(self.ours) if ratio is None else ratio

    @property
    def met(self) -> bool | None:
        """`None` where there is no goal."""
        if self.most is None and self.least is None:
            return None
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    def line(self) -> str:
        mark = {True: "met", False: "MISSED", None: ""}[self.met]
        ratio = " ".join(part for part in (self._ratio(), self._goal("goal ")) if part)
        return f"{mark:<6} {self.name:<38} {told(self.ours, self.unit):>24} {told(self.floor, self.unit):>24}   {ratio}"

    def row(self) -> str:
        mark = {True: "met", False: "**missed**", None: ""}[self.met]
        floor = f"{told(self.floor, self.unit)}, {self.against}" if self.floor else ""
        cells = (self.name, told(self.ours, self.unit), str(len(self.ours)), floor, self._ratio(), self._goal(""), mark)
        return f"| {' | '.join(cells)} |"

    def _ratios(self) -> list[float]:
        if len(self.ours) == len(self.floor):
            return [o / f for o, f in zip(self.ours, self.floor, strict=True)]
        return [statistics.median(self.ours) / statistics.median(self.floor)]

    def _ratio(self) -> str:
        if self.ratio is None:
            return ""
        low, high = spread(self._ratios())
        return f"{self.ratio:.2f} ×" + (f" ({low:.2f}–{high:.2f})" if low < high else "")

    def _goal(self, before: str) -> str:
        unit = "×" if self.floor else self.unit
        bounds = (("≤", self.most), ("≥", self.least))
        return ", ".join(f"{before}{sign} {bound:g} {unit}" for sign, bound in bounds if bound is not None)


Tell = Callable[[Figure], None]


def spread(values: Sequence[float]) -> tuple[float, float]:
    """The tenth and the ninetieth percentile; of fewer than ten, the least and the most."""
    if len(values) < 10:
        return min(values), max(values)
    tenths = statistics.quantiles(values, n=10)
    return tenths[0], tenths[-1]


def told(values: Sequence[float], unit: str) -> str:
    """The median and the spread, as in `412 ms (398–455)`."""
    if not values:
        return ""
    median, (low, high) = statistics.median(values), spread(values)
    digits = 0 if median >= 100 else 1 if median >= 10 else 2 if median >= 0.1 else 3
    apart = f" ({low:,.{digits}f}–{high:,.{digits}f})" if len(values) > 1 else ""
    return f"{median:,.{digits}f} {unit}{apart}"
