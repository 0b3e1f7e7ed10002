"""The commands that let and hold: `approve` and `reject` what the brake holds, `pause` and `resume` the controller."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from controller.cli.api import Api, Json, speaks
from controller.cli.output import print_lines, print_table
from controller.cli.users import Users, spelled, users_argument
from controller.cli.words import GOOD, WAITING, hand, when

yes_flag = click.option("-y", "--yes", is_flag=True, help="Do not ask. (Where there is no terminal, nobody is asked.)")


@click.command("approve")
@yes_flag
@speaks
def approve_command(api: Api, yes: bool) -> None:
    """Let pass what the brake holds: a change of the desired state that would end many sessions at once.

    \b
    Examples:
      matlabctl status
      matlabctl approve
    """
    pending = _pending(api)
    if _may(pending, yes, "Let it pass?"):
        body = api.send("POST", "/v1/approve", {"id": pending["id"]}).body
        print_lines((f"Approved: generation {body['generation']} is in force.", GOOD))


@click.command("reject")
@yes_flag
@speaks
def reject_command(api: Api, yes: bool) -> None:
    """Drop what the brake holds; the desired state stays as it is.

    A file that was edited is set aside under another name, and the text in force put in its place.

    \b
    Example:
      matlabctl reject
    """
    pending = _pending(api)
    if _may(pending, yes, "Drop it?"):
        api.send("POST", "/v1/reject", {"id": pending["id"]})
        print_lines(("Rejected: the desired state is as it was.", GOOD))


def _pending(api: Api) -> Json:
    found: Json | None = api.get("/v1/status", "pending")["pending"]
    if found is None:
        raise click.ClickException("Nothing waits for approval.")
    return found


def _may(pending: Json, yes: bool, question: str) -> bool:
    print_table(("", ""), pending_rows(pending, datetime.now(UTC)))
    if not yes and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm(question, abort=True)
    return True


def pending_rows(pending: Json, now: datetime) -> list[tuple[str, str]]:
    """What waits, as rows of a table without heads."""
    ends = {"removes": "users", "stops": "users", "remakes": "users"}
    rows = [
        ("waits", f"since {when(pending['since'], now)}, by {hand(pending['writer'])}"),
        ("why", pending["why"]),
    ]
    return rows + [(kind, f"{what} {spelled(pending[kind])}") for kind, what in ends.items() if pending.get(kind)]


@click.command("pause")
@users_argument(required=False)
@speaks
def pause_command(api: Api, users: Users) -> None:
    """Do nothing to containers until `resume`, whatever is wanted: of these users, or of all where none is named.

    Sessions go on and are watched and shown. It is written into the desired state as `paused: true`.

    \b
    Examples:
      matlabctl pause 7
      matlabctl pause            nobody's container is touched any more
    """
    _switch(api, users, "pause", ("Paused", WAITING))


@click.command("resume")
@users_argument(required=False)
@speaks
def resume_command(api: Api, users: Users) -> None:
    """Take up again what `pause` has stopped: of these users, or of all where none is named.

    \b
    Examples:
      matlabctl resume 7
      matlabctl resume
    """
    _switch(api, users, "resume", ("Resumed", GOOD))


def _switch(api: Api, users: Users, verb: str, told: tuple[str, str]) -> None:
    body = api.send("POST", f"/v1/{verb}", {} if users is None else {"user_ids": list(users)}).body
    who = "everything" if users is None else f"{'user' if len(users) == 1 else 'users'} {spelled(users)}"
    print_lines((f"{told[0]} {who}: generation {body['generation']}.", told[1]))
