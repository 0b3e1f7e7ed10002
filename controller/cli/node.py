"""`node`: the nodes of a swarm, and how one is emptied for maintenance and taken back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

import click

from controller.cli.api import Api, Json, speaks
from controller.cli.flags import output_flag, yes_flag
from controller.cli.output import can_ask, linger, print_data, print_lines, print_table
from controller.cli.users import spelled
from controller.cli.words import BAD, GOOD, QUIET, WAITING, Cell, failure, number, when
from controller.sizes import bytes_size

LOOK_SECONDS = 1.0


@click.group("node")
def node_command() -> None:
    """Show the nodes of a swarm; have one's sessions move to others for its maintenance, and take it back.

    \b
    Examples:
      matlabctl node list
      matlabctl node drain n2
      matlabctl node activate n2
    """


@node_command.command("list")
@speaks
@output_flag
def list_nodes(api: Api, output: str) -> None:
    """Show the nodes: whether they take sessions, whose are there, and what is reserved of them.

    \b
    Examples:
      matlabctl node list
      matlabctl node list -o json | jq '.nodes[] | select(.name == "n2").sessions'
    """
    answer = api.get("/v1/nodes", "nodes")
    if output != "table":
        print_data(answer, output)
        return
    if not answer["nodes"]:
        click.echo("There are no nodes: the engine is one host's.")
        return
    now = datetime.now(UTC)
    heads = ("NODE", "ADDRESS", "ROLE", "STATE", "TAKES SESSIONS", "SESSIONS", "CPUS RESERVED", "MEMORY RESERVED")
    print_table(heads, [_row(each, now) for each in answer["nodes"]])
    print_lines(*_under_way(answer))


@node_command.command("drain")
@click.argument("name")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is empty.")
@yes_flag
@speaks
@output_flag
def drain(api: Api, name: str, no_wait: bool, yes: bool, output: str) -> None:
    """Have a node's sessions move to others, some at a time (setting `swarm_moves`), and let it take no more.

    Each is restarted: what it has in memory is lost, files stay. A session for which no other node has room goes on
    where it is, and so do those of paused users; who is left is shown with why. Ctrl-C ends only the waiting.

    \b
    Examples:
      matlabctl node drain n2
      matlabctl node drain n2 --no-wait --yes
    """
    before = _node(api.get("/v1/nodes", "nodes"), name)
    if before["sessions"] and not (yes or output != "table") and can_ask():
        there = f"{number(len(before['sessions']), 'session')}, of users {spelled(before['sessions'])},"
        click.confirm(f"{there} will be restarted on other nodes. Do it?", abort=True)
    told = api.send("POST", f"/v1/nodes/{quote(name, safe='')}/drain").body
    if output != "table":
        print_data(told, output)
        return
    print_lines(f"{told['name']} takes no more sessions.")
    for line in () if no_wait else _until_empty(api, told["id"]):
        print_lines(line)


@node_command.command("activate")
@click.argument("name")
@speaks
@output_flag
def activate(api: Api, name: str, output: str) -> None:
    """Let a node take sessions again; those that are still on it stay.

    \b
    Example:
      matlabctl node activate n2
    """
    told = api.send("POST", f"/v1/nodes/{quote(name, safe='')}/activate").body
    if output != "table":
        print_data(told, output)
        return
    print_lines((f"{told['name']} takes sessions.", GOOD))


def _until_empty(api: Api, node_id: str) -> Iterator[Cell]:
    """Who is left and why, whenever that changes, until no session is there or somebody takes the node back."""
    last: list[Cell] = []
    while True:
        answer = api.get("/v1/nodes", "nodes")
        node = _node(answer, node_id)
        left = node["sessions"]
        if not left:
            yield (f"{node['name']} is empty.", GOOD)
            return
        if not node["leaving_since"]:
            yield (f"{node['name']} takes sessions again: {number(len(left), 'session')} stay.", WAITING)
            return
        lines = _left(api, answer, node)
        yield from (line for line in lines if line not in last)
        last = lines
        linger(LOOK_SECONDS)


def _left(api: Api, answer: Json, node: Json) -> list[Cell]:
    """How many there are, who is on the way or waits for that, and of all others why they stay."""
    users = {each["user_id"]: each for each in api.get("/v1/users", "users")["users"]}
    stay: dict[str, list[int]] = defaultdict(list)
    goes: list[int] = []
    for user_id in node["sessions"]:
        why = _stays(users[user_id]) if user_id in users else ""
        (stay[why] if why else goes).append(user_id)
    line = f"{number(len(node['sessions']), 'session')} on {node['name']}"
    for what, ids in ((", on the way", answer["moving"]), ("; waiting for their turn", answer["waiting"])):
        if there := [user_id for user_id in ids if user_id in goes]:
            line += f"{what}: {spelled(there)}"
    return [line, *((f"  still there: {spelled(ids)}. {why}", WAITING) for why, ids in stay.items())]


def _stays(user: Json) -> str:
    """Why this user's session is not moved, in a sentence; empty where it is, or is to be."""
    there = (user["observed"]["container"] or {}).get("node")
    if there and there["lost"]:
        lost: str = there["lost"]
        return lost
    return "Paused: `matlabctl resume` lets it go." if user["paused"] else failure(user["progress"])


def _node(answer: Json, name: str) -> Json:
    found: list[Json] = [each for each in answer["nodes"] if name in (each["id"], each["name"])]
    if len(found) != 1:
        names = ", ".join(each["name"] for each in answer["nodes"]) or "none: the engine is one host's"
        how = f"Several nodes are named {name}; say which by its id" if found else f"There is no node {name}"
        raise click.ClickException(f"{how}. There are {names}.")
    return found[0]


def _row(node: Json, now: datetime) -> tuple[Cell, ...]:
    return (
        node["name"],
        node["address"] or "-",
        node["role"],
        _state(node, now),
        _takes(node, now),
        str(len(node["sessions"])),
        f"{node['reserved_cpus']:g} of {node['cpus']:g}",
        f"{bytes_size(node['reserved_memory'])} of {bytes_size(node['memory'])}",
    )


def _state(node: Json, now: datetime) -> Cell:
    said: str = node["state"]
    return (said, GOOD) if said == "ready" else (f"{said} since {when(node['updated_at'], now)}", BAD)


def _takes(node: Json, now: datetime) -> Cell:
    if node["leaving_since"]:
        return (f"to be empty since {when(node['leaving_since'], now)}", WAITING)
    said: str = node["availability"]
    words: dict[str, Cell] = {"active": "yes", "pause": ("no: paused", WAITING), "drain": ("no: drained", QUIET)}
    return words.get(said, said)


def _under_way(answer: Json) -> Iterator[Cell]:
    if answer["moving"]:
        yield f"On the way to another node: {spelled(answer['moving'])}."
    if answer["waiting"]:
        yield f"Waiting for their turn, {answer['moves_at_once']} at a time: {spelled(answer['waiting'])}."
