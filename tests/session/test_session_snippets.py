"""What people used to MATLAB type, and what they then see: every section of snippets/*.m is a command for a session.

`%>` and a blank begin the lines that it prints, `%!` those of the error that it ends with: [identifier] message. Blanks
at the ends of lines do not count. The sections of figures.m print nothing and draw.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.session.conftest import Session
from tests.session.peer import Peer

SNIPPETS = Path(__file__).parent / "snippets"
COORDINATES = {
    "scatter": ("x", "y"),
    "scatter3d": ("x", "y", "z"),
    "mesh3d": ("x", "y", "z"),
    "surface": ("z",),
    "heatmap": ("z",),
    "image": ("z",),
}
"""What a trace of Plotly's is drawn by."""

SVG = "{http://www.w3.org/2000/svg}"
MARKS = {f"{SVG}{name}" for name in ("path", "polygon", "use", "image")}


@dataclass(frozen=True)
class Snippet:
    title: str
    code: str
    prints: str
    fails: str


def read(file: str) -> list[Snippet]:
    sections = re.split(r"^%% ", (SNIPPETS / file).read_text(), flags=re.MULTILINE)
    return [_snippet(section) for section in sections[1:]]


def _snippet(section: str) -> Snippet:
    title, *lines = section.splitlines()
    code = [line for line in lines if not line.startswith(("%>", "%!"))]
    prints, fails = ([line[3:] for line in lines if line.startswith(mark)] for mark in ("%>", "%!"))
    return Snippet(title, "\n".join(code), "\n".join(prints), "\n".join(fails))


def _named(snippets: list[Snippet]) -> list[Any]:
    return [pytest.param(snippet, id=snippet.title) for snippet in snippets]


PRINTING = [snippet for file in sorted(SNIPPETS.glob("*.m")) if file.stem != "figures" for snippet in read(file.name)]
DRAWING = read("figures.m")


@pytest.fixture
async def peer(shared: Session) -> AsyncIterator[Peer]:
    """Of the shared container, in whose folder nothing is left."""
    yield await shared.connect(max_msg_size=0)
    for file in (shared.folder / "results").iterdir():
        file.unlink()


@pytest.mark.parametrize("snippet", _named(PRINTING))
async def test_a_snippet_prints_what_it_should(peer: Peer, snippet: Snippet) -> None:
    answer = await peer.eval(snippet.code)
    error = answer["error"]
    fails = f"[{error['identifier']}] {error['message']}" if error else ""
    assert _without_blanks_at_ends(answer["output"]) == _without_blanks_at_ends(snippet.prints)
    assert _without_blanks_at_ends(fails) == _without_blanks_at_ends(snippet.fails)


@pytest.mark.parametrize("snippet", _named(DRAWING))
async def test_a_snippet_draws(peer: Peer, snippet: Snippet) -> None:
    answer = await peer.eval(snippet.code)
    assert (answer["error"], answer["output"]) == (None, "")
    (shown,) = (await peer.call("figures"))["figures"]
    figure = await peer.call("figure.data", number=shown["number"])
    assert sum(_points(trace) for trace in figure["data"]) >= 3
    picture = (await peer.call("figure.export", number=shown["number"], format="svg"))["content"]
    assert await asyncio.to_thread(_marks, picture) >= 1
    assert peer.printed() == ""


def _points(trace: dict[str, Any]) -> int:
    """How many points of a trace have a place."""
    columns = [_flat(trace.get(name) or []) for name in COORDINATES[trace["type"]]]
    return sum(all(map(_is_number, point)) for point in zip(*columns, strict=True))


def _flat(values: list[Any]) -> list[Any]:
    return list(itertools.chain.from_iterable(map(_flat, values))) if values and isinstance(values[0], list) else values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _marks(svg: str) -> int:
    """How many lines, areas, markers and pictures gnuplot drew for what was plotted: not for axes and their labels."""
    drawing = ElementTree.fromstring(svg)
    plotted = [g for g in drawing.iter(f"{SVG}g") if g.get("id", "").startswith("gnuplot_plot_")]
    marks = sum(element.tag in MARKS for group in plotted for element in group.iter())
    areas = len(list(drawing.iter(f"{SVG}polygon"))) - 1  # those of surfaces are in no group; the first is the axes'
    return max(marks, areas)


def _without_blanks_at_ends(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip()
