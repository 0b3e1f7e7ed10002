"""The commands that let and hold: `approve` and `reject` what the brake holds, `pause` and `resume` the controller."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from controller.cli.api import Api, Json, speaks
from controller.cli.flags import output_flag, yes_flag
from controller.cli.output import can_ask, print_data, print_lines, print_table
from controller.cli.users import Users, spelled, users_argument
from controller.cli.words import GOOD, WAITING, hand, when


@click.command("approve")
@yes_flag
@speaks
@output_flag
def approve_command(api: Api, yes: bool, output: str) -> None:
    """Let pass what the brake holds: a change of the desired state that would end many sessions at once.

    \b
    Examples:
      matlabctl status
      matlabctl approve
    """
    pending = _agreed(api, yes or output != "table", "Let it pass?")
    body = api.send("POST", "/v1/approve", {"id": pending["id"]}).body
    _tell(pending, body, f"Approved: generation {body['generation']} is in force.", output)


@click.command("reject")
@yes_flag
@speaks
@output_flag
def reject_command(api: Api, yes: bool, output: str) -> None:
    """Drop what the brake holds; the desired state stays as it is.

    A file that was edited is set aside under another name, and the text in force put in its place.

    \b
    Example:
      matlabctl reject
    """
    pending = _agreed(api, yes or output != "table", "Drop it?")
    body = api.send("POST", "/v1/reject", {"id": pending["id"]}).body
    _tell(pending, body, "Rejected: the desired state is as it was.", output)
    if pending["source"] == "start" and output == "table":  # nobody remembers who asked for these
        left = f"`matlabctl resume {spelled(pending['removes'])}` has them looked after"
        print_lines((f"Still paused: {_named(pending['removes'])}. {left}.", WAITING))


def _agreed(api: Api, yes: bool, question: str) -> Json:
    """What waits, as whoever sits at a terminal was shown it and said yes to."""
    pending: Json | None = api.get("/v1/status", "pending")["pending"]
    if pending is None:
        raise click.ClickException("Nothing waits for approval.")
    if not yes and can_ask():
        print_table(("", ""), pending_rows(pending, datetime.now(UTC)))
        click.confirm(question, abort=True)
    return pending


def _tell(pending: Json, body: Json, done: str, output: str) -> None:
    if output != "table":
        print_data({**body, "was": pending}, output)
        return
    print_lines(f"It was: {pending['why']}.", (done, GOOD))


def pending_rows(pending: Json, now: datetime) -> list[tuple[str, str]]:
    """What waits, as rows of a table without heads."""
    rows = [
        ("waits", f"since {when(pending['since'], now)}, by {hand(pending['writer'])}"),
        ("why", pending["why"]),
    ]
    return rows + [(kind, _named(pending[kind])) for kind in ("removes", "stops", "remakes") if pending.get(kind)]


def _named(ids: Sequence[int]) -> str:
    return f"{'user' if len(ids) == 1 else 'users'} {spelled(ids)}"


@click.command("pause")
@users_argument(required=False)
@speaks
@output_flag
def pause_command(api: Api, users: Users, output: str) -> None:
    """Do nothing to containers until `resume`, whatever is wanted: of these users, or of all where none is named.

    Sessions go on and are watched and shown. It is written into the desired state as `paused: true`.

    \b
    Examples:
      matlabctl pause 7
      matlabctl pause            nobody's container is touched any more
    """
    _switch(api, users, "pause", "Paused", output)


@click.command("resume")
@users_argument(required=False)
@speaks
@output_flag
def resume_command(api: Api, users: Users, output: str) -> None:
    """Take up again what `pause` has stopped: of these users, or of all where none is named.

    \b
    Examples:
      matlabctl resume 7
      matlabctl resume
    """
    _switch(api, users, "resume", "Resumed", output)


def _switch(api: Api, users: Users, verb: str, done: str, output: str) -> None:
    body = api.send("POST", f"/v1/{verb}", {} if users is None else {"user_ids": list(users)}).body
    if output != "table":
        print_data(body, output)
        return
    who = "everything" if users is None else _named(users)
    print_lines((f"{done} {who}: generation {body['generation']}.", WAITING if verb == "pause" else GOOD))
    if users is not None and verb == "resume" and body["paused"]:
        print_lines(("Everything is still paused: `matlabctl resume` without a user takes that back.", WAITING))
