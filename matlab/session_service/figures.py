"""PURE. Which figures are open, and how often each was changed, from what the interpreter tells after a command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Album:
    def __init__(self) -> None:
        self._figures: dict[int, dict[str, Any]] = {}
        self._revisions = 0
        """Counts all changes, so that a figure that was closed and opened anew is not taken for the old one."""

    def take(self, told: Iterable[Mapping[str, Any]]) -> bool:
        """`told` is all that is open now; whether there is something new to see."""
        before = self._figures
        self._figures = {}
        for figure in told:
            number = int(figure["number"])
            known = before.get(number)
            self._figures[number] = {
                "number": number,
                "name": str(figure["name"]),
                "width": figure["width"],
                "height": figure["height"],
                "revision": self._next() if known is None or figure["changed"] else known["revision"],
            }
        return self._figures != before

    def as_json(self) -> list[dict[str, Any]]:
        return list(self._figures.values())

    def revision(self, number: int) -> int:
        """0 for a figure that was opened by a command that still runs."""
        return int(self._figures[number]["revision"]) if number in self._figures else 0

    def _next(self) -> int:
        self._revisions += 1
        return self._revisions
