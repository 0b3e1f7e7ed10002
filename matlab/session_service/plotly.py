"""PURE. A figure as `__session_figure__` tells it → traces and layout for Plotly, which zooms and rotates them.

Octave's groups (bar, contour, errorbar, …) come taken apart into lines, patches, surfaces, images and texts; these five
are what is drawn here. 2-D axes become x and y axes at the place that they have in the figure, 3-D axes become scenes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .tex import plain
from .values import flat

Json = dict[str, Any]
Color = str

DASHES = {"-": "solid", "--": "dash", ":": "dot", "-.": "dashdot"}
MARKERS = {
    "o": "circle",
    ".": "circle",
    "x": "x-thin",
    "+": "cross-thin",
    "*": "asterisk",
    "s": "square",
    "square": "square",
    "d": "diamond",
    "diamond": "diamond",
    "^": "triangle-up",
    "v": "triangle-down",
    ">": "triangle-right",
    "<": "triangle-left",
    "p": "star",
    "pentagram": "star",
    "h": "hexagram",
    "hexagram": "hexagram",
}
MARKERS_3D = {"s": "square", "square": "square", "d": "diamond", "diamond": "diamond", "x": "x", "+": "cross"}
UNITS = {1e-9: "n", 1e-6: "μ", 1e-3: "m", 1e3: "k", 1e6: "M", 1e9: "B", 1e12: "T"}
"""As Plotly shortens numbers."""


def read_figure(raw: Json) -> Json:
    """`{data, layout}` for Plotly."""
    width, height = raw["size"]
    layout: Json = {
        "width": width,
        "height": height,
        "paper_bgcolor": raw["color"] if raw["color"].startswith("#") else "#ffffff",
        "showlegend": False,
        "plot_bgcolor": "rgba(0,0,0,0)",  # axes may lie over one another
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "annotations": [],
        "hovermode": "closest",
        "barmode": "overlay",
    }
    data: list[Json] = []
    for number, axes in enumerate(raw["axes"], 1):
        drawing = _Axes3D(number, axes) if _is_3d(axes) else _Axes2D(number, axes)
        data += drawing.traces()
        layout.update(drawing.layout())
        layout["annotations"] += drawing.annotations()
        if axes["legend"]:
            layout["showlegend"] = True
            layout.setdefault("legend", _legend(axes["position"]))
    return {"data": data, "layout": layout}


def _is_3d(axes: Json) -> bool:
    azimuth, elevation = axes["view"]
    return bool(elevation % 180 != 90 or azimuth % 90 != 0)


class _Axes:
    """What both kinds have in common: the color map, names of axes, the color bar."""

    def __init__(self, number: int, axes: Json) -> None:
        self._axes = axes
        self._suffix = "" if number == 1 else str(number)
        colors = [_channel(part) for part in flat(axes["colormap"])]
        self._colormap = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in zip(*[iter(colors)] * 3, strict=True)]
        self._low, self._high = flat(axes["clim"])
        self._named: set[str] = set()
        self._scale_shown = not axes["colorbar"]

    def _color(self, value: float, scaled: bool) -> Color | None:
        if not math.isfinite(value):
            return None
        count = len(self._colormap)
        share = (value - self._low) / ((self._high - self._low) or 1) * count if scaled else value - 1
        return self._colormap[min(count - 1, max(0, int(share)))]

    def _colors(self) -> Json:
        """What a trace with numbers for colors needs."""
        last = max(1, len(self._colormap) - 1)
        scale = {
            "colorscale": [[i / last, color] for i, color in enumerate(self._colormap)],
            "cmin": self._low,
            "cmax": self._high,
            "showscale": not self._scale_shown,
        }
        if not self._scale_shown:
            left, bottom, width, height = self._axes["position"]
            bar = {"x": left + width, "xanchor": "left", "y": bottom + height / 2, "len": height, "thickness": 16}
            scale["colorbar"] = bar
            self._scale_shown = True
        return scale

    def _name(self, part: Json) -> Json:
        """The legend names each thing once, however many traces it consists of."""
        name = str(part["name"])
        group = name or f"group{part['group']}"
        show = bool(self._axes["legend"] and name and name not in self._named)
        self._named.add(name)
        return {"name": plain(name), "legendgroup": group, "showlegend": show}

    def _patch_colors(self, patch: Json, color: Color) -> tuple[list[Color | None], bool]:
        """Colors of a patch: of each face, or (then true) of each vertex."""
        faces = len(flat(patch["faces"])) // max(1, patch["corners"])
        if color not in ("flat", "interp"):
            return [None if color == "none" else color] * faces, False
        numbers = [float(n) for n in flat(patch["c"])]
        if patch["c_columns"] == 3:
            given: list[Color | None] = [_rgb(n) for n in zip(*[iter(numbers)] * 3, strict=True)]
        else:
            given = [self._color(n, patch["scaled"]) for n in numbers]
        if len(given) == faces:
            return given, False
        if len(given) == 1:
            return given * faces, False
        return given, True


class _Axes2D(_Axes):
    def traces(self) -> Iterator[Json]:
        on = {"xaxis": f"x{self._suffix}", "yaxis": f"y{self._suffix}"}
        parts = [p for p in self._axes["parts"] if p["kind"] != "text"]
        for part in parts or [_nothing()]:
            traces: Iterable[Json]
            match part["kind"]:
                case "line":
                    traces = [self._line(part)]
                case "patch":
                    traces = self._patch(part)
                case "surface":
                    traces = [self._heatmap(part)]
                case _:
                    traces = [self._image(part)]
            for trace in traces:
                yield trace | on
        if not self._scale_shown and parts:
            marker = {"color": [self._low], "opacity": 0, **self._colors()}
            yield {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "marker": marker, **on} | _UNNAMED

    def layout(self) -> Json:
        axes = self._axes
        left, bottom, width, height = axes["position"]
        x: Json = {"domain": _within(left, left + width), "anchor": f"y{self._suffix}", **_axis(axes, "x")}
        y: Json = {"domain": _within(bottom, bottom + height), "anchor": f"x{self._suffix}", **_axis(axes, "y")}
        if axes["yaxislocation"] == "right":
            y |= {"side": "right"}
        if axes["xaxislocation"] == "top":
            x |= {"side": "top"}
        if axes["dataaspectratiomode"] == "manual":
            y |= {"scaleanchor": f"x{self._suffix}", "constrain": "domain"}
            x |= {"constrain": "domain"}
        elif axes["plotboxaspectratiomode"] == "manual":
            wide, high, _ = flat(axes["plotboxaspectratio"])
            (x0, x1), (y0, y1) = flat(axes["xlim"]), flat(axes["ylim"])
            ratio = (x1 - x0) / ((y1 - y0) or 1) * high / wide
            y |= {"scaleanchor": f"x{self._suffix}", "scaleratio": ratio, "constrain": "domain"}
            x |= {"constrain": "domain"}
        return {f"xaxis{self._suffix}": x, f"yaxis{self._suffix}": y}

    def annotations(self) -> Iterator[Json]:
        yield from _title(self._axes)
        for text in self._axes["parts"]:
            if text["kind"] == "text" and text["string"]:
                yield self._text(text)

    def _text(self, text: Json) -> Json:
        x, y = flat(text["position"])[:2]
        if text["units"] == "normalized":
            where = {"xref": f"x{self._suffix} domain", "yref": f"y{self._suffix} domain"}
        else:
            where = {"xref": f"x{self._suffix}", "yref": f"y{self._suffix}"}
            x, y = (math.log10(v) if self._axes[f"{n}scale"] == "log" and v > 0 else v for n, v in (("x", x), ("y", y)))
        return {
            "x": x,
            "y": y,
            **where,
            "text": plain(text["string"]),
            "showarrow": False,
            "xanchor": text["horizontal"],
            "yanchor": {"top": "top", "cap": "top", "bottom": "bottom", "baseline": "bottom"}.get(
                text["vertical"], "middle"
            ),
            "textangle": -text["rotation"],
            "font": {"size": text["size"] * 1.2, "color": text["color"]},
        }

    def _line(self, line: Json) -> Json:
        points = {"x": numbers(line["x"]), "y": numbers(line["y"])}
        return {"type": "scatter", **points, **_stroke(line, line["color"]), **self._name(line)}

    def _patch(self, patch: Json) -> Iterator[Json]:
        corners = list(_polygons(patch))
        if patch["marker"] != "none" and all(len(set(face)) == 1 for face in corners):
            yield self._points(patch)
            return
        fills, by_vertex = self._patch_colors(patch, patch["face"])
        if by_vertex:
            fills = [fills[face[0]] if face else None for face in corners]
        edges, by_vertex = self._patch_colors(patch, patch["edge"])
        if by_vertex:
            edges = [edges[face[0]] if face else None for face in corners]
        points = _vertices(patch)
        for fill, edge in dict.fromkeys(zip(fills, edges, strict=True)):
            x: list[Any] = []
            y: list[Any] = []
            for face, *colors in zip(corners, fills, edges, strict=True):
                if colors == [fill, edge] and face:
                    around = [points[i] for i in [*face, face[0]]]  # open contours have a gap at their end
                    x += [p[0] for p in around] + [None]
                    y += [p[1] for p in around] + [None]
            trace: Json = {"type": "scatter", "mode": "lines", "x": x[:-1], "y": y[:-1], **self._name(patch)}
            shown = edge is not None and patch["style"] != "none"
            trace["line"] = {"color": edge or "#000000", "width": patch["width"] * 1.5 if shown else 0}
            if fill is not None:
                trace |= {"fill": "toself", "fillcolor": _faded(fill, patch["alpha"]), "hoveron": "points"}
            yield trace

    def _points(self, patch: Json) -> Json:
        points = _vertices(patch)
        marker = _marker(patch, "#0072bd")
        for side, into in (("marker_face", marker), ("marker_edge", marker["line"])):
            if patch[side] in ("flat", "auto"):
                source = patch["edge"] if patch["edge"] not in ("none", "auto") else "flat"
                colors, _ = self._patch_colors(patch, source)
                if any(colors):
                    into["color"] = colors if len(colors) > 1 else colors[0]
        where = {"x": [p[0] for p in points], "y": [p[1] for p in points]}
        return {"type": "scatter", "mode": "markers", "marker": marker, **where, **self._name(patch)}

    def _heatmap(self, surface: Json) -> Json:
        """pcolor, or a surface seen from above."""
        z = _matrix(surface["c"] if not surface["rgb"] else surface["z"], surface["rows"], surface["columns"])
        x, y = numbers(surface["x"]), numbers(surface["y"])
        rows, columns = surface["rows"], surface["columns"]
        if len(x) == rows * columns != columns:
            x = x[::rows]
        if len(y) == rows * columns != rows:
            y = y[:rows]
        if surface["face"] != "interp":  # a cell between its corners, as Octave draws it
            z = [row[:-1] for row in z[:-1]]
        colors = self._colors()
        limits = {"zmin": colors.pop("cmin"), "zmax": colors.pop("cmax")}
        return {"type": "heatmap", "x": x, "y": y, "z": z, **colors, **limits, **_UNNAMED}

    def _image(self, image: Json) -> Json:
        rows, columns = image["rows"], image["columns"]
        x0, dx = _from_ends(numbers(image["x"]), columns)
        y0, dy = _from_ends(numbers(image["y"]), rows)
        place = {"x0": x0, "dx": dx, "y0": y0, "dy": dy}
        if image["rgb"]:
            size, scale = rows * columns, 1 if image["whole"] else 255
            c = [int(scale * n) for n in flat(image["c"])]
            pixels = [
                [[c[r + k * rows + channel * size] for channel in range(3)] for k in range(columns)]
                for r in range(rows)
            ]
            return {"type": "image", "z": pixels, **place, "colormodel": "rgb"}
        colors = self._colors()
        low, high = colors.pop("cmin"), colors.pop("cmax")
        if not image["scaled"]:
            first = 0 if image["whole"] else 1
            low, high = first, first + len(self._colormap) - 1
        z = _matrix(image["c"], rows, columns)
        return {"type": "heatmap", "z": z, **place, **colors, "zmin": low, "zmax": high, **_UNNAMED}


class _Axes3D(_Axes):
    def traces(self) -> Iterator[Json]:
        on = {"scene": f"scene{self._suffix}"}
        for part in self._axes["parts"]:
            traces: Iterable[Json]
            match part["kind"]:
                case "line":
                    traces = [self._line(part)]
                case "patch":
                    traces = self._patch(part)
                case "surface":
                    traces = self._surface(part)
                case "text":
                    traces = [_text_3d(part)]
                case _:
                    traces = []  # an image lies flat in a plane, which Plotly does not draw
            for trace in traces:
                yield trace | on

    def layout(self) -> Json:
        axes = self._axes
        left, bottom, width, height = axes["position"]
        azimuth, elevation = (math.radians(angle) for angle in axes["view"])
        eye = {
            "x": 1.9 * math.cos(elevation) * math.sin(azimuth),
            "y": -1.9 * math.cos(elevation) * math.cos(azimuth),
            "z": 1.9 * math.sin(elevation),
        }
        scene: Json = {
            "domain": {"x": _within(left, left + width), "y": _within(bottom, bottom + height)},
            "aspectmode": "manual",
            "aspectratio": self._proportions(),
            "camera": {"eye": eye, "projection": {"type": "orthographic"}},
            **{f"{name}axis": _axis(axes, name) for name in "xyz"},
        }
        scene["zaxis"] |= _without_lowest_label(scene["zaxis"]["range"][0])
        return {f"scene{self._suffix}": scene}

    def _proportions(self) -> Json:
        if self._axes["dataaspectratiomode"] != "manual":
            return {"x": 1, "y": 1, "z": 1}
        spans = {name: high - low for name in "xyz" for low, high in [flat(self._axes[f"{name}lim"])]}
        mean = math.prod(spans.values()) ** (1 / 3)
        return {name: span / mean for name, span in spans.items()}

    def annotations(self) -> Iterator[Json]:
        yield from _title(self._axes)

    def _line(self, line: Json) -> Json:
        x, y = numbers(line["x"]), numbers(line["y"])
        z = numbers(line["z"]) or [0] * len(x)
        stroke = _stroke(line, line["color"])
        if marker := stroke.get("marker"):
            marker["symbol"] = MARKERS_3D.get(line["marker"], "circle")
        if "line" in stroke:
            stroke["line"] = {**stroke["line"], "width": stroke["line"]["width"] * 2}
        return {"type": "scatter3d", "x": x, "y": y, "z": z, **stroke, **self._name(line)}

    def _patch(self, patch: Json) -> Iterator[Json]:
        points = _vertices(patch)
        corners = list(_polygons(patch))
        where = {name: [p[i] for p in points] for i, name in enumerate("xyz")}
        if patch["marker"] != "none" and all(len(set(face)) == 1 for face in corners):
            fills, _ = self._patch_colors(patch, "flat" if flat(patch["c"]) else patch["edge"])
            color: Any = fills if any(fills) else "#0072bd"
            marker = {"size": patch["marker_size"], "color": color}
            yield {"type": "scatter3d", "mode": "markers", **where, "marker": marker, **self._name(patch)}
            return
        if patch["face"] != "none":
            colors, by_vertex = self._patch_colors(patch, patch["face"])
            if by_vertex and patch["face"] == "flat":
                colors, by_vertex = [colors[face[0]] if face else None for face in corners], False
            triangles = [(f[0], b, c, n) for n, f in enumerate(corners) for b, c in itertools.pairwise(f[1:])]
            mesh = {name: [t[i] for t in triangles] for i, name in enumerate("ijk")}
            how = {"vertexcolor": colors} if by_vertex else {"facecolor": [colors[t[3]] for t in triangles]}
            yield {"type": "mesh3d", **where, **mesh, **how, "opacity": patch["alpha"], **self._name(patch)}
        if patch["edge"] != "none" and patch["style"] != "none":
            edges, by_vertex = self._patch_colors(patch, patch["edge"])
            color = next((e for e in edges if e), "#000000")
            around = [[points[i] for i in (*f, f[0])] for f in corners if f]
            yield _wires(around, {"color": color, "width": patch["width"] * 2}) | self._name(patch)

    def _surface(self, surface: Json) -> Iterator[Json]:
        rows, columns = surface["rows"], surface["columns"]
        z = _matrix(surface["z"], rows, columns)
        x, y = numbers(surface["x"]), numbers(surface["y"])
        xs = _matrix(x, rows, columns) if len(x) == rows * columns != columns else [x] * rows
        ys = _matrix(y, rows, columns) if len(y) == rows * columns != rows else [[v] * columns for v in y]
        if surface["face"] in ("flat", "interp", "texturemap"):
            color = z if surface["rgb"] else _matrix(surface["c"], rows, columns)
            yield {"type": "surface", "x": xs, "y": ys, "z": z, "surfacecolor": color, **self._colors(), **_UNNAMED}
        elif surface["face"].startswith("#") and surface["edge"] == "none":
            scale = [[0, surface["face"]], [1, surface["face"]]]
            yield {"type": "surface", "x": xs, "y": ys, "z": z, "colorscale": scale, "showscale": False, **_UNNAMED}
        if surface["edge"] == "none":
            return
        along = [[*zip(*row, strict=True)] for row in zip(xs, ys, z, strict=True)]
        across = [[line[k] for line in along] for k in range(columns)]
        wires = _wires(along + across, {"width": 2})
        if surface["edge"].startswith("#"):
            yield wires | {"line": {"color": surface["edge"], "width": surface["width"] * 2}, **_UNNAMED}
        else:
            wires["line"] |= {"color": wires["z"], **self._colors()}
            yield wires | _UNNAMED


_UNNAMED: Json = {"name": "", "showlegend": False}


def numbers(values: Any) -> list[Any]:
    """With gaps where there is no number."""
    return [v if not isinstance(v, float) or math.isfinite(v) else None for v in flat(values)]


def _nothing() -> Json:
    """Plotly draws no axes that nothing is on."""
    return {"kind": "line", "x": [], "y": [], "color": "#000000", "style": "-", "width": 1, "marker": "none"} | {
        "name": "",
        "group": 0,
    }


def _axis(axes: Json, name: str) -> Json:
    low, high = flat(axes[f"{name}lim"])
    log = axes[f"{name}scale"] == "log"
    span = [math.log10(v) if v > 0 else -10 for v in (low, high)] if log else [low, high]
    axis: Json = {
        "type": "log" if log else "linear",
        "range": span[::-1] if axes[f"{name}dir"] == "reverse" else span,
        "title": {"text": plain(axes[f"{name}label"])},
        "visible": axes["visible"] == "on",
        "showgrid": axes[f"{name}grid"] == "on",
        "zeroline": False,
        "showline": True,
        "mirror": True,
        "ticks": "inside",
        "linecolor": "#262626",
        "gridcolor": "#dfdfdf",
    }
    if log and span[1] - span[0] > 1:
        axis |= {"dtick": 1, "exponentformat": "power"}
    if "manual" in (axes.get(f"{name}ticklabelmode"), axes.get(f"{name}tickmode")):
        ticks, labels = flat(axes[f"{name}tick"]), flat(axes[f"{name}ticklabel"])
        axis |= {"tickmode": "array", "tickvals": ticks, "ticktext": [plain(t) for t in labels[: len(ticks)]]}
    return axis


def _without_lowest_label(lowest: float) -> Json:
    """The lowest label of a z axis would lie upon the outermost of another axis, which ends at the same corner.

    Plotly can replace a label by another, and knows which is the first. The space tells it from what is shown below the
    mouse; nothing of it is seen where the label stays because the axis begins between two.
    """
    sign = "−" if lowest < 0 else ""
    labels = [f"{abs(lowest):.12g}"]
    labels += [f"{abs(lowest) / unit:.12g}{letter}" for unit, letter in UNITS.items()]
    return {
        "tickprefix": " ",
        "showtickprefix": "first",
        "showexponent": "all",  # which else follows suit
        "labelalias": {f" {sign}{label}": " " for label in labels},
    }


def _title(axes: Json) -> Iterator[Json]:
    if axes["title"]:
        left, bottom, width, height = axes["position"]
        yield {
            "text": f"<b>{plain(axes['title'])}</b>",
            "x": left + width / 2,
            "y": min(1, bottom + height),
            "xref": "paper",
            "yref": "paper",
            "xanchor": "center",
            "yanchor": "bottom",
            "showarrow": False,
        }


def _legend(position: Sequence[float]) -> Json:
    left, bottom, width, height = position
    box = {"bgcolor": "#ffffff", "bordercolor": "#262626", "borderwidth": 1}
    return {"x": left + width, "y": bottom + height, "xanchor": "right", "yanchor": "top", **box}


def _stroke(part: Json, color: Color) -> Json:
    lines, markers = part["style"] in DASHES, part["marker"] != "none"
    stroke: Json = {"mode": "+".join([*(["lines"] if lines else []), *(["markers"] if markers else [])]) or "none"}
    if lines:
        stroke["line"] = {"color": color, "width": part["width"] * 2, "dash": DASHES[part["style"]]}
    if markers:
        stroke["marker"] = _marker(part, color)
    return stroke


def _marker(part: Json, color: Color) -> Json:
    def named(which: str) -> Color:
        return str(part[which]) if part[which].startswith("#") else color

    symbol = MARKERS.get(part["marker"], "circle")
    dot = part["marker"] == "."
    hollow = part["marker_face"] == "none" and not dot
    return {
        "symbol": symbol if symbol.endswith(("thin", "asterisk")) else f"{symbol}-open" if hollow else symbol,
        "size": max(2, part["marker_size"] * (0.6 if dot else 1.2)),
        "color": named("marker_edge" if hollow or dot else "marker_face"),
        "line": {"color": named("marker_edge"), "width": 0 if part["marker_edge"] == "none" else 1},
    }


def _text_3d(text: Json) -> Json:
    x, y, z = [*flat(text["position"]), 0][:3]
    font = {"size": text["size"] * 1.2, "color": text["color"]}
    words = {"mode": "text", "text": [plain(text["string"])], "textfont": font}
    return {"type": "scatter3d", "x": [x], "y": [y], "z": [z], **words, **_UNNAMED}


def _wires(lines: Iterable[Sequence[Sequence[Any]]], line: Json) -> Json:
    """Polygons and polylines as one trace, with gaps between them."""
    points = [point for one in lines for point in [*one, (None, None, None)]][:-1]
    where = {name: [p[i] for p in points] for i, name in enumerate("xyz")}
    return {"type": "scatter3d", "mode": "lines", **where, "line": line, "hoverinfo": "skip"}


def _polygons(patch: Json) -> Iterator[list[int]]:
    """Each face as indices of vertices, from 0; Octave fills short ones up with NaN."""
    corners = max(1, patch["corners"])
    faces = flat(patch["faces"])
    for start in range(0, len(faces), corners):
        yield [int(i) - 1 for i in faces[start : start + corners] if math.isfinite(i)]


def _vertices(patch: Json) -> list[tuple[Any, ...]]:
    flat_points = numbers(patch["vertices"])
    n = max(1, patch["dimensions"])
    return [(*flat_points[i : i + n], 0)[:3] for i in range(0, len(flat_points), n)]


def _matrix(columns_first: Any, rows: int, columns: int) -> list[list[Any]]:
    values = numbers(columns_first)
    return [[values[r + k * rows] for k in range(columns)] for r in range(rows)]


def _from_ends(ends: Sequence[Any], count: int) -> tuple[float, float]:
    """Where the first of `count` cells lies, and the step to the next, from the middles of the first and the last."""
    if len(ends) < 2 or count < 2:
        return (ends[0] if ends else 1), 1
    return ends[0], (ends[-1] - ends[0]) / (count - 1)


def _within(low: float, high: float) -> list[float]:
    return [min(1.0, max(0.0, low)), min(1.0, max(0.0, high))]


def _channel(part: float) -> int:
    return min(255, max(0, round(255 * part)))


def _rgb(parts: Iterable[float]) -> Color:
    r, g, b = (_channel(part) for part in parts)
    return f"#{r:02x}{g:02x}{b:02x}"


def _faded(color: Color, alpha: float) -> Color:
    r, g, b = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return color if alpha >= 1 else f"rgba({r},{g},{b},{alpha:g})"
