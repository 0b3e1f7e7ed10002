"""Ceilings of the operator's policy, held against every writer, and lowered under what is in force."""

from __future__ import annotations

from math import inf

import pytest

from controller.errors import NeedsApproval, NotPending, PolicyBroken, WishInvalid
from controller.model import Wish
from controller.target import Load
from tests.support import eventually
from tests.wish_place import START, STOPPED, Place, to

TWO = Load(2, inf, inf)
THREE = Load(3, inf, inf)
FULL = "with user {} more would run than the operator's policy allows: {} of at most {} sessions"


def with_users(*user_ids: int) -> str:
    return START.replace("  1: {}\n", "".join(f"  {user_id}: {{}}\n" for user_id in (1, *user_ids)))


async def test_a_call_that_asks_for_too_much_changes_nothing(place: Place) -> None:
    store = await place.store(START, total=TWO)
    with pytest.raises(PolicyBroken, match=FULL.format(7, 3, 2)):
        await store.change(7, to(Wish()), "api 1")
    assert store.current.generation == 1
    assert place.file.read_text() == START
    await store.change(7, to(STOPPED), "api 2")
    await store.change(2, to(None), "api 3")
    await store.change(7, to(Wish()), "api 4")
    assert sorted(store.current.users) == [1, 7]


async def test_an_edit_that_asks_for_too_much_is_told_with_its_line_and_comes_into_force_when_there_is_room(
    place: Place,
) -> None:
    store = await place.running(START, total=TWO)
    place.edit("  1: {}\n", "  1: {}\n  7: {}\n")
    await eventually(lambda: not store.health.valid)
    [problem] = store.health.problems
    assert (problem.line, problem.column, problem.message) == (7, 3, FULL.format(7, 3, 2))
    assert sorted(store.current.users) == [1, 2]
    place.edit("  2: {session_id", "  2: {state: stopped, session_id")
    await eventually(lambda: store.health.valid)
    assert sorted(store.current.users) == [1, 2, 7]


async def test_a_merge_of_two_that_are_each_small_enough_is_held_to_the_ceiling_as_well(place: Place) -> None:
    store = await place.running(START, total=THREE)
    opened = place.file.read_text()
    await store.change(5, to(Wish()), "api 1")
    place.file.write_text(opened.replace("  1: {}\n", "  1: {}\n  7: {}\n"))
    await eventually(lambda: not store.health.valid)
    assert store.health.problems[0].message == FULL.format(7, 4, 3)
    assert sorted(store.current.users) == [1, 2, 5]


async def test_a_whole_text_and_a_rollback_are_held_to_it_too(place: Place) -> None:
    store = await place.store(with_users(5), total=THREE)
    for refused in (store.apply(with_users(5, 7), "api 1", force=True), store.weigh(with_users(5, 7))):
        with pytest.raises(WishInvalid, match=FULL.format(7, 4, 3)):
            await refused
    await place.close()
    store = await place.store(total=TWO)
    await store.change(5, to(None), "api 2")
    with pytest.raises(WishInvalid, match=FULL.format(5, 3, 2)):
        await store.rollback(1, "api 3")
    assert sorted(store.current.users) == [1, 2]


async def test_what_waited_for_the_brake_waits_no_longer_if_there_is_no_room_for_it_any_more(place: Place) -> None:
    store = await place.store(with_users(3, 4, 5), total=Load(6, inf, inf))
    with pytest.raises(NeedsApproval):  # five go, six come
        await store.apply("version: 1\nusers: {11: {}, 12: {}, 13: {}, 14: {}, 15: {}, 16: {}}\n...\n", "api 1")
    assert store.pending is not None
    held = store.pending.id
    await place.close()
    store = await place.store(total=Load(5, inf, inf))
    with pytest.raises(NotPending):
        await store.approve(held, "api 2")


async def test_a_first_text_that_asks_for_too_much_is_not_taken_for_nobody(place: Place) -> None:
    store = await place.store(with_users(5), total=TWO)
    assert store.current.generation == 0
    assert "3 of at most 2 sessions" in store.health.problems[0].message


async def test_a_ceiling_lowered_under_what_is_in_force_leaves_it_there_and_lets_less_pass_and_nothing_more(
    place: Place,
) -> None:
    await place.store(with_users(3, 4, 5))
    await place.close()
    store = await place.running(total=TWO)
    assert sorted(store.current.users) == [1, 2, 3, 4, 5]
    assert store.health.valid
    with pytest.raises(PolicyBroken, match=FULL.format(9, 6, 2)):
        await store.change(9, to(Wish()), "api 1")
    await store.change(5, to(Wish(session_id="b")), "api 2")
    place.edit("  3: {}\n", "  3: {state: stopped}\n")
    await eventually(lambda: store.current.users[3] == STOPPED)
    place.edit("  3: {state: stopped}\n", "  3: {}\n")
    await eventually(lambda: not store.health.valid)
    assert store.current.users[3] == STOPPED
