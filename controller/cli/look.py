"""The commands that show how things stand: `status`, `list` (also `get`), `health`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from controller.cli.api import Api, Json, speaks
from controller.cli.brake import pending_rows
from controller.cli.failures import Unreachable
from controller.cli.flags import output_flag
from controller.cli.output import (
    USUAL,
    WIDE,
    Row,
    console,
    is_wide,
    linger,
    on_terminal,
    print_data,
    print_table,
    table,
)
from controller.cli.texts import problem_lines
from controller.cli.users import Users, chosen, spelled, users_argument
from controller.cli.words import (
    BAD,
    GOOD,
    QUIET,
    WAITING,
    Cell,
    age,
    condition,
    number,
    over_quota,
    ready,
    share,
    trouble,
    when,
)
from controller.sizes import bytes_size

FOLLOW_SECONDS = 1.0
NOBODY = "No user has a session, and none is wanted."
STALE = "The engine cannot be reached; this is how it was when it last answered."


@click.command("status")
@speaks
@output_flag
def status_command(api: Api, output: str) -> None:
    """Show how the running controller is doing: the desired state, the engine, the users, the work.

    \b
    Examples:
      matlabctl status
      matlabctl status -o json | jq .queue
      matlabctl status --server http://lab.example.org:8080
    """
    answer = api.get("/v1/status", "desired_state")
    if output != "table":
        print_data(answer, output)
        return
    print_table(("", ""), _status_rows(api.server, answer))


@click.command("list")
@users_argument(required=False)
@click.option("-w", "--watch", is_flag=True, help="Go on showing it as it changes, until Ctrl-C.")
@speaks
@output_flag
def list_command(api: Api, users: Users, watch: bool, output: str) -> None:
    """Show sessions: what is wanted, what is there, what it uses. USER is a number, a range, a list; none means all.

    CPU is in percent of one core, AGE the time since the container was made, UP since the session was started. TROUBLE
    says in one word what is not as wanted; `matlabctl why USER` says it in sentences. From 132 columns on, a terminal
    shows more, below 80 less. `get` is another name of this command.

    \b
    Examples:
      matlabctl list
      matlabctl list 1-5,9 --watch
      matlabctl get -o json | jq '.users[].why'
      matlabctl get -o json > seen.json     (for `matlabctl plan --observed`)
    """
    if watch and output != "table":
        raise click.UsageError("--watch follows the table; leave -o out.")
    if watch:
        (_redraw if on_terminal() else _tell_changes)(api, users)
        return
    answer = api.get("/v1/users", "users")
    listed = chosen(users, answer["users"])
    if output != "table":
        print_data({**answer, "total": len(listed), "users": listed}, output)
        return
    if listed:
        print_table(_heads(), _rows(listed))
    else:
        click.echo(NOBODY if users is None else "None of these users is known.")
    if answer.get("stale"):
        click.echo(STALE, err=True)


@click.command("health")
@users_argument(required=False)
@speaks
@output_flag
def health_command(api: Api, users: Users, output: str) -> None:
    """Tell whether sessions can be used; the exit code is 0 if all that are wanted running are, else 1.

    USER is a number, a range, a list; none means all. Health is asked, not guessed: a real HTTP request and a real
    WebSocket handshake, and what the session tells of its interpreter.

    \b
    Examples:
      matlabctl health
      matlabctl health 7 || matlabctl why 7
      matlabctl health 1-20 -o json | jq '.users[] | select(.healthy | not)'
    """
    answer = api.get("/v1/users", "users")
    documents, stale = {each["user_id"]: each for each in answer["users"]}, bool(answer.get("stale"))
    ids = tuple(documents) if users is None else users
    found = [_health(user_id, documents.get(user_id), stale) for user_id in ids]
    healthy = all(each["healthy"] for each in found)
    if output != "table":
        print_data({"healthy": healthy, "users": found}, output)
    elif found:
        _print_health(found)
    else:
        click.echo(NOBODY)
        if stale:
            click.echo(STALE, err=True)
    sys.exit(0 if healthy else 1)


# ---------------------------------------------------------------- the controller


def _branch(git: Json) -> Cell:
    commit = git["commit"]
    newest = (
        f"commit {commit['id'][:12]} by {commit['author']} at {commit['date']}: {commit['subject']}" if commit else ""
    )
    told = "; ".join(filter(None, (git["state"], newest, git["error"])))
    return (told, GOOD if git["state"] == "synced" else BAD)


def _status_rows(server: str, status: Json) -> list[Row]:
    wish, engine, users, queue = (status[part] for part in ("desired_state", "engine", "users", "queue"))
    rows: list[Row] = [
        ("controller", f"{status['version']}, instance {status['instance']}, {server}"),
        ("desired state", f"generation {status['generation']}, {wish['source']}"),
    ]
    if wish.get("git"):
        rows.append(("branch", _branch(wish["git"])))
    if not wish["valid"] and not status.get("pending"):
        rows.append(("", ("is not valid as it stands now; the last good state stays in force:", BAD)))
        rows += [("", (line, BAD)) for line in problem_lines(wish["source"], wish["problems"])]
    if status.get("paused"):
        rows.append(("", ("everything is paused: nothing is done until `matlabctl resume`", WAITING)))
    if status.get("pending"):
        rows.append(("brake", ("a change waits for `matlabctl approve` or `matlabctl reject`", WAITING)))
        rows += pending_rows(status["pending"], datetime.now(UTC))
    if status.get("policy"):
        rows += _policy_rows(status["policy"])
    if engine["reachable"]:
        rows.append(("engine", f"Docker {engine['version']}"))
    else:
        seen = when(engine["last_seen"], datetime.now(UTC)) if engine["last_seen"] else "never"
        rows.append(("engine", (f"cannot be reached, last seen {seen}: {engine['error']}", BAD)))
    told = (number(count, "container") if kind == "containers" else f"{count} {kind}" for kind, count in users.items())
    rows.append(("users", ", ".join(told)))
    work = ", ".join(
        f"{queue[kind]} {kind.replace('_', ' ')}" for kind in ("queued", "working", "starting", "backing_off")
    )
    rows.append(("work", work))
    if queue["resyncs"]:
        rows.append(("resync", f"{queue['resyncs']} so far, the last in {queue['resync_ms']} ms"))
    return rows


def _policy_rows(policy: Json) -> list[Row]:
    """What is wanted of what the operator allows; nothing where all is allowed."""
    rows: list[Row] = [("policy", policy["standing"])] if policy["standing"] else []
    if policy["exceeded"]:
        more = f"more is wanted than allowed: {policy['exceeded']}; what runs goes on, and nothing may be added"
        rows.append(("", (more, WAITING)))
    return rows


# ---------------------------------------------------------------- the table of users

SLIM = ("ID", "DESIRED", "STATUS", "READY", "TROUBLE")
NARROW = (*SLIM[:4], "CPU", "MEMORY", "AGE", "TROUBLE")
BROAD = (*NARROW[:4], "CPU", "MEMORY", "MEM", "DISK", "AGE", "UP", "PROFILE", "SESSION", "PAGE", "TROUBLE")


def _heads() -> tuple[str, ...]:
    """As many columns as a terminal has room for; narrower, words would be broken."""
    width = console().width
    return BROAD if width >= WIDE else NARROW if width >= USUAL else SLIM


def _rows(users: list[Json]) -> list[Row]:
    now, heads = datetime.now(UTC), _heads()
    cells = [_cells(user, now) for user in users]
    return [[each[head] for head in heads] for each in cells]


def _cells(user: Json, now: datetime) -> dict[str, Cell]:
    observed, desired = user["observed"], user["desired"] or {}
    container, usage = observed["container"] or {}, observed["usage"]
    runs = observed["status"] == "running"
    return {
        "ID": str(user["user_id"]),
        "DESIRED": desired.get("state") or ("-", QUIET),
        "STATUS": observed["status"] or ("-", QUIET),
        "READY": ready(user),
        "CPU": f"{usage['cpu_percent']:.1f}%" if usage else "-",
        "MEMORY": f"{bytes_size(usage['memory'])} / {bytes_size(usage['memory_limit'])}" if usage else "-",
        "MEM": share(usage["memory"], usage["memory_limit"]) if usage else "-",
        "DISK": _disk(user),
        "AGE": age(container.get("created_at"), now),
        "UP": age(container.get("started_at"), now) if runs else "-",
        "PROFILE": desired.get("profile") or "-",
        "SESSION": desired.get("session_id") or "-",
        "PAGE": f"{user['addresses']['host']}:{user['addresses']['http_port']}" if container else "-",
        "TROUBLE": trouble(user),
    }


def _disk(user: Json) -> Cell:
    disk = user["observed"].get("disk")
    return (bytes_size(disk["size"]), WAITING if over_quota(user) else "") if disk else "-"


def _redraw(api: Api, users: Users) -> None:
    """On a terminal: the table in its place, anew each second."""

    def shown() -> Group:
        try:
            answer = api.get("/v1/users", "users")
            note = STALE if answer.get("stale") else ""
            listed = chosen(users, answer["users"])
            room = max(1, console().height - 5)
            body: object = table(_heads(), _rows(listed[:room]))
            if len(listed) > room:
                last = spelled([each["user_id"] for each in listed[room:]])
                note = f"{note} The screen has no room for {last}; name them to see them.".lstrip()
        except Unreachable as error:
            body, note = "", error.message
        stamp = f"{datetime.now():%H:%M:%S}, every {FOLLOW_SECONDS:g} s; Ctrl-C ends"  # noqa: DTZ005 - a wall clock
        return Group(Text(stamp, style=QUIET), Text(note, style=BAD), body)  # type: ignore[arg-type]

    api.get("/v1/users", "users")  # an address that is wrong from the start is an error, not a screen
    try:
        with Live(shown(), console=console(), auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                linger(FOLLOW_SECONDS)
                live.update(shown(), refresh=True)
    except KeyboardInterrupt:
        return


def _tell_changes(api: Api, users: Users) -> None:
    """Into a pipe: a line for each user whose state is another than before."""
    before: dict[int, tuple[str, ...]] = {}
    try:
        while True:
            answer = api.get("/v1/users", "users")
            now = {each["user_id"]: _state_of(each) for each in chosen(users, answer["users"])}
            for user_id in sorted(now.keys() | before.keys()):
                if now.get(user_id) != before.get(user_id):
                    words = now.get(user_id, ("desired=-", "status=-", "ready=no"))
                    click.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} user={user_id} {' '.join(words)}")
            sys.stdout.flush()
            before = now
            linger(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        return


def _state_of(user: Json) -> tuple[str, ...]:
    stands = condition(user, "Ready")
    desired = (user["desired"] or {}).get("state") or "-"
    status = user["observed"]["status"] or "-"
    is_ready = {"True": "yes", "False": "no"}.get(stands["status"], "unknown")
    return (f"desired={desired}", f"status={status}", f"ready={is_ready}", f"reason={stands['reason']}")


# ---------------------------------------------------------------- health


def _health(user_id: int, user: Json | None, stale: bool) -> dict[str, object]:
    if user is None:
        word, there = "unknown user", " and has no container"
        if stale:
            word, there = "unknown", "; whether there is a container is not known, for the engine cannot be reached"
        sentence = f"The user is not in the desired state{there}."
        return {"user_id": user_id, "healthy": False, "health": word, "why": sentence} | dict.fromkeys(
            ("web", "websocket", "interpreter"), "-"
        )
    stands, session = condition(user, "Ready"), condition(user, "SessionReady")
    rests, services = stands["reason"] == "Stopped", user["observed"]["services"]
    usable = stands["status"] == "True" and session["status"] == "True"
    told = user["observed"]["session"]
    return {
        "user_id": user_id,
        "healthy": usable or rests,
        "health": _word(usable, rests, stands["status"]),
        "web": "-" if rests else services["web"],
        "websocket": "-" if rests else services["websocket"],
        "interpreter": told["state"] if told else "-",
        "why": user["why"] if not usable or session["reason"] == "SafeMode" else "",
    }


def _word(usable: bool, rests: bool, is_ready: str) -> str:
    if usable:
        return "healthy"
    return "stopped" if rests else "unknown" if is_ready == "Unknown" else "unhealthy"


def _print_health(found: list[dict[str, object]]) -> None:
    """Where there is no room for a column of sentences, they stand below."""
    heads, rows = ("ID", "HEALTH", "WEB", "WEBSOCKET", "INTERPRETER", "WHY"), [_health_row(each) for each in found]
    if is_wide():
        print_table(heads, rows)
        return
    print_table(heads[:-1], [row[:-1] for row in rows])
    whys = [(f"user {each['user_id']}", str(each["why"])) for each in found if each["why"]]
    if whys:
        click.echo()
        print_table(("", ""), whys)


def _health_row(found: Json) -> Row:
    colour = {"healthy": GOOD, "stopped": QUIET, "unknown": WAITING}.get(found["health"], BAD)
    words = {"healthy": GOOD, "unhealthy": BAD, "unknown": WAITING}
    services = [(found[name], words.get(found[name], QUIET)) for name in ("web", "websocket")]
    return (str(found["user_id"]), (found["health"], colour), *services, found["interpreter"], found["why"])
