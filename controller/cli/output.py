"""How commands print: aligned tables for people, JSON and YAML for programs.

Into a pipe every row is one line however long; on a terminal long cells wrap. No text from outside reaches the
terminal as a control sequence.
"""

from __future__ import annotations

import errno
import json
import os
import select
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

import click
import yaml
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from controller.cli.words import Cell
from controller.logs import printable

PIPE_WIDTH = 10_000
USUAL = 80
WIDE = 132
"""From this many columns on there is room for a description beside a value."""

LOOK_SECONDS = 0.5
"""So long it takes at most until it is seen that the reader has gone."""

Row = Sequence[Cell]
T = TypeVar("T")


def print_data(data: object, form: str) -> None:
    """`data` as `json` or `yaml`."""
    if form == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        click.echo(yaml.dump(data, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=PIPE_WIDTH), nl=False)


class _Readable(yaml.SafeDumper):
    """Texts of several lines stay such."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _block)


def print_table(heads: Sequence[str], rows: Iterable[Row]) -> None:
    """`rows` below `heads`, unless all are empty. A line break in a cell is kept; a row's name is never folded."""
    screen = console()
    if on_terminal():
        screen.print(table(heads, rows))
        return
    with screen.capture() as filled:  # up to the width of each column
        screen.print(table(heads, rows))
    click.echo("\n".join(line.rstrip() for line in filled.get().rstrip("\n").split("\n")))


def print_lines(*lines: Cell, wrap: bool = True, hang: int = 0) -> None:
    """Each on a line of its own, wrapped between words on a terminal, unless it is quoted from a text.

    What is wrapped goes on `hang` columns from the left.
    """
    screen = console()
    for line in map(_text, lines):
        first = line.wrap(screen, screen.width)[0] if hang and line else line
        screen.print(first, soft_wrap=not wrap)
        if len(first) < len(line):
            rest = len(line) - len(line.plain[len(first) :].lstrip())
            screen.print(Padding(line[rest:], (0, 0, 0, hang)))


def table(heads: Sequence[str], rows: Iterable[Row]) -> Table:
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0), show_header=any(heads))
    for place, head in enumerate(heads):
        made.add_column(head, overflow="fold", no_wrap=place == 0)
    for row in rows:
        made.add_row(*(_text(cell) for cell in row))
    return made


def is_wide() -> bool:
    return console().width >= WIDE


def on_terminal() -> bool:
    return sys.stdout.isatty()


def can_ask() -> bool:
    """Somebody reads what is asked, and can answer."""
    return sys.stdin.isatty() and on_terminal()


def linger(seconds: float) -> None:
    """Wait between two looks; ends a command whose reader has gone (`matlabctl list -w | head`), as a write would."""
    reader = select.poll()
    reader.register(sys.stdout.fileno(), 0)  # no event but hang-up and error, which need no asking for
    if reader.poll(seconds * 1000):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def as_it_comes(source: Callable[[], Iterator[T]]) -> Iterator[T]:
    """What a source gives that may be silent for long; ends a command whose reader has gone meanwhile, as `linger`."""
    found: SimpleQueue[T | Exception] = SimpleQueue()

    def take() -> None:
        try:
            for each in source():
                found.put(each)
        except Exception as error:  # noqa: BLE001 - it is raised below
            found.put(error)

    Thread(target=take, daemon=True).start()  # it ends with the command
    while True:
        try:
            each = found.get(timeout=LOOK_SECONDS)
        except Empty:
            linger(0)
            continue
        if isinstance(each, Exception):
            raise each
        yield each


def console() -> Console:
    width = None if on_terminal() else PIPE_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def _text(cell: Cell) -> Text:
    words, colour = (cell, "") if isinstance(cell, str) else cell
    return Text("\n".join(printable(line) for line in words.split("\n")), style=colour)
