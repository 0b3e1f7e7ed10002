"""`audit`: who changed what, from where, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from controller.cli.api import Api, Json, speaks
from controller.cli.flags import output_flag
from controller.cli.output import linger, print_data, print_lines
from controller.cli.words import BAD, hand, moment

LOOK_SECONDS = 0.5
HANG = 21
"""Columns that a record's further lines stand in: below its user."""


@click.command("audit")
@click.argument("user", type=click.IntRange(1, 999), required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as it happens, until Ctrl-C.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many of the last ones."
)
@speaks
@output_flag
def audit_command(api: Api, user: int | None, follow: bool, limit: int, output: str) -> None:
    """Show who changed what, from where and why, oldest first: the desired state, containers by the controller, tokens.

    Of a change of the desired state: the generations before and after, who wrote it (an API call with its token or
    user, `file`, a commit with its author), and what became what. Of a call of the engine: for which generation, and
    why. Of a token: which one, and who on this machine made or revoked it. With --follow, `-o json` is one object a
    line.

    \b
    Examples:
      matlabctl audit
      matlabctl audit 7 -n 1000
      matlabctl audit -f -o json >> audit.jsonl
      matlabctl audit -o json | jq ".records[] | select(.where != \"this machine\")"
    """
    if follow and output == "yaml":
        raise click.UsageError("--follow prints lines, or objects with -o json.")
    found = api.get("/v1/audit", "records", user_id=user, limit=limit)["records"]
    if output != "table" and not follow:
        print_data({"records": found}, output)
        return
    if not found and not follow:
        click.echo("Nothing was changed yet.")
        return
    last = 0
    try:
        while True:
            _print(found, output)
            last = max((last, *(each["id"] for each in found)))
            if not follow:
                return
            linger(LOOK_SECONDS)
            found = api.get("/v1/audit", "records", user_id=user, after=last, limit=10_000)["records"]
    except KeyboardInterrupt:
        return


def _print(records: Sequence[Json], output: str) -> None:
    for each in records:
        if output == "json":
            click.echo(json.dumps(each, ensure_ascii=False))
            continue
        at = f"{moment(each['at']).astimezone():%Y-%m-%d %H:%M:%S}"
        user = f"user {each['user_id']}" if each["user_id"] else "-"
        told = f"{at}  {user:<8}  {each['what']:<15} {_generations(each):<8} {hand(each['why'])}  [{_hand(each)}]"
        print_lines((told, BAD if each["what"] == "ActionFailed" else ""), hang=HANG)
    sys.stdout.flush()


def _generations(each: Json) -> str:
    if each["before"] is not None:
        return f"{each['before']} → {each['generation']}"
    return "-" if each["generation"] is None else str(each["generation"])


def _hand(each: Json) -> str:
    place = each["where"]
    return hand(each["who"]) if place in ("this machine", "git") else f"{hand(each['who'])}, from {place}"
