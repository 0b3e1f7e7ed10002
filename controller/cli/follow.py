"""`logs`: a session's own output, from its last lines on."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click

from controller.cli.api import Api, speaks
from controller.cli.failures import Refused
from controller.cli.flags import output_flag
from controller.cli.output import print_data
from controller.logs import printable

FOLLOW_SECONDS = 0.5
WINDOW = 1000
"""Lines that are asked for each time while following; who writes more between two looks loses some."""


@click.command("logs")
@click.argument("user", type=click.IntRange(1, 999))
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come, until Ctrl-C.")
@click.option(
    "-n", "--tail", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Lines to begin with."
)
@speaks
@output_flag
def logs_command(api: Api, user: int, follow: bool, tail: int, output: str) -> None:
    """Print what a session's container wrote: its service, its interpreter's start and end.

    \b
    Examples:
      matlabctl logs 7
      matlabctl logs 7 -f
      matlabctl logs 7 -n 1000 | grep -i error
    """
    path = f"/v1/users/{user}/logs"
    if output != "table":
        if follow:
            raise click.UsageError("--follow prints lines; leave -o out.")
        print_data(api.get(path, "lines", tail=tail), output)
        return
    seen = api.get(path, "lines", tail=max(tail, WINDOW))["lines"]
    _print(seen[-tail:])
    try:
        while follow:
            time.sleep(FOLLOW_SECONDS)
            try:
                found = api.get(path, "lines", tail=max(tail, WINDOW))["lines"]
            except Refused as error:  # between two containers there is none
                if error.status != 404:
                    raise
                continue
            _print(new_lines(seen, found))
            seen = found
    except KeyboardInterrupt:
        return


def new_lines(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """Those of `now` that came after `before`: both are the last so many lines of a log; `now` may be a new log's."""
    for overlap in range(min(len(before), len(now)), 0, -1):
        if before[-overlap:] == now[:overlap]:
            return now[overlap:]
    return now


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(printable(line.expandtabs()))
    sys.stdout.flush()
