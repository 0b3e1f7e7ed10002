"""One measured figure, and the line in which it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

HEADING = f"{'':6} {'':28} {'ours':>22} {'floor':>22}   ratio and goal"


@dataclass(frozen=True)
class Figure:
    name: str
    ours: str
    floor: str
    value: float
    goal: str
    met: bool | None
    """`None` where there is no goal."""

    def line(self) -> str:
        mark = {True: "met", False: "MISSED", None: ""}[self.met]
        return f"{mark:<6} {self.name:<28} {self.ours:>22} {self.floor:>22}   {self.goal}"


Tell = Callable[[Figure], None]
