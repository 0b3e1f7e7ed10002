"""Which users a command is for: `3`, `1-5,9`, several of these, or `all`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from controller.cli.api import Api, Json
from controller.merge import ranges
from controller.spec import MAX_USER_ID

Users = tuple[int, ...] | None
"""Ascending ids; `None` is all of them."""


def users_argument(required: bool = True) -> Callable[[Any], Any]:
    """The argument `users`. Where it is not required, none given means all."""
    metavar = "USER..." if required else "[USER]..."
    return click.argument("users", metavar=metavar, nargs=-1, required=required, callback=_parsed)


def chosen(users: Users, documents: Iterable[Json]) -> list[Json]:
    """Those of the API's user documents that were asked for."""
    return [each for each in documents if users is None or each["user_id"] in users]


def ids_of(users: Users, api: Api) -> tuple[int, ...]:
    """The ids; of `all`, those that are declared or have a container."""
    return tuple(each["user_id"] for each in api.get("/v1/users", "users")["users"]) if users is None else users


def spelled(ids: Sequence[int]) -> str:
    """As commands take them: `1-5,9`."""
    return ranges(sorted(ids)).replace(" ", "")


def _parsed(context: click.Context, _: click.Parameter, words: Sequence[str]) -> Users:
    if not words or list(words) == ["all"]:
        return None
    return tuple(sorted({user_id for word in words for user_id in _range(word, context)}))


def _range(word: str, context: click.Context) -> Iterator[int]:
    for part in word.split(","):
        match = re.fullmatch(r"([1-9][0-9]{0,2})(?:-([1-9][0-9]{0,2}))?", part, re.ASCII)
        if match is None:
            rule = f"numbers from 1 to {MAX_USER_ID}, ranges and lists of them, such as 1-5,9, or `all` alone"
            raise click.UsageError(f"'{word}' names no users; write {rule}.", context)
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise click.UsageError(f"'{part}' runs backwards; write {last}-{first}.", context)
        yield from range(first, last + 1)
