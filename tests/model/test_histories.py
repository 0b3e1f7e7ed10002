"""One fault at a time, at every point of short histories: the end is the same, and so is the work that it took.

`make test` plays each 61st fault, always the same ones; `make model` plays them all.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import cache

import pytest

from tests.model.histories import AT_ONCE, HISTORIES, Outcome, faults, lost_state, play, worse
from tests.model.nemesis import Kind
from tests.model.world import World

EVERY = 1 if os.environ.get("MODEL") else 61

History = Callable[[World], Awaitable[None]]


@cache
def clean(history: History) -> Outcome:
    return play(history)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_one_fault_changes_neither_the_end_nor_the_work(history: History) -> None:
    todo = list(faults(history, clean(history)))[HISTORIES.index(history) % EVERY :: EVERY]
    for fault in todo:
        name = clean(history).passed[fault.channel][fault.at]
        try:
            told = worse(clean(history), play(history, fault), at_rest=history not in AT_ONCE)
        except AssertionError as error:
            told = [str(error)]
        assert not told, f"{history.__name__}, {name}, {fault}: {told}"
    print(f"{history.__name__}: {len(todo)} faults")


def test_there_are_more_than_two_thousand_points() -> None:
    found = {history.__name__: len(list(faults(history, clean(history)))) for history in HISTORIES}
    print(f"{sum(found.values())} faults at as many points: {found}")
    assert sum(found.values()) > 2000


def test_a_full_disk_ends_no_session_that_nobody_remembers() -> None:
    """Who ran when all memory was lost has to be recorded before anybody may be taken for unwanted."""
    todo = [fault for fault in faults(lost_state, clean(lost_state)) if fault.kind is Kind.NOT_WRITTEN]
    assert todo
    for fault in todo:
        assert worse(clean(lost_state), play(lost_state, fault), at_rest=True) == []
