"""YAML text with places: what stands where, and how to change one spot and leave every other byte alone.

It reads the modest YAML that people write by hand (mappings and scalars) into a small tree that knows the place of
each part in the text, and refuses what would make a text mean something other than it seems: aliases, tags, duplicate
keys. `put` and `drop` splice one key into or out of a text at those places. What the keys mean is left to `spec.py`.

libyaml does the reading, through PyYAML's event stream: it gives exact places, a bounded depth and, at 1 to 2 ms for
100 users, a cost that an API call can bear twice. See docs/decisions/0010-splice-the-text-at-yaml-marks.md.
"""

from __future__ import annotations

import bisect
import functools
import json
import re
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Mapping_
from dataclasses import dataclass

import yaml
from yaml.resolver import Resolver

from controller.errors import Problem

MAX_DEPTH = 8
_BYTE_ORDER_MARK = "\ufeff"
_CONFLICT = re.compile(r"^(<{7}|>{7}|\|{7}|={7})(?=\s|$)", re.MULTILINE)
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|\r(?!\n)"
)
_COMMENT = re.compile(r"(?:(?<=\s)|^)#[^\n]*", re.MULTILINE)
_COLON = re.compile(r"[ \t]*:")
_END_MARK = re.compile(r"^\.\.\.(?=\s|\Z)", re.MULTILINE)
"""No scalar, quoted or not, can hold such a line."""
_RESOLVER = Resolver()
_TAG = "tag:yaml.org,2002:"


# ---------------------------------------------------------------- the tree


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: offsets into the text, and line and column of its start, counted from 1."""

    start: int
    end: int
    line: int
    column: int

    def problem(self, message: str) -> Problem:
        return Problem(self.line, self.column, message)


@dataclass(frozen=True, slots=True)
class Scalar:
    place: Place
    text: str
    """What it says, without quotes and escapes."""
    quoted: bool

    @property
    def kind(self) -> str:
        """What YAML 1.1 takes it for: `str`, `int`, `null`, `bool`, `float`, `timestamp`, `merge`, …"""
        return "str" if self.quoted else _kind(self.text)


@dataclass(frozen=True, slots=True)
class Entry:
    key: Scalar
    value: Node
    colon: int
    """Offset just behind the colon, or behind the key where there is no colon, as in `{5, 6}`."""

    @property
    def end(self) -> int:
        """Offset behind the last character of the value, or behind the colon if there is none."""
        return max(self.colon, self.value.place.end if self.value.place.end > self.value.place.start else 0)


@dataclass(frozen=True, slots=True)
class Mapping:
    place: Place
    flow: bool
    """Written in braces."""
    entries: tuple[Entry, ...]

    def find(self, key: str) -> Entry | None:
        return next((e for e in self.entries if e.key.text == key), None)


@dataclass(frozen=True, slots=True)
class Other:
    """A node that has no use in our files: a sequence, an alias, a block of text."""

    place: Place


Node = Scalar | Mapping | Other


@dataclass(frozen=True, slots=True)
class Document:
    root: Node | None
    """`None` if the text says nothing or is no YAML."""
    problems: tuple[Problem, ...]
    end_mark: bool
    """It ends in YAML's own end mark, `...`."""


# ---------------------------------------------------------------- reading


@functools.lru_cache(maxsize=4)
def read(text: str) -> Document:
    """The text as a tree. Problems are collected, not raised; those of syntax end the reading."""
    if bad := _FORBIDDEN.search(text.removeprefix(_BYTE_ORDER_MARK)):
        at = bad.start() + text.startswith(_BYTE_ORDER_MARK)
        return Document(
            None, (_problem_at(text, at, f"the character U+{ord(text[at]):04X} has no place in this file"),), False
        )
    if conflict := _CONFLICT.search(text):
        message = "a git merge conflict was left here: keep the lines that shall hold and delete the marker lines"
        return Document(None, (_problem_at(text, conflict.start(), message),), False)
    return _Reader(text).document()


def _problem_at(text: str, offset: int, message: str) -> Problem:
    line_start = text.rfind("\n", 0, offset) + 1
    return Problem(text.count("\n", 0, offset) + 1, offset - line_start + 1, message)


def _kind(plain: str) -> str:
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, plain, (True, False))  # type: ignore[no-untyped-call]
    return tag.removeprefix(_TAG)


class _Unreadable(Exception):
    """Ends the reading; the problem is already noted."""


class _Reader:
    """Builds the tree of one text from libyaml's events."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._shift = int(text.startswith(_BYTE_ORDER_MARK))
        self._events: Iterator[yaml.Event] = yaml.parse(text[self._shift :], Loader=yaml.CSafeLoader)
        self._problems: list[Problem] = []
        self._behind = 0
        """Offset behind the last thing read."""

    def document(self) -> Document:
        root: Node | None = None
        try:
            for event in self._events:
                match event:
                    case yaml.DocumentStartEvent() if root is not None:
                        self._note(self._place(event), "a second document starts here; the file must hold only one")
                        raise _Unreadable
                    case yaml.NodeEvent():
                        root = self._node(event, self._place(event), 1)
        except yaml.MarkedYAMLError as error:
            self._problems.append(self._syntax_problem(error))
            root = None
        except _Unreadable:
            root = None
        return Document(root, tuple(self._problems), _END_MARK.search(self._text) is not None)

    def _node(self, event: yaml.Event, place: Place, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self._note(place, f"nested more than {MAX_DEPTH} levels deep")
            raise _Unreadable
        match event:
            case yaml.ScalarEvent():
                self._refuse_properties(place, event)
                return self._scalar(event, place)
            case yaml.MappingStartEvent():
                self._refuse_properties(place, event)
                return self._mapping(event, place, depth)
            case yaml.SequenceStartEvent():
                self._refuse_properties(place, event)
                while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                    self._node(item, self._place(item), depth + 1)
            case _:
                self._note(place, "aliases (`*name`) are not used in this file; write the value out")
        return Other(place)

    def _refuse_properties(self, place: Place, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._note(place, "anchors (`&name`) are not used in this file")
        if event.tag is not None:
            self._note(place, "tags (`!name`) are not used in this file")

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> Node:
        self._behind = place.end
        if event.style in ("|", ">"):
            self._note(place, "blocks of text (`|` and `>`) are not used in this file")
            return Other(place)
        return Scalar(place, event.value, bool(event.style))

    def _mapping(self, start: yaml.MappingStartEvent, place: Place, depth: int) -> Mapping:
        entries: list[Entry] = []
        lines: dict[str, int] = {}
        self._behind = place.end
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            place = self._place(event)
            gap = self._text[self._behind : place.start]
            if "?" in gap and "?" in _COMMENT.sub("", gap):
                self._note(place, "keys marked by `?` are not used in this file")
            key = self._node(event, place, depth + 1)
            if isinstance(key, Scalar):
                colon = self._behind = self._behind_colon(key.place.end)
            event = next(self._events)
            value = self._node(event, self._place(event), depth + 1)
            if not isinstance(key, Scalar):
                self._note(key.place, "a key must be a single word or number")
            elif key.text == "<<" and not key.quoted:
                self._note(key.place, "merge keys (`<<`) are not used in this file; write the fields out")
            elif key.text in lines:
                self._note(key.place, f"`{key.text}` stands here a second time; the first is in line {lines[key.text]}")
            else:
                lines[key.text] = key.place.line
                entries.append(Entry(key, value, colon))
        end = self._behind = self._place(event).end if start.flow_style else entries[-1].end if entries else place.end
        return Mapping(Place(place.start, end, place.line, place.column), bool(start.flow_style), tuple(entries))

    def _behind_colon(self, key_end: int) -> int:
        colon = _COLON.match(self._text, key_end)
        return colon.end() if colon else key_end

    def _place(self, event: yaml.Event) -> Place:
        start, end = event.start_mark, event.end_mark
        if start is None or end is None:
            raise AssertionError("libyaml marks every event")
        return Place(start.index + self._shift, end.index + self._shift, start.line + 1, start.column + 1)

    def _note(self, place: Place, message: str) -> None:
        self._problems.append(place.problem(message))

    def _syntax_problem(self, error: yaml.MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        words = [error.problem or "no reason given"]
        if error.context and error.context_mark:
            begun = error.context_mark
            words.insert(0, f"{error.context} that starts at line {begun.line + 1}, column {begun.column + 1},")
        message = f"this cannot be read as YAML: {' '.join(words)}"
        if mark is None:
            return Problem(0, 0, message)
        offset = mark.index + self._shift
        if self._text[offset : offset + 1] == "\t":
            message = "a tab stands where lines are indented; YAML wants spaces"
        elif error.problem == "did not find expected <document start>" and "\n..." in self._text[:offset]:
            message = "this stands behind the line `...`, which ends the file; put it above that line"
        return Problem(mark.line + 1, mark.column + 1, message)


# ---------------------------------------------------------------- writing

Rank = Callable[[str], int]
"""Orders the keys of one mapping: a new key goes in front of the first one that ranks higher."""


def quoted(value: str) -> str:
    """The text as a YAML scalar in double quotes; JSON's escapes are YAML's, too."""
    return json.dumps(value, ensure_ascii=True)


def word(value: str) -> str:
    """The text as a YAML scalar, without quotes where nobody can take it for anything but text."""
    return value if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]+", value) and _kind(value) == "str" else quoted(value)


def put(text: str, path: tuple[str, ...], value: str, rank: Rank) -> str:
    """The text with `value` (YAML, in one line) under the key at the end of `path`; the mapping above must be there.

    A first key under a top-level key that had none begins a block; deeper ones are written in braces.
    """
    root = _root(text)
    owner, node = _walk(root, path[:-1])
    key = path[-1]
    if isinstance(node, Mapping):
        there = node.find(key)
        if there is not None:
            return _replace(text, there, value)
        if node.entries:
            higher = (i for i, entry in enumerate(node.entries) if rank(entry.key.text) > rank(key))
            return _insert(text, owner, node, next(higher, len(node.entries)), f"{key}: {value}")
    if owner is None:
        raise AssertionError("the root of a desired state is a mapping with `version`")
    node_end = owner.end
    if len(path) == 2 and not root.flow and "\n" not in text[owner.colon : node_end]:
        emptied = text[: owner.colon] + text[node_end:]
        return _insert_line(emptied, owner.colon, _indent(text, owner.key) + "  ", f"{key}: {value}")
    if isinstance(node, Mapping):
        return _splice(text, node.place.start + 1, node.place.start + 1, f"{key}: {value}")
    return _replace(text, owner, f"{{{key}: {value}}}")


def drop(text: str, path: tuple[str, ...]) -> str:
    """The text without the key at the end of `path`. A mapping that loses its last key becomes `{}`."""
    owner, node = _walk(_root(text), path[:-1])
    if not isinstance(node, Mapping) or (entry := node.find(path[-1])) is None:
        return text
    if node.flow:
        return _drop_from_braces(text, node, node.entries.index(entry))
    cut = text[: _line_start(text, entry.key.place.start)] + text[_line_end(text, entry.end) :]
    return _splice(cut, owner.colon, owner.colon, " {}") if owner and len(node.entries) == 1 else cut


Rewrite = Callable[[str], str]
"""An entry's own lines, as they shall be: empty to drop it. Of one that is not there yet, from nothing to its text."""


def rewrite(text: str, owner: str, entries: Mapping_[str, Rewrite], rank: Rank) -> str | None:
    """Many entries of a top-level block at once, each by its own lines: what `put` and `drop` would do one by one.

    `None` where that cannot be done so: no block, entries out of order, none left of them.
    """
    root = _root(text)
    block = root.find(owner)
    if root.flow or block is None or not isinstance(block.value, Mapping) or block.value.flow:
        return None
    there = {entry.key.text: entry for entry in block.value.entries}
    ranks = [rank(key) for key in there]
    if ranks != sorted(ranks):
        return None
    splices: list[tuple[int, int, str]] = []
    staying = dict(there)
    for key in there.keys() & entries.keys():
        start, end = _line_start(text, there[key].key.place.start), _line_end(text, there[key].end)
        lines = entries[key](text[start:end])
        splices.append((start, end, lines))
        if not lines:
            del staying[key]
    ranks = [rank(key) for key in staying]
    ends = [entry.end for entry in staying.values()]
    for key in sorted(entries.keys() - there.keys(), key=rank):
        index = bisect.bisect(ranks, rank(key))
        end = _line_end(text, ends[index - 1] if index else block.colon)
        if text[end - 1 : end] != "\n":
            return None
        indent = _indent(text, block.value.entries[0].key)
        splices.append((end, end, f"{indent}{entries[key]('')}{_line_break(text, end - 1)}"))
    if not there.keys() - entries.keys():
        return None
    splices.sort(key=lambda splice: splice[:2])
    for start, end, new in reversed(splices):  # the last first, also of those at one place
        text = text[:start] + new + text[end:]
    return text


def with_end_mark(text: str) -> str:
    """The text, ending in a line `...`."""
    if _END_MARK.search(text):
        return text
    line_break = _line_break(text, len(text))
    return f"{text}{'' if text.endswith(chr(10)) else line_break}...{line_break}"


def _root(text: str) -> Mapping:
    root = read(text).root
    if not isinstance(root, Mapping):
        raise TypeError("only a text that was found good can be edited")
    return root


def _walk(root: Mapping, path: tuple[str, ...]) -> tuple[Entry | None, Node]:
    """The entry that owns the node at `path` (`None` for the root), and that node."""
    owner: Entry | None = None
    node: Node = root
    for step in path:
        owner = node.find(step) if isinstance(node, Mapping) else None
        if owner is None:
            raise KeyError(path)
        node = owner.value
    return owner, node


def _replace(text: str, entry: Entry, value: str) -> str:
    place = entry.value.place
    if place.end > place.start:
        return _splice(text, place.start, place.end, value)
    colon = "" if entry.colon > entry.key.place.end else ":"
    return _splice(text, entry.colon, entry.colon, f"{colon} {value}")


def _insert(text: str, owner: Entry | None, mapping: Mapping, index: int, content: str) -> str:
    first = mapping.entries[0].key
    if mapping.flow and index == 0:
        return _splice(text, first.place.start, first.place.start, f"{content}, ")
    if mapping.flow:
        end = mapping.entries[index - 1].end
        return _splice(text, end, end, f", {content}")
    if index == 0 and owner is None:
        return _splice(
            text, first.place.start, first.place.start, content + _line_break(text, 0) + _indent(text, first)
        )
    # Behind the entry before, not in front of the one after: a comment above an entry speaks of that entry.
    behind = mapping.entries[index - 1].end if index or owner is None else owner.colon
    return _insert_line(text, behind, _indent(text, first), content)


def _insert_line(text: str, offset: int, indent: str, content: str) -> str:
    """A new line below the one that `offset` stands in."""
    end = _line_end(text, offset)
    line_break = _line_break(text, offset)
    if text[end - 1 : end] == "\n":
        return text[:end] + indent + content + line_break + text[end:]
    return text + line_break + indent + content


def _drop_from_braces(text: str, mapping: Mapping, index: int) -> str:
    start, end = mapping.entries[index].key.place.start, mapping.entries[index].end
    comma = re.compile(r"(?:\s|#[^\n]*+)*+,").match(text, end)  # possessive: no comma inside a comment
    if comma is None and index:
        behind_previous = mapping.entries[index - 1].end
        if re.fullmatch(r"[ \t]*,[ \t]*", text[behind_previous:start]):
            return text[:behind_previous] + text[end:]
    if comma is not None:
        text = text[: comma.end() - 1] + text[comma.end() :]
    before, behind = text[:start], text[end:]
    line_start = _line_start(text, start)
    rest_of_line = re.compile(r"[ \t]*(#[^\n]*)?\r?\n").match(behind)
    if rest_of_line is not None and not before[line_start:].strip():
        return before[:line_start] + behind[rest_of_line.end() :]
    return before + re.sub(r"^[ \t]+(?!#)", "", behind)


def _splice(text: str, start: int, end: int, new: str) -> str:
    gap = " " if text[end : end + 1] == "#" else ""  # a comment needs a space before it, or it is none
    return text[:start] + new + gap + text[end:]


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1 or int(text.startswith(_BYTE_ORDER_MARK))


def _line_end(text: str, offset: int) -> int:
    """Behind the line break of the line that `offset` stands in."""
    return text.find("\n", offset) + 1 or len(text)


def _line_break(text: str, offset: int) -> str:
    """As that line has it, or the line before where that has none."""
    at = text.find("\n", offset)
    at = at if at >= 0 else text.rfind("\n")
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def _indent(text: str, key: Scalar) -> str:
    return text[_line_start(text, key.place.start) : key.place.start]
