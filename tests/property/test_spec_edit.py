"""An edit of the desired state's text says what it should and leaves every other line as it was, in any layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from types import MappingProxyType
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from controller import merge, spec
from controller.model import DesiredState, RunState, Wish

T = TypeVar("T")
NAMES = ["standard", "large", "no", "1e3", "null", "ünï", "it's", 'a"b', "x: y", "a # b", "-", "true"]
moments = st.integers(0, 2**42).map(
    lambda ms: datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
)
session_ids = st.text("aZ09-_.:@", min_size=1, max_size=12)
wishes = st.builds(
    Wish,
    state=st.none() | st.sampled_from(RunState),
    profile=st.none() | st.sampled_from(NAMES),
    session_id=st.none() | session_ids,
    restart_at=st.none() | moments,
    paused=st.booleans(),
)
states = st.builds(
    lambda generation, default, users, paused: DesiredState(
        generation, default, MappingProxyType(dict(sorted(users.items()))), paused
    ),
    st.integers(0, 10**12),
    st.none() | st.sampled_from(NAMES),
    st.dictionaries(st.integers(1, 999), wishes, max_size=8),
    st.booleans(),
)


@dataclass
class Laid:
    """A text in the making: lines, and for each the user whom it speaks of."""

    lines: list[tuple[str, object]]
    line_break: str

    @property
    def text(self) -> str:
        return self.line_break.join(line for line, _ in self.lines)


class Layout:
    """Writes a state the way some person might."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._lines: list[tuple[str, object]] = []
        self._comments = 0

    def lay(self, state: DesiredState) -> Laid:
        self._filler()
        if self._chance():
            self._line("---")
        sections = ["version", "users"]
        sections += ["generation"] * bool(state.generation) + ["defaults"] * bool(state.default_profile)
        sections += ["paused"] * (state.paused or self._chance())
        for section in self._shuffled(sections):
            match section:
                case "version":
                    self._line(f"{self._key('version')}:{self._space()}1{self._trailer()}")
                case "generation":
                    self._line(f"{self._key('generation')}: {state.generation}{self._trailer()}", "generation")
                case "paused":
                    switch = "true" if state.paused else "false"
                    self._line(f"{self._key('paused')}: {switch}{self._trailer()}", "paused")
                case "defaults":
                    self._line(f"defaults: {{profile: {self._scalar(str(state.default_profile))}}}", "defaults")
                case _:
                    self._users(state)
            self._filler()
        if self._chance():
            self._line("..." + self._trailer())
        if self._chance():
            self._line("")
        return Laid(self._lines, self._pick(["\n", "\r\n"]))

    def _users(self, state: DesiredState) -> None:
        if not state.users:
            self._line(
                self._key("users") + ":" + self._pick(["", " ~", " {}", " {  } ", "   null"]) + self._trailer(), "users"
            )
            return
        ids = self._shuffled(sorted(state.users)) if self._chance() else sorted(state.users)
        style = self._pick(["block", "flow", "lines"])
        if style == "flow":
            entries = ", ".join(f"{i}:{self._space()}{self._flow(state.users[i])}" for i in ids)
            self._line(
                f"users: {{{self._gap()}{entries}{self._gap()}{self._pick(['', ','])}}}{self._trailer()}", "users"
            )
        elif style == "lines":
            self._line("users: {", "users")
            for i in ids:
                comma = "," if i != ids[-1] else self._pick(["", ","])
                self._line(f"    {i}: {self._flow(state.users[i])}{comma}{self._trailer()}", "users")
                self._filler()
            self._line("  }", "users")
        else:
            self._line(f"users:{self._trailer()}", "users")
            indent = " " * self._pick([1, 2, 4, 8])
            for i in ids:
                self._filler()
                self._block_entry(indent, i, state.users[i])

    def _block_entry(self, indent: str, user_id: int, wish: Wish) -> None:
        fields = self._fields(wish)
        if not fields:
            self._line(f"{indent}{user_id}:{self._pick(['', ' {}', ' ~', '    { }'])}{self._trailer()}", user_id)
        elif self._chance():
            self._line(f"{indent}{user_id}: {self._flow(wish)}{self._trailer()}", user_id)
        else:
            self._line(f"{indent}{user_id}:{self._trailer()}", user_id)
            for key, value in fields:
                self._line(f"{indent}   {self._key(key)}: {value}{self._trailer()}", user_id)
                if self._chance():
                    self._line(f"{indent}   # {self._comment()}", user_id)

    def _flow(self, wish: Wish) -> str:
        return "{" + self._gap() + ", ".join(f"{key}: {value}" for key, value in self._fields(wish)) + self._gap() + "}"

    def _fields(self, wish: Wish) -> list[tuple[str, str]]:
        fields = [
            ("state", wish.state and self._pick([str(wish.state), f'"{wish.state}"'])),
            ("profile", wish.profile and self._scalar(wish.profile)),
            ("session_id", wish.session_id and self._scalar(wish.session_id)),
            ("restart_at", wish.restart_at and spec.format_instant(wish.restart_at)),
            ("paused", "true" if wish.paused else self._pick(["", "false"])),
        ]
        return [(key, str(value)) for key, value in self._shuffled(fields) if value]

    def _scalar(self, value: str) -> str:
        single = "'" + value.replace("'", "''") + "'"
        double = '"' + value.replace('"', '\\"') + '"'
        return self._pick([single, double, *(["large"] if value == "large" else [])])

    def _key(self, key: str) -> str:
        return self._pick([key, f'"{key}"', f"'{key}'"])

    def _line(self, line: str, owner: object = None) -> None:
        self._lines.append((line, owner))

    def _filler(self) -> None:
        for _ in range(self._pick([0, 0, 1, 2])):
            self._line(self._pick(["", "  ", f"# {self._comment()}", f"      # {self._comment()}"]))

    def _trailer(self) -> str:
        return self._pick(["", "", "  ", f"   # {self._comment()}"])

    def _comment(self) -> str:
        self._comments += 1
        return self._pick(["users: {5: {}}, ?", "é 😀 }", "'\"", "x" * 120]) + f" {self._comments}"

    def _gap(self) -> str:
        return self._pick(["", " "])

    def _space(self) -> str:
        return self._pick([" ", "   "])

    def _chance(self) -> bool:
        return self._random.random() < 0.5

    def _pick(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def _shuffled(self, items: Sequence[T]) -> list[T]:
        return self._random.sample(items, len(items))


laid_out = st.builds(lambda state, seed: (Layout(seed).lay(state), state), states, st.integers(0, 2**32))


@st.composite
def changes(draw: st.DrawFn) -> tuple[Laid, DesiredState, DesiredState]:
    laid, before = draw(laid_out)
    users = dict(before.users)
    ids = sorted(users)
    for _ in range(draw(st.integers(1, 3))):
        user_id = draw(st.sampled_from(ids)) if bool(ids) and draw(st.booleans()) else draw(st.integers(1, 999))
        wish = draw(st.none() | wishes)
        if wish is not None and user_id in users and draw(st.booleans()):
            wish = replace(users[user_id], **{draw(st.sampled_from(["state", "profile", "restart_at"])): None})
        if wish is None:
            users.pop(user_id, None)
        else:
            users[user_id] = wish
    default = draw(st.just(before.default_profile) | st.sampled_from([None, "large"]))
    after = DesiredState(
        before.generation + 1, default, MappingProxyType(dict(sorted(users.items()))), draw(st.booleans())
    )
    return laid, before, after


@given(laid_out)
def test_each_layout_is_read_as_what_it_says(case: tuple[Laid, DesiredState]) -> None:
    laid, state = case
    assert spec.parse(laid.text, max_users=999, profiles=NAMES) == state


@given(changes())
def test_an_edit_says_the_new_and_keeps_every_other_line(case: tuple[Laid, DesiredState, DesiredState]) -> None:
    laid, before, after = case
    edited = spec.edit(laid.text, before, after)
    assert spec.parse(edited, max_users=999, profiles=NAMES, end_mark=True) == after
    touched = {*spec.changed_users(before, after), "users", "generation", "paused", "defaults"}
    untouched = [line for line, owner in laid.lines if owner not in touched and line.strip()]
    left = iter(edited.split(laid.line_break))
    assert all(any(line == kept for kept in left) for line in untouched), f"a line was lost or moved in\n{edited}"
    if laid.line_break == "\r\n":
        assert edited.count("\n") == edited.count("\r\n")


@given(changes())
def test_an_edit_of_one_user_in_a_block_touches_no_neighbour(case: tuple[Laid, DesiredState, DesiredState]) -> None:
    laid, before, after = case
    after = replace(before, users=after.users)
    edited = spec.edit(laid.text, before, after)
    ids = {owner for _, owner in laid.lines if isinstance(owner, int)}
    if not ids or not after.users:
        return
    touched = spec.changed_users(before, after)
    untouched = [line for line, owner in laid.lines if owner not in touched and line.strip()]
    left = iter(edited.split(laid.line_break))
    assert all(any(line == kept for kept in left) for line in untouched), f"a line was lost or moved in\n{edited}"
    assert len(edited) <= len(laid.text) + 120 * len(touched) + 10


@given(changes())
def test_many_edits_at_once_are_what_they_are_one_by_one(case: tuple[Laid, DesiredState, DesiredState]) -> None:
    laid, before, after = case
    text, at_once = laid.text, spec.edit(laid.text, before, replace(after, generation=before.generation))
    step = before
    for user_id in spec.changed_users(before, after):
        then = step.with_entry(user_id, after.users.get(user_id))
        text, step = spec.edit(text, step, then), then
    rest = replace(after, generation=before.generation)
    assert spec.edit(text, step, rest) == at_once


@given(st.sampled_from(range(1, 101)), wishes)
def test_a_hundred_users_of_whom_one_changes(user_id: int, wish: Wish) -> None:
    lines = [f"  {i}: {{session_id: s-{i}}}   # the seat of number {i}\n" for i in range(1, 101)]
    text = "version: 1\ngeneration: 1\nusers:\n" + "".join(lines) + "...\n"
    before = spec.parse(text, max_users=100, profiles=None)
    after = replace(before, generation=2, users=MappingProxyType({**before.users, user_id: wish}))
    edited = spec.edit(text, before, after).splitlines(keepends=True)
    assert len(edited) == 104
    different = [
        n for n, (old, new) in enumerate(zip(text.splitlines(keepends=True), edited, strict=True)) if old != new
    ]
    assert set(different) <= {1, user_id + 2}


@given(states, states, states)
def test_a_merge_loses_nothing_without_saying_so(base: DesiredState, ours: DesiredState, theirs: DesiredState) -> None:
    merged, conflicts = merge.merge(base, ours, theirs)
    told = {conflict.user_id for conflict in conflicts}
    for user_id in ours.users.keys() | theirs.users.keys() | base.users.keys():
        was, our, their = (side.users.get(user_id) for side in (base, ours, theirs))
        if their == was:
            assert merged.users.get(user_id) == our
        elif our == was:
            assert merged.users.get(user_id) == their
        elif merged.users.get(user_id) not in (our, their) and user_id not in told:
            assert our is not None
            assert their is not None, "only two changed entries can both live on"


@given(states, states)
def test_a_merge_from_the_current_state_takes_the_newer_text(ours: DesiredState, theirs: DesiredState) -> None:
    assert merge.merge(ours, ours, theirs) == (replace(theirs, generation=ours.generation), ())
