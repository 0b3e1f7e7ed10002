"""The commands that change what is wanted of users: `create`, `start`, `stop`, `restart`, `destroy`.

Each writes the wish through the API, as one change however many users it is for, and waits until it can be seen to be
fulfilled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from controller.cli.api import Api, Json, speaks
from controller.cli.crew import Deed, carry_out
from controller.cli.flags import output_flag, yes_flag
from controller.cli.output import can_ask
from controller.cli.users import Users, chosen, ids_of, spelled, users_argument
from controller.cli.words import condition, moment

WAIT = 120
ENDED = (None, "created", "exited", "dead")
"""Docker's words for a container in which no session is."""


def acts(command: Callable[..., Any]) -> Callable[..., Any]:
    """What these commands share."""
    waits = click.option(
        "--wait",
        type=click.FloatRange(0, 3600),
        default=WAIT,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for its effect; 0: not at all.",
    )
    decorated: Callable[..., Any] = users_argument()(waits(speaks(output_flag(command))))
    return decorated


@click.command("create")
@click.option("--profile", metavar="NAME", help="Kind of session, one of the operator's profiles.")
@click.option("--session-id", metavar="TEXT", help="What the caller calls this session.")
@acts
def create_command(
    api: Api, users: Users, wait: float, output: str, profile: str | None, session_id: str | None
) -> None:
    """Give users a session and wait until it can be used. USER is a number, a range or a list: 7, 1-5,9.

    Who has one keeps it; one that is stopped is started.

    \b
    Examples:
      matlabctl create 7
      matlabctl create 1-5,9 --profile large
      matlabctl create 7 --session-id abc-123 --wait 0
    """
    if users is None:
        raise click.UsageError("`create` cannot know who all are; name them, such as 1-30.")

    given = {"profile": profile, "session_id": session_id}
    entry = {"state": None} | {name: value for name, value in given.items() if value is not None}
    carry_out(api, users, Deed("creating", entry, _ready, new=True), wait, output)


@click.command("start")
@acts
def start_command(api: Api, users: Users, wait: float, output: str) -> None:
    """Start stopped sessions and wait until they can be used. USER is a number, a range, a list, or `all`.

    Only of users in the desired state; `create` takes in new ones.

    \b
    Examples:
      matlabctl start 7
      matlabctl start all
    """
    carry_out(api, ids_of(users, api), Deed("starting", {"state": None}, _ready), wait, output)


@click.command("stop")
@acts
def stop_command(api: Api, users: Users, wait: float, output: str) -> None:
    """Stop sessions and keep their containers. USER is a number, a range, a list, or `all`.

    What a session holds in memory is lost; files stay.

    \b
    Examples:
      matlabctl stop 7
      matlabctl stop 1-5,9
      matlabctl stop all
    """
    carry_out(api, ids_of(users, api), Deed("stopping", {"state": "stopped"}, _ended), wait, output)


@click.command("restart")
@acts
def restart_command(api: Api, users: Users, wait: float, output: str) -> None:
    """Restart sessions and wait until they can be used again. USER is a number, a range, a list, or `all`.

    What a session holds in memory is lost; files stay.

    \b
    Examples:
      matlabctl restart 7
      matlabctl restart 1-5,9
    """
    entry = {"state": None, "restart_at": "now"}
    carry_out(api, ids_of(users, api), Deed("restarting", entry, _restarted, anew=True), wait, output)


@click.command("destroy")
@yes_flag
@acts
def destroy_command(api: Api, users: Users, wait: float, output: str, yes: bool) -> None:
    """Take users out of the desired state and remove their containers. USER is a number, a range, a list, or `all`.

    What a session holds in memory is lost. Files are never deleted: who is created again finds them.

    \b
    Examples:
      matlabctl destroy 7
      matlabctl destroy 1-5,9 --yes
    """
    known = api.get("/v1/users", "users")["users"]
    ids = users if users is not None else tuple(each["user_id"] for each in known)
    if not yes and can_ask() and ids:
        running = sum(each["observed"]["status"] == "running" for each in chosen(ids, known))
        what = f"container of user {ids[0]}" if len(ids) == 1 else f"containers of users {spelled(ids)}"
        ends = {0: "none runs", 1: "1 session runs and ends"}.get(running, f"{running} sessions run and end")
        click.confirm(f"Remove the {what}? {ends[0].upper()}{ends[1:]}; files stay.", abort=True)

    carry_out(api, ids, Deed("removing", None, _gone), wait, output)


def _ready(user: Json | None) -> str:
    return "ready" if user and condition(user, "Ready")["status"] == "True" else ""


def _restarted(user: Json | None) -> str:
    container = user["observed"]["container"] if user else None
    if not user or not user["desired"] or not container or not container["started_at"]:
        return ""
    again = moment(container["started_at"]) >= moment(user["desired"]["restart_at"])
    return _ready(user) if again else ""


def _ended(user: Json | None) -> str:
    seen = user is not None and not user["observed"].get("stale")
    return "stopped" if user and seen and user["observed"]["status"] in ENDED else ""


def _gone(user: Json | None) -> str:
    return "removed; its files stay" if user is None else ""
