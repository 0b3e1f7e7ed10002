"""Whose turn it is to leave a node that is emptied."""

from __future__ import annotations

from controller.moves import LONGEST, Moves


def test_so_many_are_on_the_way_at_a_time_and_the_next_when_one_has_come() -> None:
    moves = Moves(2)
    assert [moves.take(user_id, 0) for user_id in (1, 2, 3, 4)] == [True, True, False, False]
    assert (moves.under_way, moves.waiting) == ((1, 2), (3, 4))
    assert moves.over(1) == 3
    assert moves.take(3, 1)
    assert (moves.under_way, moves.waiting) == ((2, 3), (4,))


def test_who_is_on_the_way_already_need_not_wait() -> None:
    moves = Moves(1)
    assert moves.take(1, 0)
    assert moves.take(1, 1)
    assert not moves.take(2, 1)


def test_those_who_asked_first_go_first() -> None:
    moves = Moves(1)
    for user_id in (9, 5, 7):
        moves.take(user_id, 0)
    assert moves.over(9) == 5


def test_who_does_not_go_any_more_takes_nobodys_turn() -> None:
    moves = Moves(1)
    for user_id in (1, 2, 3):
        moves.take(user_id, 0)
    assert moves.over(2) is None
    assert moves.over(1) == 3
    assert (moves.under_way, moves.waiting) == ((), ())


def test_one_that_never_comes_up_keeps_the_others_for_a_time_only() -> None:
    moves = Moves(1)
    moves.take(1, 0)
    assert not moves.take(2, LONGEST - 1)
    assert moves.holds(1, LONGEST - 1)
    assert moves.take(2, LONGEST)
    assert not moves.holds(1, LONGEST)
