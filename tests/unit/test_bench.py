"""What the benchmark makes of its samples: ratios, goals, the page's tables, and whether two runs agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import growth, page
from bench.beside import Beside
from bench.figure import Figure
from bench.growth import Curve
from bench.run import Run

FIGURE = Figure("create", "ms", [105, 212, 300], [100, 200, 400], "the SDK", most=1.05)


def a_run(*figures: Figure) -> Run:
    curve = Curve("list", "ms", (10, 100, 1000), (1.0, 10.0, 100.0))
    peer = Beside("Flask", words={"docker kill → running": "never"})
    peer.put("ready, 50 users", "s", 20.0)
    return Run("a machine", "today", 19.6, {"actions": list(figures)}, [curve], [peer, Beside("Hub", missing="no npm")])


def test_a_ratio_is_the_median_of_the_pairs_and_the_goal_is_about_that() -> None:
    assert FIGURE.ratio == pytest.approx(1.05)
    assert FIGURE.met
    assert replace(FIGURE, most=1.04).met is False
    assert replace(FIGURE, most=None).met is None


def test_a_figure_without_a_floor_is_judged_by_its_median() -> None:
    assert Figure("memory", "MB", [79.0, 81.0, 80.5], most=80).met is False
    assert Figure("memory", "MB", [79.0, 81.0, 79.5], most=80).met is True


def test_a_row_tells_median_spread_number_ratio_and_goal() -> None:
    row = "| create | 212 ms (105–300) | 3 | 200 ms (100–400), the SDK | 1.05 × (0.75–1.06) | ≤ 1.05 × | met |"
    assert FIGURE.row() == row


def test_what_a_run_measured_comes_back_from_its_file() -> None:
    run = a_run(FIGURE)
    again = Run.read(run.text())
    assert again.ratios() == run.ratios() == {"create ÷ the SDK": pytest.approx(1.05)}
    assert again.figures["actions"][0].row() == FIGURE.row()
    assert again.curves[0].exponent == run.curves[0].exponent == pytest.approx(1.0)


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, ...]:
    """Copies of the pages as they are in the tree: whoever forgets a section there hears of it here."""
    for name in ("PAGES", "READMES"):
        copies = tuple(tmp_path / each.name for each in getattr(page, name))
        for copy, each in zip(copies, getattr(page, name), strict=True):
            copy.write_text(each.read_text())
        monkeypatch.setattr(page, name, copies)
    monkeypatch.setattr(page, "PICTURES", tmp_path)
    return page.PAGES


def test_the_pages_get_tables_pictures_and_the_reason_why_a_peer_is_not_there(pages: tuple[Path, ...]) -> None:
    page.write(a_run(FIGURE), a_run(FIGURE))
    for each in pages:
        text = each.read_text()
        assert FIGURE.row() in text
        assert "| docker kill → running | never |" in text
        assert "Hub was not measured: no npm." in text
        assert "| create ÷ the SDK | 1.05 | 1.05 | 0% | agree |" in text
    for each in page.READMES:
        assert "a machine; today, 20 minutes." in each.read_text()
    assert (pages[0].parent / "performance-ready-50-users.svg").read_text().startswith("<svg")
    assert (pages[0].parent / "performance-growth-list.svg").read_text().startswith("<svg")


def test_ratios_that_are_further_apart_than_fifteen_percent_do_not_agree(pages: tuple[Path, ...]) -> None:
    slower = replace(FIGURE, ours=[each * 1.16 for each in FIGURE.ours])
    files = [pages[0].parent / "1.json", pages[0].parent / "2.json"]
    for file, run in zip(files, (a_run(FIGURE), a_run(slower)), strict=True):
        file.write_text(run.text())
    assert page.main([str(file) for file in files]) == 1
    assert "**differ**" in pages[0].read_text()
    assert page.main([str(files[0]), str(files[0])]) == 0


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), ([], 2)])
def test_whoever_does_not_know_how_to_call_it_is_told(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        page.main(arguments)
    assert ended.value.code == code
    assert "usage: page [-h] run [second]" in "".join(capsys.readouterr())


def test_what_grows_by_the_square_is_no_line() -> None:
    assert Curve("x", "ms", (10, 100, 1000), (1.0, 100.0, 10_000.0)).exponent == pytest.approx(2.0)


def test_growth_is_measured_on_fleets_that_are_at_rest() -> None:
    told: list[Figure] = []
    curves = growth.measure((10, 100), told.append)
    assert {curve.name for curve in curves} == {"resync at rest", "list", "memory", "events of all", "merge"}
    assert all(cost > 0 for curve in curves for cost in curve.costs)
