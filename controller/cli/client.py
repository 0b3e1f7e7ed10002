"""The commands that ask the running controller: `status`, `list`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from controller.cli.failures import Unreachable
from controller.cli.flags import config_flag, load_settings, output_flag, server_flag
from controller.cli.output import print_data, print_table
from controller.logs import printable
from controller.status import bytes_size

TIMEOUT = 10
"""Seconds; an answer takes milliseconds."""

Json = Mapping[str, Any]


@click.command("status")
@server_flag
@config_flag
@output_flag
def status_command(server: str | None, config: Path | None, output: str) -> None:
    """Show how the running controller is doing: the desired state, the engine, the users, the work.

    \b
    Examples:
      matlabctl status
      matlabctl status -o json | jq .queue
      matlabctl status --server http://lab.example.org:8080
    """
    server = server or load_settings(config, {}).settings.api_url
    answer = _ask(server, "/v1/status", "desired_state")
    if output != "table":
        print_data(answer, output)
        return
    print_table(("", ""), _status_rows(server, answer))


@click.command("list")
@server_flag
@config_flag
@output_flag
def list_command(server: str | None, config: Path | None, output: str) -> None:
    """Show every user's session: what is wanted, what is there, and what it uses.

    CPU is in percent of one core. AGE is the time since the container was made.

    \b
    Examples:
      matlabctl list
      matlabctl list -o json | jq '.users[].why'
    """
    answer = _ask(server or load_settings(config, {}).settings.api_url, "/v1/users", "users")
    if output != "table":
        print_data(answer, output)
    elif not answer["users"]:
        click.echo("No user has a session, and none is wanted.")
    else:
        now = datetime.now(UTC)
        heads = ("ID", "CONTAINER", "DESIRED", "STATUS", "READY", "CPU", "MEMORY", "AGE")
        print_table(heads, [_user_row(user, now) for user in answer["users"]])
        if answer.get("stale"):
            click.echo("The engine cannot be reached; this is how it was when it last answered.", err=True)


def _status_rows(server: str, status: Json) -> list[tuple[str, str]]:
    wish, engine, users, queue = (status[part] for part in ("desired_state", "engine", "users", "queue"))
    rows = [
        ("controller", f"{status['version']}, instance {status['instance']}, {server}"),
        ("desired state", f"generation {status['generation']}, {wish['source']}"),
    ]
    if not wish["valid"]:
        rows.append(("", "is not valid as it stands now; the last good state stays in force:"))
        rows += [
            ("", f"{wish['source']}:{each['line']}:{each['column']}: {each['message']}") for each in wish["problems"]
        ]
    if engine["reachable"]:
        rows.append(("engine", f"Docker {engine['version']}"))
    else:
        rows.append(("engine", f"cannot be reached, last seen {engine['last_seen'] or 'never'}: {engine['error']}"))
    rows.append(("users", ", ".join(f"{number} {kind}" for kind, number in users.items())))
    work = ", ".join(
        f"{queue[kind]} {kind.replace('_', ' ')}" for kind in ("queued", "working", "starting", "backing_off")
    )
    rows.append(("work", work))
    if queue["resyncs"]:
        rows.append(("resync", f"{queue['resyncs']} so far, the last in {queue['resync_ms']} ms"))
    return rows


def _user_row(user: Json, now: datetime) -> tuple[str, ...]:
    observed, container, usage = user["observed"], user["observed"]["container"], user["observed"]["usage"]
    ready = next(condition["status"] for condition in user["conditions"] if condition["type"] == "Ready")
    return (
        str(user["user_id"]),
        user["container_id"],
        user["desired"]["state"] if user["desired"] else "-",
        observed["status"] or "-",
        {"True": "yes", "False": "no"}.get(ready, "?"),
        f"{usage['cpu_percent']:.1f}%" if usage else "-",
        f"{bytes_size(usage['memory'])} / {bytes_size(usage['memory_limit'])}" if usage else "-",
        _age(now - datetime.fromisoformat(container["created_at"])) if container else "-",
    )


def _age(length: timedelta) -> str:
    """As kubectl prints it: the largest unit alone."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _ask(server: str, path: str, key: str) -> Json:
    """The controller's answer, which has `key`. Asked directly, whatever proxy the environment names."""
    kind, host, port = _address(server)
    try:
        connection = kind(host, port, timeout=TIMEOUT)
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        content = json.loads(response.read())
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreachable(
            f"No controller can be reached at {server}: {why}. Start one with `matlabctl serve`."
        ) from error
    except ValueError as error:
        raise Unreachable(f"What answers at {server} is not this controller: {path} is not JSON there.") from error
    if isinstance(content, dict) and key in content:
        return content
    if isinstance(content, dict) and "error" in content:
        raise click.ClickException(printable(str(content["error"])))
    raise Unreachable(f"What answers at {server} is not this controller: {path} says nothing of `{key}`.")


def _address(server: str) -> tuple[type[HTTPConnection], str, int | None]:
    try:
        url = urlsplit(server)
        kind = {"http": HTTPConnection, "https": HTTPSConnection}[url.scheme]
        if url.hostname and url.path in ("", "/"):
            return kind, url.hostname, url.port
    except (KeyError, ValueError):  # another scheme; a port that is none
        pass
    raise click.UsageError(f"--server must be an address such as http://127.0.0.1:8080, not '{server}'.")
