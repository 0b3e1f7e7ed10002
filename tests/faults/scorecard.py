"""What was injected, how often, and how long it took until all was as wanted again; as a table for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

BEGINS, ENDS = "<!-- faults: begin -->", "<!-- faults: end -->"
"""Between these lines docs/reliability.md has the table of the last full run."""

ELSEWHERE: Mapping[str, Mapping[str, str]] = {
    "controller": {
        "a leftover lock, a second controller": "tests/e2e/test_healing.py",
        "SIGKILL while it creates twenty": "tests/e2e/test_healing.py",
        "SIGKILL while API, editor and git write": "tests/integration/test_race.py, test_git_race.py (`make race`)",
    },
    "engine": {
        "answers that make no sense, in 60 ways": "tests/integration/test_strange_answers.py",
        "a socket that takes calls and never answers": "tests/e2e/test_healing.py",
    },
    "containers": {
        "killed, stopped, paused, removed, with no resync": "tests/e2e/test_healing.py",
        "a copy of a session with our labels": "tests/e2e/test_healing.py",
        "remade with other flags by hand": "tests/contract/test_hardening.py",
    },
    "files": {
        "cut at every byte, written slowly": "tests/integration/test_guards.py",
        "deleted, emptied, UTF-16, zeros, oversized": "the same",
        "merge markers, several documents, aliases, another program's file": "the same",
        "a symlink, a folder, a link to itself": "the same",
        "a FIFO": "tests/unit/test_store_edits.py",
        "duplicate keys, deep nesting, NUL, tags": "tests/unit/test_spec.py",
        "an fsync or a rename that fails": "tests/unit/test_store.py",
        "checkout while it is read": "tests/integration/test_race.py",
        "force-push, revert, a lock left over": "tests/unit/test_store_git.py",
    },
    "clients": {
        "the bad input of the promises' table": "tests/unit/test_api_input.py",
        "a flood": "tests/unit/test_doorkeeper.py",
    },
}
"""Faults that other tests inject, which this scorecard need not count again."""


class Record(NamedTuple):
    """One run of a kind of fault: how often it struck, and how long things took to come right after it."""

    group: str
    kind: str
    points: int
    seconds: Sequence[float] = ()
    note: str = ""
    seed: int | None = None
    """Of what was left to chance."""


@dataclass
class _Kind:
    points: int = 0
    seconds: list[float] = field(default_factory=list)
    note: str = ""


class Scorecard:
    def __init__(self) -> None:
        self.records: list[Record] = []

    def record(
        self,
        group: str,
        kind: str,
        points: int,
        seconds: Sequence[float] = (),
        note: str = "",
        seed: int | None = None,
    ) -> None:
        """One more run of this kind of fault."""
        assert points > 0, f"{group}, {kind}: the fault never struck"
        self.records.append(Record(group, kind, points, seconds, note, seed))

    def seeds(self) -> str:
        """To have the same again."""
        return " and ".join(f"{each.seed} ({each.group})" for each in sorted(self.records) if each.seed is not None)

    def text(self) -> str:
        """As a table of Markdown."""
        lines = ["| faults | kind | struck | p50 | p99 | max |", "|---|---|---:|---:|---:|---:|"]
        kinds = self._kinds()
        for (group, kind), known in sorted(kinds.items()):
            figures = " | ".join(_seconds(known.seconds, share) for share in (0.5, 0.99, 1))
            note = f" ({known.note})" if known.note else ""
            lines.append(f"| {group} | {kind}{note} | {known.points} | {figures} |")
        every = [second for known in kinds.values() for second in known.seconds]
        points = sum(known.points for known in kinds.values())
        figures = " | ".join(f"**{_seconds(every, share)}**" for share in (0.5, 0.99, 1))
        lines.append(f"| **all** | **{len(kinds)} kinds** | **{points}** | {figures} |")
        return "\n".join(lines)

    def _kinds(self) -> Mapping[tuple[str, str], _Kind]:
        kinds: dict[tuple[str, str], _Kind] = {}
        for each in self.records:
            known = kinds.setdefault((each.group, each.kind), _Kind())
            known.points += each.points
            known.seconds += each.seconds
            known.note = each.note or known.note
        return kinds

    def write(self, page: Path, machine: str) -> None:
        """Into the page's section."""
        before, begins, rest = page.read_text().partition(BEGINS)
        _, ends, after = rest.partition(ENDS)
        if not (begins and ends):
            raise ValueError(f"{page} has no section for this: it needs the lines {BEGINS} and {ENDS}")
        also = [
            f"| {group} | {kind} | {where} |" for group, kinds in ELSEWHERE.items() for kind, where in kinds.items()
        ]
        parts = [
            f"Last run: {machine}; seeds {self.seeds()}. Seconds are from the fault's end until every container was as "
            "wanted for good.",
            self.text(),
            "Injected by other tests, and not counted above:",
            "\n".join(["| faults | kind | where |", "|---|---|---|", *also]),
        ]
        page.write_text(before + begins + "\n\n" + "\n\n".join(parts) + "\n\n" + ends + after)


def _seconds(seconds: Sequence[float], share: float) -> str:
    if not seconds:
        return ""
    ranked = sorted(seconds)
    return f"{ranked[math.ceil(share * len(ranked)) - 1]:.1f} s"
