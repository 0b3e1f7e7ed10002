"""Splicing one key into or out of a text: each layout that people write has its row, and nothing else moves."""

from __future__ import annotations

import pytest

from controller import yamltext


def put(text: str, path: str, value: str) -> str:
    return yamltext.put(text, tuple(path.split("/")), value, rank=lambda key: int(key) if key.isdigit() else 1000)


def drop(text: str, path: str) -> str:
    return yamltext.drop(text, tuple(path.split("/")))


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        # a value there is replaced, quotes and all
        ("a: 1  # c\nb: 2\n", "a", "a: V  # c\nb: 2\n"),
        ('a: "1"# c\n', "a", "a: V # c\n"),
        ("a: 'x\n  y'\nb: 2", "a", "a: V\nb: 2"),
        ("a:   # c\nb: 2\n", "a", "a: V   # c\nb: 2\n"),
        ("{1, 2 }", "1", "{1: V, 2 }"),
        ("{1: , 2}", "1", "{1: V , 2}"),
        # a new key takes its place among the others
        ("1: x\n9: y\n", "5", "1: x\n5: V\n9: y\n"),
        ("1: x\n# of nine\n9: y\n", "5", "1: x\n5: V\n# of nine\n9: y\n"),
        ("5: x\n9: y\n", "1", "1: V\n5: x\n9: y\n"),
        ("1: x\n5: y", "9", "1: x\n5: y\n9: V"),
        ("1: x\r\n5: y\r\n", "9", "1: x\r\n5: y\r\n9: V\r\n"),
        ("1: x\n5:\n   a: b # c\n\n# d\n...\n", "9", "1: x\n5:\n   a: b # c\n9: V\n\n# d\n...\n"),
        ("9: x\n3: y\n", "5", "5: V\n9: x\n3: y\n"),
        ("\ufeff9: x\n", "5", "\ufeff5: V\n9: x\n"),
        ("u:  # c\n    # of five\n    5: x\n", "u/1", "u:  # c\n    1: V\n    # of five\n    5: x\n"),
        ("{1: x, 9: y}", "5", "{1: x, 5: V, 9: y}"),
        ("{5: x}", "1", "{1: V, 5: x}"),
        ("{1: x,}", "5", "{1: x, 5: V,}"),
        ("{1: {a: b},  # c\n}", "5", "{1: {a: b}, 5: V,  # c\n}"),
        # the first key of a mapping
        ("u: {}  # c\nz: 1\n", "u/5", "u:  # c\n  5: V\nz: 1\n"),
        ("u:\nz: 1\n", "u/5", "u:\n  5: V\nz: 1\n"),
        ("u: ~", "u/5", "u:\n  5: V"),
        ("u: { # c\n}\n", "u/5", "u: {5: V # c\n}\n"),
        ("u: {# c\n}\n", "u/5", "u: {5: V # c\n}\n"),
        ("u:\n  {}\n", "u/5", "u:\n  {5: V}\n"),
        ("u:\n  null\n", "u/5", "u:\n  {5: V}\n"),
        ("{u: {}}", "u/5", "{u: {5: V}}"),
        ("{u}", "u/5", "{u: {5: V}}"),
        ("u:\n  5: # c\n  6: x\n", "u/5/a", "u:\n  5: {a: V} # c\n  6: x\n"),
        ("u: {5, 6}", "u/5/a", "u: {5: {a: V}, 6}"),
        ("u:\n  5: {}\n", "u/5/a", "u:\n  5: {a: V}\n"),
    ],
)
def test_put(text: str, path: str, expected: str) -> None:
    assert put(text, path, "V") == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("1: x\n2: y  # c\n3: z\n", "2", "1: x\n3: z\n"),
        ("1: x\n2:\n  a: b\n  # in two\n  c: d\n# of three\n3: z\n", "2", "1: x\n# of three\n3: z\n"),
        ("1: x\r\n2: y", "2", "1: x\r\n"),
        ("u:  # c\n  # d\n  5: x\nz: 1\n", "u/5", "u: {}  # c\n  # d\nz: 1\n"),
        ("{1: x, 2: y, 3: z}", "1", "{2: y, 3: z}"),
        ("{1: x, 2: y, 3: z}", "2", "{1: x, 3: z}"),
        ("{1: x, 2: y, 3: z }", "3", "{1: x, 2: y }"),
        ("{1: x}", "1", "{}"),
        ("{1: x, 2: y,}", "2", "{1: x, }"),
        ("{\n  1: x,  # one\n  2: y   # two\n}", "1", "{\n  2: y   # two\n}"),
        ("{\n  1: x,  # one\n  2: y   # two\n}", "2", "{\n  1: x,  # one\n}"),
        ("{\n  1: x\n  # a, b\n  , 2: y\n}", "1", "{\n  # a, b\n   2: y\n}"),
        ("{\n  1: x   # a, b\n}", "1", "{\n}"),
        ("{\n  1: x\n  # a, b\n}", "1", "{\n  # a, b\n}"),
        ("{1: x # one\n, 2: y}", "1", "{ # one\n 2: y}"),
        ("a: 1\n", "b", "a: 1\n"),
        ("a: 1\n", "a/b", "a: 1\n"),
    ],
)
def test_drop(text: str, path: str, expected: str) -> None:
    assert drop(text, path) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n", "a: 1\n...\n"),
        ("a: 1", "a: 1\n...\n"),
        ("a: 1\r\nb: 2", "a: 1\r\nb: 2\r\n...\r\n"),
        ("a: 1 # c", "a: 1 # c\n...\n"),
        ("a: 1\n...", "a: 1\n..."),
        ("a: 1\n...  # c\n\n", "a: 1\n...  # c\n\n"),
        ("a: '\n  ...'\n", "a: '\n  ...'\n...\n"),
    ],
)
def test_end_mark(text: str, expected: str) -> None:
    assert yamltext.with_end_mark(text) == expected


@pytest.mark.parametrize(
    "name", ["yes", "No", "null", "true", "on", "1e3", "a: b", "a #b", "", "é", 'a"b', "a\nb", "-", "0x1"]
)
def test_words_that_need_quotes(name: str) -> None:
    written = yamltext.word(name)
    assert written.startswith('"')
    root = yamltext.read(f"a: {written}\n").root
    assert isinstance(root, yamltext.Mapping)
    assert isinstance(value := root.entries[0].value, yamltext.Scalar)
    assert (value.text, value.kind) == (name, "str")


def test_words_that_need_none() -> None:
    assert [yamltext.word(name) for name in ("large", "r2024b-gpu", "GPU_2")] == ["large", "r2024b-gpu", "GPU_2"]


def test_new_entries_at_one_place_stand_in_their_order() -> None:
    new = {str(n): lambda _, n=n: f"{n}: {{}}" for n in (1, 2, 7, 8)}
    changed = yamltext.rewrite("users:\n  3: {}\n  9: {}\n", "users", {**new, "3": lambda _: ""}, int)
    assert changed == "users:\n  1: {}\n  2: {}\n  7: {}\n  8: {}\n  9: {}\n"


def test_a_new_entry_stands_behind_what_stays_and_not_behind_what_goes() -> None:
    text = "users:\n  # those of the first row\n  1: {}\n  3: {}\n"
    by_lines = yamltext.rewrite(text, "users", {"1": lambda _: "", "2": lambda _: "2: {}"}, int)
    assert by_lines == "users:\n  2: {}\n  # those of the first row\n  3: {}\n"
    assert by_lines == put(drop(text, "users/1"), "users/2", "{}")
