"""`plan`: what would be done and why, by the running controller's account, or offline against a saved observation."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from controller.access import Access
from controller.cli.api import Api, Json, api_at
from controller.cli.failures import SOMETHING_TO_DO, Comparing, Wrong
from controller.cli.flags import config_flag, load_settings, output_flag, server_flag
from controller.cli.output import Row, print_data, print_lines, print_table
from controller.cli.texts import problem_lines, read_text, wish_file
from controller.cli.users import spelled
from controller.cli.words import BAD, GOOD, WAITING, Cell, number
from controller.errors import WishInvalid
from controller.model import Container, Phase, RunState
from controller.outlook import outlook
from controller.settings import Settings
from controller.sites import read_wish, site_of

SIGNS = {
    "create": ("+", GOOD),
    "start": ("+", GOOD),
    "unpause": ("+", GOOD),
    "stop": ("-", BAD),
    "remove": ("-", BAD),
    "none": ("!", BAD),
}
"""By action; any other changes what is there."""


@click.command("plan", cls=Comparing)
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--observed",
    type=click.Path(path_type=Path),
    metavar="SEEN",
    help="Plan without a controller, against what `matlabctl get -o json` printed.",
)
@server_flag
@config_flag
@output_flag
def plan_command(
    file: Path | None, observed: Path | None, server: str | None, config: Path | None, output: str
) -> None:
    """Show what would be done and why: now, or if FILE were the desired state (`-`: standard input).

    Nothing is changed. The exit code is 0 if there is nothing to do, 2 if there is, 1 if FILE or the command is wrong,
    3 if no controller can be reached. With --observed no controller is needed, only the settings here: profiles and
    ports are taken from them.

    \b
    Examples:
      matlabctl plan
      matlabctl plan desired_state.yaml && echo nothing to do
      matlabctl get -o json > seen.json
      matlabctl plan desired_state.yaml --observed seen.json
    """
    if observed is not None:
        settings = load_settings(config, {}).settings
        told: Json = _offline(file or wish_file(settings), observed, settings)
    else:
        api = api_at(server, config)
        told = _of_now(api) if file is None else _of_text(api, file)
    problems, actions = told.get("problems") or [], told["actions"]
    if output != "table":
        print_data(told, output)
    elif problems:
        print_lines(*problem_lines(file, problems))
    else:
        show(told)
    if problems:
        sys.exit(1)
    sys.exit(SOMETHING_TO_DO if actions or told.get("changes") else 0)


def _of_now(api: Api) -> Json:
    return api.get("/v1/plan", "actions")


def _of_text(api: Api, file: Path) -> Json:
    return api.send("POST", "/v1/plan", {"text": read_text(file)}).body


def show(told: Json) -> None:
    """A plan as people read it."""
    actions, changes, held = told["actions"], told.get("changes", []), told.get("held")
    if changes:
        print_lines(("What would change in the desired state:", "bold"))
        print_table(("", "", ""), [_change_row(each) for each in changes])
        click.echo()
    if actions:
        print_lines(("What would be done:", "bold"))
        print_table(("", "", "", ""), [_action_row(each) for each in actions])
        click.echo()
        users = spelled(sorted({each["user_id"] for each in actions}))
        click.echo(f"{number(len(actions), 'action')}, for {'users' if len(users) > 2 else 'user'} {users}.")
    elif changes:
        click.echo("Nothing would have to be done for that.")
    else:
        click.echo("Nothing is to be done: all is as wanted.")
    if held:
        print_lines((f"The brake would hold this: {held}. `matlabctl approve` would then let it pass.", WAITING))


def change_cells(change: Json) -> tuple[Cell, Cell, Cell]:
    """Whose entry it is, what it was, and what it is."""
    before, after = change["before"], change["after"]
    sign = ("+", GOOD) if before is None else ("-", BAD) if after is None else ("~", WAITING)
    who = "all users" if change["user_id"] is None else f"user {change['user_id']}"
    told = after if before is None else before if after is None else f"{before} → {after}"
    return (sign, who, str(told))


def _change_row(change: Json) -> Row:
    return change_cells(change)


def _action_row(action: Json) -> Row:
    sign, colour = SIGNS.get(action["action"], ("~", WAITING))
    return ((sign, colour), f"user {action['user_id']}", (action["action"], colour), action["reason"])


# ---------------------------------------------------------------- without a controller


def _offline(file: Path, observed: Path, settings: Settings) -> dict[str, Any]:
    """As `POST /v1/plan` would answer, but for the brake, which knows the state in force."""
    seen, rested = _seen(observed)
    try:
        state = read_wish(read_text(file).encode(), settings)
    except WishInvalid as error:
        return {"actions": [], "problems": [asdict(each) for each in error.problems]}
    have = {each["user_id"]: _containers(each) for each in seen}
    site = site_of(settings, Access("", settings.session_url))  # a token is no part of what a container is made from
    steps = outlook(state, have, site, datetime.now(UTC), rested)
    return {"generation": state.generation, "actions": [asdict(each) for each in steps], "problems": []}


def _seen(file: Path) -> tuple[Sequence[Json], set[int]]:
    """The users of a saved `matlabctl get -o json`, and who of them was wanted stopped.

    Raises:
        Wrong: it is something else, or too old to know.
    """
    try:
        users: Sequence[Json] = json.loads(read_text(file))["users"]
        stale = [each["user_id"] for each in users if each["observed"].get("stale")]
        rested = {each["user_id"] for each in users if each["desired"] and each["desired"]["state"] == RunState.STOPPED}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Wrong(f"{file} is not what `matlabctl get -o json` prints.") from error
    if stale:
        raise Wrong(f"{file} was saved while the engine was away, so it does not tell what is there. Save it anew.")
    return users, rested


def _containers(user: Json) -> tuple[Container, ...]:
    told = user["observed"]["container"]
    if told is None:
        return ()
    started = told["started_at"]
    known: Mapping[str, Any] = {
        **told,
        "phase": Phase(told["phase"]),
        "created_at": datetime.fromisoformat(told["created_at"]),
        "started_at": started and datetime.fromisoformat(started),
        "user_id": user["user_id"],
        "ours": True,
        "pid": 0,
    }
    try:
        return (Container(**known),)
    except TypeError as error:
        raise Wrong("The saved observation is of another version of matlabctl. Save it anew.") from error
