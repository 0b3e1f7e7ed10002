"""Pictures in SVG: series over time, each in a strip of its own, costs by size, and values beside one another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, STRIP, LEFT, GAP = 800, 120, 70, 34


def plot(times: Sequence[float], series: Mapping[str, Sequence[float]], unit: str) -> str:
    """The text of an SVG file. `unit` is that of the times."""
    height = len(series) * (STRIP + GAP) + 30
    last = times[-1] or 1.0
    parts = _head(WIDTH, height)
    for n, (name, values) in enumerate(series.items()):
        top = GAP + n * (STRIP + GAP)
        most = max(*values, 1e-9) * 1.1
        points = " ".join(
            f"{LEFT + t / last * (WIDTH - LEFT - 20):.1f},{top + STRIP - v / most * STRIP:.1f}"
            for t, v in zip(times, values, strict=True)
        )
        parts += [
            f'<text x="{LEFT}" y="{top - 6}">{escape(name)}</text>',
            f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{most:.4g}</text>',
            f'<text x="{LEFT - 6}" y="{top + STRIP}" text-anchor="end">0</text>',
            f'<path d="M{LEFT} {top}V{top + STRIP}H{WIDTH - 20}" fill="none" stroke="#888"/>',
            f'<polyline points="{points}" fill="none" stroke="#06c" stroke-width="1.5"/>',
        ]
    parts.append(f'<text x="{WIDTH - 20}" y="{height - 8}" text-anchor="end">{last:.4g} {escape(unit)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def growth(name: str, unit: str, sizes: Sequence[int], costs: Sequence[float]) -> str:
    """Costs by size, both by powers of ten: what grows in proportion lies along the grey line."""
    top, bottom, right = GAP, GAP + 2 * STRIP, WIDTH // 2
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])

    def at(size: float, cost: float) -> str:
        x = LEFT + (math.log10(size) - first) / (last - first) * (right - LEFT - 20)
        return f"{x:.1f},{bottom - (math.log10(cost) - low) / max(high - low, 1) * (bottom - top):.1f}"

    line = " ".join(at(size, cost) for size, cost in zip(sizes, costs, strict=True))
    least = min(cost / size for size, cost in zip(sizes, costs, strict=True))
    lowest = max(least * sizes[0], 10.0**low)
    ends = [(lowest / least, lowest), (sizes[-1], least * sizes[-1])]
    labels = [
        f'<text x="{at(size, 10.0**low).partition(",")[0]}" y="{bottom + 16}" text-anchor="middle">{size:,}</text>'
        for size in sizes
    ]
    labels += [
        f'<text x="{LEFT - 6}" y="{at(sizes[0], 10.0**n).partition(",")[2]}" text-anchor="end">{10.0**n:g}</text>'
        for n in range(low, high + 1)
    ]
    parts = [
        *_head(right, bottom + 30),
        f'<text x="{LEFT}" y="{top - 12}">{escape(name)} ({escape(unit)}), by number of users</text>',
        f'<path d="M{LEFT} {top}V{bottom}H{right - 20}" fill="none" stroke="#888"/>',
        f'<polyline points="{" ".join(at(*end) for end in ends)}" fill="none" stroke="#bbb" stroke-dasharray="4"/>',
        f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="1.5"/>',
        *labels,
    ]
    return "\n".join([*parts, "</svg>", ""])


def bars(name: str, unit: str, values: Mapping[str, float | None]) -> str:
    """A bar for each; `None`: there is no such value."""
    most, left, step = max((value for value in values.values() if value is not None), default=1.0), 170, 26
    parts = [*_head(WIDTH, GAP + step * len(values)), f'<text x="10" y="18">{escape(name)} ({escape(unit)})</text>']
    for n, (whose, value) in enumerate(values.items()):
        y = GAP + n * step
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(whose)}</text>')
        length = 0.0 if value is None else value / (most or 1.0) * (WIDTH - left - 120)
        said = "–" if value is None else f"{value:,.4g}"
        parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="18" fill="#06c"/>')
        parts.append(f'<text x="{left + length + 6:.1f}" y="{y + 14}">{said}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _head(width: int, height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
