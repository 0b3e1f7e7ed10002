"""What becomes of Octave's TeX and of gaps in its numbers, without an interpreter."""

from __future__ import annotations

import math

import pytest

from matlab.session_service.figures import Album
from matlab.session_service.plotly import numbers
from matlab.session_service.tex import plain
from matlab.session_service.values import read_value


@pytest.mark.parametrize(
    ("tex", "html"),
    [
        ("x^2 + y_{max}", "x<sup>2</sup> + y<sub>max</sub>"),
        ("\\alpha \\leq \\Omega", "α ≤ Ω"),
        ("{\\bf bold}", "bold"),
        ("a\\_b \\nothing", "a_b \\nothing"),
        ("<script> & co", "&lt;script&gt; &amp; co"),
        ("two\nlines", "two<br>lines"),
    ],
)
def test_tex_becomes_html_and_html_stays_text(tex: str, html: str) -> None:
    assert plain(tex) == html


def test_what_is_no_number_is_a_gap() -> None:
    assert numbers([1, math.nan, math.inf, 2.5]) == [1, None, None, 2.5]
    assert numbers(7) == [7]


def test_numbers_come_in_rows_and_what_json_lacks_as_text() -> None:
    raw = {"shape": [2, 2], "values": [1, math.nan, True, -math.inf]}
    assert read_value(raw) == {"values": [[1, "NaN"], [1, "-Inf"]]}
    assert read_value({"shape": [1, 1], "values": 3}) == {"values": [[3]]}


def test_an_album_tells_when_there_is_something_new() -> None:
    album, one = Album(), {"number": 1, "name": "", "width": 5, "height": 4}
    assert not album.take([])
    assert album.take([{**one, "changed": False}])
    assert not album.take([{**one, "changed": False}])
    first = album.revision(1)
    assert album.take([{**one, "changed": True}])
    assert album.take([])
    assert album.take([{**one, "changed": False}])
    assert album.revision(1) > first
