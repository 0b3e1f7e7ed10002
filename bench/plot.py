"""Series over time as an SVG picture, each in a strip of its own: a slope is what there is to see, not a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, STRIP, LEFT, GAP = 800, 120, 70, 34


def plot(times: Sequence[float], series: Mapping[str, Sequence[float]], unit: str) -> str:
    """The text of an SVG file. `unit` is that of the times."""
    height = len(series) * (STRIP + GAP) + 30
    last = times[-1] or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
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
