"""The commands about one user at a time: `describe`, all that is known, and `why`, from the wish to what comes next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import click

from controller.cli.api import Api, Json, speaks
from controller.cli.flags import output_flag
from controller.cli.output import Row, print_data, print_lines, print_table
from controller.cli.texts import problem_lines
from controller.cli.users import Users, ids_of, users_argument
from controller.cli.words import (
    BAD,
    GOOD,
    QUIET,
    WAITING,
    Cell,
    age,
    condition,
    cores,
    failure,
    hand,
    share,
    text_of,
    when,
)
from controller.sizes import bytes_size


@click.command("describe")
@users_argument()
@speaks
@output_flag
def describe_command(api: Api, users: Users, output: str) -> None:
    """Show all that is known of a user's session, with the addresses that open it.

    \b
    Examples:
      matlabctl describe 7
      matlabctl describe 7 -o json | jq .conditions
      matlabctl describe 7 -o json | jq -r .access_url
    """
    _each(api, users, output, _describe)


@click.command("why")
@users_argument()
@speaks
@output_flag
def why_command(api: Api, users: Users, output: str) -> None:
    """Say why a session is as it is, and what happens next.

    The chain: what was asked → what was decided and why → what the engine answered → where it stands → what happens
    next and when; and what else was written and is not in force.

    \b
    Examples:
      matlabctl why 7
      matlabctl why 1-5
      matlabctl why 7 -o json | jq .why
    """

    status = api.get("/v1/status", "desired_state")

    def show(user: Json, now: datetime) -> None:
        events = api.get("/v1/events", "events", user_id=user["user_id"], limit=200)["events"]
        print_lines((f"User {user['user_id']}", "bold"))
        chain = _chain(user, [each for each in events if each["kind"] == "action"], now)
        print_table(("", ""), [*chain, *_beside(user["user_id"], status, now)])

    _each(api, users, output, show)


def _each(api: Api, users: Users, output: str, show: Callable[[Json, datetime], None]) -> None:
    documents = [api.get(f"/v1/users/{user_id}", "conditions") for user_id in ids_of(users, api)]
    if output != "table":
        print_data(documents[0] if len(documents) == 1 else {"users": documents}, output)
        return
    for place, user in enumerate(documents):
        if place:
            click.echo()
        show(user, datetime.now(UTC))


# ---------------------------------------------------------------- describe


def _describe(user: Json, now: datetime) -> None:
    print_lines((f"User {user['user_id']}", "bold"))
    print_table(("", ""), [(name, value) for name, value in _facts(user, now) if value])
    click.echo()
    heads = ("CONDITION", "STATUS", "SINCE", "REASON", "MESSAGE")
    print_table(heads, [_condition_row(each, now) for each in user["conditions"]])
    click.echo()
    print_lines(user["why"])


def _facts(user: Json, now: datetime) -> list[tuple[str, Cell]]:
    observed, progress = user["observed"], user["progress"]
    container, usage, services, told = (observed[name] for name in ("container", "usage", "services", "session"))
    facts: list[tuple[str, Cell]] = [("wanted", _wanted(user["desired"]))]
    if user["desired"]:
        facts.append(("session id", user["desired"]["session_id"] or ""))
        facts.append(("restart", when(user["desired"]["restart_at"], now) if user["desired"]["restart_at"] else ""))
    if container:
        facts += [
            ("container", f"{container['name']}, {container['phase']}, id {container['id'][:12]}"),
            ("node", f"{node['name']} at {node['address']}" if (node := container.get("node")) else ""),
            ("image", container["image"]),
            ("limits", f"{cores(container['cpus'])}, {bytes_size(container['memory'])} memory"),
            ("made", when(container["created_at"], now)),
            ("started", when(container["started_at"], now) if container["started_at"] else "never"),
        ]
    else:
        facts.append(("container", ("none", QUIET) if observed["observed_at"] else ("not seen yet", WAITING)))
    facts += [("page", user["access_url"] or ""), ("websocket", user["ws_url"] or "")]
    if services["checked_at"]:
        words = (
            f"web {services['web']}, websocket {services['websocket']}, asked {age(services['checked_at'], now)} ago"
        )
        facts.append(("services", words))
    if told:
        mode = ", without the user's startup.m" if told["safe_mode"] else ""
        facts += [
            ("interpreter", f"{told['interpreter']}, {told['state']} since {when(told['since'], now)}{mode}"),
            ("last used", when(told["last_activity"], now)),
        ]
    if usage:
        limit = usage["memory_limit"]
        facts += [
            ("cpu", f"{usage['cpu_percent']:.1f}% of one core"),
            ("memory", f"{bytes_size(usage['memory'])} of {bytes_size(limit)} ({share(usage['memory'], limit)})"),
        ]
    if observed.get("disk"):
        facts.append(("disk", _disk(observed["disk"], now)))
    facts += [
        ("paused", ("nothing is done to its container" if user.get("paused") else "", WAITING)),
        ("doing", (progress["doing"], WAITING)),
        ("last done", progress["last"]),
        ("error", (failure(progress), BAD)),
        ("failures", f"{progress['failures']} in a row" if progress["failures"] else ""),
        ("next try", when(progress["next_try"], now) if progress["next_try"] else ""),
        ("generation", f"{user['generation']}, acted on {progress['generation']}"),
    ]
    return [(name, value) for name, value in facts if value and value[0]]


def _disk(disk: Json, now: datetime) -> Cell:
    size, quota = f"{'' if disk['complete'] else 'at least '}{bytes_size(disk['size'])}", disk["quota"]
    part = f" of {bytes_size(quota)} ({share(disk['size'], quota)})" if quota else ""
    return (f"{size}{part}, measured {age(disk['measured_at'], now)} ago", WAITING if disk["over_since"] else "")


def _wanted(desired: Json | None) -> Cell:
    if desired is None:
        return ("nothing: the user is not in the desired state", QUIET)
    resources = desired["resources"]
    if resources is None:
        return (f"{desired['state']}, profile {desired['profile']}, which the settings do not have", BAD)
    kind = f"{resources['image']}, {cores(resources['cpus'])}, {bytes_size(resources['memory'])}"
    return f"{desired['state']}, profile {desired['profile']} ({kind})"


def _condition_row(each: Json, now: datetime) -> Row:
    good = {"Ready": "True", "Stalled": "False", "Degraded": "False", "WithinQuota": "True"}.get(each["type"])
    colour = "" if good is None else WAITING if each["status"] == "Unknown" else GOOD if each["status"] == good else BAD
    return (
        each["type"],
        (each["status"], colour),
        when(each["since"], now).rpartition("(")[2].rstrip(")"),
        each["reason"],
        each["message"],
    )


# ---------------------------------------------------------------- why


def _chain(user: Json, actions: Sequence[Json], now: datetime) -> list[Row]:
    """`actions`: what was done for this user, or failed, oldest first."""
    stands, desired, by = condition(user, "Ready"), user["desired"], user.get("asked")
    asked = "nothing: the user is not in the desired state"
    if desired:
        asked = f"{desired['state']}, profile {desired['profile']}, session id {text_of(desired['session_id'])}"
    who = f", by {hand(by['writer'])} in generation {by['generation']}, {when(by['at'], now)}" if by else ""
    decided, answered = _decided(user["progress"], actions[-1] if actions else None, now)
    colour = {"True": GOOD, "False": BAD if condition(user, "Degraded")["status"] == "True" else ""}
    return [
        ("asked", f"{asked}{who}"),
        ("decided", decided),
        ("the engine", answered),
        ("stands", (f"{stands['message']} [{stands['reason']}]", colour.get(stands["status"], WAITING))),
        ("next", _next(user, stands["message"])),
    ]


def _next(user: Json, stands: str) -> str:
    """The second half of `why`, without the error that the chain has told by then."""
    wrong = failure(user["progress"]).removesuffix(".")
    told: str = user["why"].removeprefix(stands).lstrip("; ")
    return told.replace(f"the last attempt failed ({wrong}), and ", "")


def _beside(user_id: int, status: Json, now: datetime) -> list[Row]:
    """What somebody wrote, and why it is not in force."""
    wish, pending = status["desired_state"], status["pending"]
    if pending:
        ends = {"removes": "remove", "stops": "stop", "remakes": "make anew"}
        what = next((verb for kind, verb in ends.items() if user_id in pending[kind]), None)
        if what is None:
            return []
        by = f"{hand(pending['writer'])}, {when(pending['since'], now)}"
        words = f"a change that would {what} this session, by {by}: `matlabctl approve` lets it pass, `reject` drops it"
        return [("held", (words, WAITING))]
    if wish["valid"]:
        return []
    faults = " ".join(problem_lines(wish["source"], wish["problems"]))
    return [("not taken", (f"what was written last, which may concern this user: {faults}", BAD))]


def _decided(progress: Json, last: Json | None, now: datetime) -> tuple[Cell, Cell]:
    """What was decided and why, and what the engine made of it."""
    wrong = failure(progress)
    if progress["doing"]:
        return progress["doing"], ("nothing yet", WAITING)
    if last is None:
        return "nothing, as far as is remembered", (wrong, BAD) if wrong else "was not asked for anything"
    did = f"{last['message'].removesuffix(': ' + progress['error'])}, {when(last['at'], now)}"
    return did, (wrong, BAD) if wrong else "done"
