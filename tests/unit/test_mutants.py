"""Planted bugs can still be planted, and what the page on reliability names is there."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.mutants import ROOT, Mutant, mutants


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_planted_bug_fits_the_code_as_it_is(mutant: Mutant) -> None:
    why = mutant.apply(ROOT, "--check")
    assert not why, f"{mutant.patch.name} has to be made anew, for `{mutant.what}`: {why}"


def test_every_test_that_is_named_as_a_proof_is_there() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    named = re.findall(r"`((?:unit|property|contract|integration|e2e|model|faults)/[\w./]*)(?:::(\w+))?`", page)
    assert len(named) > 50
    for path, test in named:
        there = ROOT / "tests" / path
        assert there.exists(), f"docs/reliability.md names tests/{path}, which is not there"
        assert not test or f"def {test}(" in there.read_text(), f"docs/reliability.md names {test}, not in tests/{path}"


def test_the_page_lists_the_planted_bugs_and_what_finds_them() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\| ([\w-]+) \| (\d+) \| (.+) \| `(\S+)` \|$", page, re.MULTILINE)
    assert sorted(rows) == sorted((m.name, str(m.promise), m.what, m.found_by) for m in mutants())
    assert f"All {len(rows)} are found" in page


def test_the_page_counts_the_planted_bugs() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\| (\d+) \|.*\| (\d*) ?\|$", page, re.MULTILINE)
    assert [int(promise) for promise, _ in rows] == list(range(1, 26))
    assert {int(promise): int(count) for promise, count in rows if count} == Counter(m.promise for m in mutants())
