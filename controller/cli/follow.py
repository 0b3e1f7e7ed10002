"""The commands that follow what happens: `events`, the controller's account, and `logs`, a session's own output."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial

import click

from controller.cli.api import Api, Json, speaks
from controller.cli.failures import Another, Refused, Unreachable
from controller.cli.flags import output_flag
from controller.cli.output import as_it_comes, linger, print_data, print_lines
from controller.cli.users import Users, users_argument
from controller.cli.words import BAD, WAITING, hand, moment
from controller.events import EventKind, EventReason
from controller.logs import printable

FOLLOW_SECONDS = 0.5
AGAIN_SECONDS = 1.0
"""Between two attempts to reach a controller that was there before."""
EVENT_COLOURS = {
    **dict.fromkeys((EventReason.ACTION_FAILED, EventReason.LOST, EventReason.REFUSED), BAD),
    **dict.fromkeys((EventReason.OPEN, EventReason.GAVE_UP), BAD),
    **dict.fromkeys((EventReason.MERGED, EventReason.HELD, EventReason.NOT_READY, EventReason.OVER_QUOTA), WAITING),
}
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
@click.option(
    *("-k", "--kind", "words"),
    type=click.Choice([kind.value for kind in EventKind]),
    multiple=True,
    help="Only events of this kind; it may stand there again.",
)
@speaks
@output_flag
def events_command(api: Api, users: Users, follow: bool, limit: int, words: Sequence[str], output: str) -> None:
    """Show what happened, oldest first: wishes and who wrote them, actions, conflicts, brake, sessions, engine.

    USER is a number, a range, a list; none means all. With --follow, `-o json` is one object a line, and where the
    controller is stopped and started meanwhile, what it did then is shown as well.

    \b
    Examples:
      matlabctl events
      matlabctl events 7 -f
      matlabctl events -k action -k session -f -o json | jq --unbuffered .message
      matlabctl events -o json | jq '.events[] | select(.request_id == "a-42")'
    """
    if follow and output == "yaml":
        raise click.UsageError("--follow prints lines, or objects with -o json.")
    one = users[0] if users is not None and len(users) == 1 else None
    kinds = [EventKind(word) for word in words]
    found = api.get("/v1/events", "events", user_id=one, limit=limit, kind=kinds)["events"]
    if output != "table" and not follow:
        print_data({"events": _of(users, found)}, output)
        return
    if not found and not follow:
        what = "Nothing of this kind" if kinds else "Nothing"
        click.echo(f"{what} has happened yet." if users is None else f"{what} has happened to these users yet.")
        return
    _print_events(_of(users, found), output)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for each in _following(api, max((each["id"] for each in found), default=0), one, kinds):
                _print_events(_of(users, [each]), output)


def _following(api: Api, last: int, user_id: int | None, kinds: Sequence[EventKind]) -> Iterator[Json]:
    """Without end, whatever becomes of the controller meanwhile. Raises Another: it is none."""
    told = ""
    while True:
        try:
            for each in as_it_comes(partial(api.follow, last, user_id, kinds)):
                last, told = each["id"], ""
                yield each
        except Another:
            raise
        except Unreachable as error:
            if told != error.message:
                told = error.message
                click.echo(f"{told} It is tried again until it can be.", err=True)
            linger(AGAIN_SECONDS)


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
