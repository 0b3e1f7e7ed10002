"""The commands that follow what happens: `events`, the controller's account, and `logs`, a session's own output."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from controller.cli.api import Api, Json, speaks
from controller.cli.failures import Refused
from controller.cli.flags import output_flag
from controller.cli.output import linger, print_data, print_lines
from controller.cli.users import Users, users_argument
from controller.cli.words import BAD, WAITING, hand, moment
from controller.logs import printable

FOLLOW_SECONDS = 0.5
EVENT_COLOURS = {"ActionFailed": BAD, "EngineLost": BAD, "Merged": WAITING, "Held": WAITING, "SessionLost": WAITING}
EVENT_HANG = 21
"""Columns that an event's further lines stand in: below its user."""
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

    With --follow, `-o json` is one object a line.

    \b
    Examples:
      matlabctl logs 7
      matlabctl logs 7 -f
      matlabctl logs 7 -n 1000 | grep -i error
    """
    if follow and output == "yaml":
        raise click.UsageError("--follow prints lines, or objects with -o json.")
    path = f"/v1/users/{user}/logs"
    if output != "table" and not follow:
        print_data(api.get(path, "lines", tail=tail), output)
        return
    seen = api.get(path, "lines", tail=max(tail, WINDOW))["lines"]
    _print_log(user, seen[-tail:], output)
    try:
        while follow:
            linger(FOLLOW_SECONDS)
            try:
                found = api.get(path, "lines", tail=max(tail, WINDOW))["lines"]
            except Refused as error:  # between two containers there is none
                if error.status != 404:
                    raise
                continue
            _print_log(user, new_lines(seen, found), output)
            seen = found
    except KeyboardInterrupt:
        return


@click.command("events")
@users_argument(required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as they happen, until Ctrl-C.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many of the last ones."
)
@speaks
@output_flag
def events_command(api: Api, users: Users, follow: bool, limit: int, output: str) -> None:
    """Show what happened, oldest first: wishes and who wrote them, actions, conflicts, brake, sessions, engine.

    USER is a number, a range, a list; none means all. With --follow, `-o json` is one object a line.

    \b
    Examples:
      matlabctl events
      matlabctl events 7 -f
      matlabctl events -n 1000 -o json | jq '.events[] | select(.kind == "brake")'
    """
    if follow and output == "yaml":
        raise click.UsageError("--follow prints lines, or objects with -o json.")
    one = users[0] if users is not None and len(users) == 1 else None
    found = api.get("/v1/events", "events", user_id=one, limit=limit)["events"]
    last = max((each["id"] for each in found), default=0)
    if output != "table" and not follow:
        print_data({"events": _of(users, found)}, output)
        return
    if not found and not follow:
        click.echo("Nothing has happened yet." if users is None else "Nothing has happened to these users yet.")
        return
    _print_events(_of(users, found), output)
    try:
        while follow:
            linger(FOLLOW_SECONDS)
            found = api.get("/v1/events", "events", user_id=one, after=last, limit=10_000)["events"]
            last = max((last, *(each["id"] for each in found)))
            _print_events(_of(users, found), output)
    except KeyboardInterrupt:
        return


def _of(users: Users, events: Sequence[Json]) -> list[Json]:
    return [each for each in events if users is None or each["user_id"] in users]


def _print_events(events: Sequence[Json], output: str) -> None:
    for each in events:
        if output == "json":
            click.echo(json.dumps(each, ensure_ascii=False))
            continue
        who = f"user {each['user_id']}" if each["user_id"] else "-"
        colour = EVENT_COLOURS.get(each["reason"], "")
        at = f"{moment(each['at']).astimezone():%Y-%m-%d %H:%M:%S}"
        told = f"{at}  {who:<8}  {each['reason']:<15} {hand(each['message'])}"
        print_lines((told, colour), hang=EVENT_HANG)
    sys.stdout.flush()


def new_lines(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """Those of `now` that came after `before`: both are the last so many lines of a log; `now` may be a new log's."""
    for overlap in range(min(len(before), len(now)), 0, -1):
        if before[-overlap:] == now[:overlap]:
            return now[overlap:]
    return now


def _print_log(user: int, lines: Sequence[str], output: str) -> None:
    for line in lines:
        if output == "json":
            click.echo(json.dumps({"user_id": user, "line": line}, ensure_ascii=False))
        else:
            click.echo(printable(line.expandtabs()))
    sys.stdout.flush()
