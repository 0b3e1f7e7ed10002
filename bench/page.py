"""Writes what was measured into docs/performance.md and the READMEs, between their markers; no number is typed by hand.

With a second run of the same commit, whether the ratios agree.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench import plot
from bench.figure import TABLE, Figure
from bench.growth import Curve
from bench.run import Run
from tests.rig import ROOT

PAGES = (ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.zh-CN.md")
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
PICTURES = ROOT / "docs" / "images"
PARTS = ("actions", "controller", "wish", "session", "growth")
AGREE = 0.15
"""So far may the ratios of two runs be apart, as a share of the smaller."""
SHORT = (
    "create → running",
    "100 users from nothing",
    "docker kill → running",
    "GET /list, 100 sessions",
    "idle CPU, 100 sessions",
    "idle memory, 100 sessions",
    "session: start → first eval",
    "session: 1+1",
)
"""What the READMEs tell of it."""
PLOTTED = ("ready, 50 users", "list, 50 sessions", "health, 50 sessions", "idle memory, 100 sessions")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="page", description=__doc__)
    parser.add_argument("run", type=Path, help="what `make bench` has written")
    parser.add_argument("second", type=Path, nargs="?", help="another run of the same commit")
    asked = parser.parse_args(arguments)
    runs = [Run.read(file.read_text()) for file in (asked.run, asked.second) if file]
    write(*runs)
    return 0 if all(agreed for *_, agreed in _compared(*runs)) else 1


def write(run: Run, second: Run | None = None) -> None:
    parts = {part: _table(run.figures[part]) for part in PARTS if part in run.figures}
    parts["machine"] = f"{run.machine}; {run.began}, {run.minutes:.0f} minutes."
    if run.beside:
        parts["beside"] = _beside(run)
        parts["beside-plots"] = _pictures(_bars(run))
    if run.curves:
        parts["growth-costs"] = "\n\n".join(map(_costs, run.curves))
        parts["growth-plots"] = _pictures(_growth(run))
    if second is not None:
        parts["agreement"] = _agreement(run, second)
    _put(PAGES, parts)
    every = [each for figures in run.figures.values() for each in figures]
    chosen = [each for name in SHORT for each in every if each.name == name]
    _put(READMES, {"short": _table(chosen), "machine": parts["machine"]})


def _put(pages: Iterable[Path], parts: Mapping[str, str]) -> None:
    for page in pages:
        text = page.read_text()
        for name, part in parts.items():
            text = _between(text, name, part)
        page.write_text(text)


def _table(figures: Iterable[Figure]) -> str:
    return "\n".join([TABLE, *(each.row() for each in figures)])


def _between(text: str, name: str, part: str) -> str:
    begins, ends = f"<!-- bench {name}: begin -->", f"<!-- bench {name}: end -->"
    before, begin, rest = text.partition(begins)
    _, end, after = rest.partition(ends)
    if not (begin and end):
        raise ValueError(f"the page has no section for this: it needs the lines {begins} and {ends}")
    return f"{before}{begins}\n\n{part}\n\n{ends}{after}"


# ---------------------------------------------------------------- beside one another


def _beside(run: Run) -> str:
    there = [each for each in run.beside if not each.missing]
    figures = list(dict.fromkeys(figure for each in there for figure in (*each.figures, *each.words)))
    lines = ["| | " + " | ".join(each.name for each in there) + " |", "|---|" + "---:|" * len(there)]
    lines += [f"| {figure} | " + " | ".join(each.cell(figure) for each in there) + " |" for figure in figures]
    lines += [f"\n{each.name} was not measured: {each.missing}." for each in run.beside if each.missing]
    return "\n".join(lines)


def _bars(run: Run) -> Iterable[tuple[str, str, str]]:
    """Name, what it shows, and the picture."""
    for figure in PLOTTED:
        known = [each for each in run.beside if figure in each.figures or figure in each.words]
        if any(figure in each.figures for each in known):
            unit = next(each.units[figure] for each in known if figure in each.units)
            values = {each.name: _middle(each.figures[figure]) if figure in each.figures else None for each in known}
            yield f"performance-{_slug(figure)}.svg", figure, plot.bars(figure, unit, values)


def _middle(values: Iterable[float]) -> float:
    ranked = sorted(values)
    return ranked[len(ranked) // 2]


def _growth(run: Run) -> Iterable[tuple[str, str, str]]:
    for curve in run.curves:
        picture = plot.growth(curve.name, curve.unit, curve.sizes, curve.costs)
        yield f"performance-growth-{_slug(curve.name)}.svg", f"{curve.name} by number of users", picture


def _costs(curve: Curve) -> str:
    told = ", ".join(f"{cost:,.4g} for {size:,}" for size, cost in zip(curve.sizes, curve.costs, strict=True))
    return f"{curve.name.capitalize()}, in {curve.unit}: {told} users."


def _pictures(pictures: Iterable[tuple[str, str, str]]) -> str:
    lines = []
    for name, what, picture in pictures:
        (PICTURES / name).write_text(picture)
        lines.append(f"![{what}](images/{name})")
    return "\n".join(lines)


def _slug(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


# ---------------------------------------------------------------- two runs


def _compared(first: Run, second: Run | None = None) -> list[tuple[str, float, float, bool]]:
    """What the ratio is of, both ratios, and whether they agree."""
    if second is None:
        return []
    before, after = first.ratios(), second.ratios()
    names = [name for name in before if name in after]
    return [(name, before[name], after[name], _agree(before[name], after[name])) for name in names]


def _agree(one: float, other: float) -> bool:
    return max(one, other) <= (1 + AGREE) * min(one, other)


def _agreement(first: Run, second: Run) -> str:
    rows = _compared(first, second)
    lines = [
        f"First run {first.began}, second {second.began}: {sum(agreed for *_, agreed in rows)} of {len(rows)} ratios "
        f"agree within {AGREE:.0%}.",
        "",
        "| ratio | first | second | apart | |",
        "|---|---:|---:|---:|---|",
    ]
    for name, one, other, agreed in rows:
        apart = max(one, other) / min(one, other) - 1
        print(f"{'agree' if agreed else 'DIFFER':7} {name}: {one:.2f} and {other:.2f}")
        lines.append(f"| {name} | {one:.2f} | {other:.2f} | {apart:.0%} | {'agree' if agreed else '**differ**'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
