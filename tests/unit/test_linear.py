"""The judge of histories is judged first: what cannot have happened is told from what can."""

from __future__ import annotations

from tests.linear import Op, linearizable


def write(value: str, began: float, ended: float = float("inf")) -> Op:
    return Op(True, value, began, ended)


def read(value: str | None, began: float, ended: float) -> Op:
    return Op(False, value, began, ended)


def test_what_can_have_happened() -> None:
    assert linearizable([])
    assert linearizable([read(None, 0, 1), write("a", 2, 3), read("a", 4, 5)])
    assert linearizable([write("a", 0, 3), write("b", 1, 2), read("a", 4, 5)]), "they overlapped: either may be last"
    assert linearizable([write("a", 0, 5), read("a", 1, 2), read("a", 3, 4)])
    assert linearizable([write("a", 0, 1), write("b", 2), read("a", 3, 4), read("b", 5, 6)]), (
        "late, after its caller left"
    )
    assert linearizable([write("a", 0, 1), write("b", 2), read("a", 3, 4)]), "or never"


def test_what_cannot() -> None:
    assert not linearizable([write("a", 0, 1), read(None, 2, 3)]), "a lost write"
    assert not linearizable([write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)]), "an old value comes back"
    assert not linearizable([read("a", 0, 1), write("a", 2, 3)]), "read before it was written"
    assert not linearizable([write("a", 0, 9), read("a", 1, 2), read(None, 3, 4)]), "seen, and then not"
    assert not linearizable([write("a", 0, 1), write("b", 2), read("b", 3, 4), read("a", 5, 6)]), "undone after a kill"


def test_a_long_history_is_judged_in_time() -> None:
    ops = [op for n in range(200) for op in (write(f"w{n}", n, n + 0.5), read(f"w{n}", n + 0.6, n + 0.9))]
    unheard = [write(f"u{n}", n + 0.1) for n in range(0, 200, 5)]
    assert linearizable([*ops, *unheard])
    assert not linearizable([*ops, *unheard, read("w3", 190.95, 190.99)])
