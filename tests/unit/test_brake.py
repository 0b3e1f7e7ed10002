"""What a change would cost, and when that is too much to do unasked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

import pytest

from controller.brake import Limits, toll, verdict
from controller.model import DesiredState, RunState, Wish
from controller.target import Profile
from tests.fake_store import PROFILE, terms

SITE = replace(
    terms().site,
    profiles={
        "standard": PROFILE,
        "large": replace(PROFILE, cpus=8, memory=2**34),
        "other": Profile("another:image", 2, 2**32, 2**32, {}, None),
    },
)
LIMITS = Limits(3, 20, allow_empty=False)
STOPPED = Wish(state=RunState.STOPPED)


def users(ids: Iterable[int], wish: Wish | None = None, **others: Wish) -> DesiredState:
    entries = dict.fromkeys(ids, wish or Wish()) | {int(name[1:]): other for name, other in others.items()}
    return DesiredState(5, None, MappingProxyType(dict(sorted(entries.items()))))


def why(before: DesiredState, after: DesiredState, observed: Iterable[int] | None = None, **limits: object) -> str:
    seen = None if observed is None else set(observed)
    return verdict(before, after, toll(before, after, SITE), seen, replace(LIMITS, **limits))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of", "removed", "held"),
    [(100, 1, False), (100, 20, False), (100, 21, True), (10, 3, False), (10, 4, True), (4, 3, False), (5, 4, True)],
)
def test_more_than_three_and_more_than_a_fifth(of: int, removed: int, held: bool) -> None:
    before = users(range(1, of + 1))
    for after in (
        users(range(1, of - removed + 1)),
        users(range(1, of + 1), **{f"u{n}": STOPPED for n in range(1, removed + 1)}),
    ):
        assert bool(why(before, after)) is held


def test_the_sentence_tells_who_and_how_many() -> None:
    after = users([*range(5, 9)], u9=STOPPED, u10=Wish(profile="other"))
    assert why(users(range(1, 11)), after) == (
        "it would end 6 of 10 sessions (remove 1-4; stop 9; make anew 10), "
        "and more than 3 sessions and 20 % need approval"
    )


def test_what_keeps_the_session_costs_nothing() -> None:
    before = users(range(1, 11))
    assert not why(before, users(range(1, 11), Wish(profile="large", session_id="s", paused=True)))
    assert not why(users(range(1, 11), STOPPED), users([1]))
    assert not why(before, users(range(1, 101)))


def test_another_default_that_makes_everybody_anew_is_a_cost() -> None:
    before = users(range(1, 11), u1=Wish(profile="standard"))
    assert "make anew 2-10" in why(before, replace(before, default_profile="other"))
    assert not why(before, replace(before, default_profile="large"))


def test_a_pause_hides_nothing() -> None:
    before = replace(users(range(1, 11)), paused=True)
    assert why(before, replace(users([1]), paused=True))


def test_of_those_that_are_up_the_share_counts_as_well() -> None:
    before, after = users(range(1, 101)), users(range(5, 101))
    assert not why(before, after)
    assert not why(before, after, observed=range(1, 101))
    assert "4 of 10 sessions" in why(before, after, observed=range(1, 11)), "ninety wait for their image"
    assert not why(before, after, observed=range(50, 101))
    assert "96 of 100" in why(before, users(range(1, 5)), observed=()), "after a reboot nobody is up yet"


def test_nobody_is_a_name_for_a_slip_however_few_there_were() -> None:
    assert why(users([1], STOPPED), users([])) == "it names nobody, and 1 users are wanted"
    assert not why(users([1]), users([]), allow_empty=True)
    assert why(users(range(1, 11)), users([]), allow_empty=True)
    assert not why(users([]), users([]))
