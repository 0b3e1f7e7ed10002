"""How commands talk to the running controller: with its client, and a sentence for whatever goes wrong."""

from __future__ import annotations

import getpass
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click

from controller import client
from controller.cli.failures import Another, Refused, Unreachable, Wrong
from controller.cli.flags import Command, config_flag, load_settings, server_flag
from controller.client import Answer, Client, Patience
from controller.client.calls import with_query
from controller.events import EventKind
from controller.logs import printable
from controller.plain import timestamp
from controller.settings import Settings
from controller.sources import TOKEN_VARIABLE
from controller.tokens import local_token

ONCE = Patience(again=())
"""Whoever types sees at once that nothing answers."""

Json = Mapping[str, Any]


class Api:
    """What the controller answers is taken as it is, since `-o json` shows it so, also that of another version."""

    def __init__(self, server: str, token: str = "", certificate: Path | None = None) -> None:
        """`certificate`: the controller's own, where it is known.

        Raises:
            UsageError: there can be nothing at `server`.
        """
        self.server = server
        self._person = _login()
        try:
            self._client = Client(server, token=token, certificate=certificate, patience=ONCE)
        except ValueError as error:
            told = f"--server must be an address such as http://127.0.0.1:8080, not '{server}'."
            raise click.UsageError(told) from error

    def get(self, path: str, key: str, **query: object) -> Json:
        """The answer's body, which has `key`; a query of `None` is left out.

        Raises:
            Refused: the controller said no.
            Unreachable: nothing answers, or something that is not this controller.
        """
        body = self._call("GET", with_query(path, **query)).body
        if key not in body:
            raise Unreachable(f"What answers at {self.server} is not this controller: {path} says nothing of `{key}`.")
        return body

    def send(self, method: str, path: str, body: Json | None = None) -> Answer:
        """Change something. Raises Refused and Unreachable, as `get`."""
        return self._call(method, path, body)

    def follow(self, after: int, user_id: int | None, kinds: Sequence[EventKind]) -> Iterator[Json]:
        """What happens after this event, as it happens, without end. Raises Refused and Unreachable, as `get`."""
        with _in_our_words("/v1/events"):
            for each in self._client.under(self._caller()).follow_events(user_id, after, kinds):
                yield {**each, "at": timestamp(each["at"])}

    def _call(self, method: str, path: str, body: Json | None = None) -> Answer:
        with _in_our_words(path):
            return self._client.under(self._caller()).call(method, path, body)

    def _caller(self) -> str:
        """The id of this call; what it changes is remembered under it, so it says whose hand it was."""
        return f"matlabctl:{self._person}:{secrets.token_hex(3)}"


@contextmanager
def _in_our_words(path: str) -> Iterator[None]:
    """Raises what the client raises as an end of this command."""
    try:
        yield
    except client.Refused as error:
        raise Refused(_sentence(path, error.body), error.status, error.body) from error
    except client.NotThisController as error:
        raise Another(str(error)) from error
    except client.Unreachable as error:
        raise Unreachable(f"{error} Start one with `matlabctl serve`, or look with `matlabctl doctor`.") from error


def speaks(command: Command) -> Command:
    """Give a command `--server` and `--config`, and in their place the `api` that they lead to."""

    @server_flag
    @config_flag
    @wraps(command)
    def with_api(*args: Any, server: str | None, config: Path | None, **rest: Any) -> Any:
        return command(*args, api=api_at(server, config), **rest)

    return with_api


def api_at(server: str | None, config: Path | None) -> Api:
    """The one that `--server` names, else the one that the settings lead to."""
    return Api(server, _given_token()) if server else api_here(load_settings(config, {}).settings)


def api_here(settings: Settings) -> Api:
    """The controller of these settings, with this machine's own token where it may be read: no other gets to see it."""
    token = _given_token() or (local_token(settings.state_dir) if settings.api_locked else "")
    return Api(settings.api_url, token, settings.api_tls_cert)


def _given_token() -> str:
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    if re.fullmatch(r"[!-~]*", given) is None:
        raise Wrong(f"{TOKEN_VARIABLE} is no token.")
    return given


def _sentence(path: str, content: Json) -> str:
    """What the controller said, and what to do where it told."""
    user = re.match(r"/v1/users/([0-9]+)", path)
    if user and content.get("code") == "not_found":
        return f"User {user[1]} is not in the desired state; `matlabctl create {user[1]}` would give them a session."
    parts = dict.fromkeys(str(content[name]) for name in ("error", "details", "hint") if content.get(name))
    if content.get("code") == "unauthorized":
        parts |= {f"`matlabctl` takes the token from {TOKEN_VARIABLE}": None}
    return printable(" ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts))


def _login() -> str:
    """Who types, as far as ids may say it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id that nobody has named
        name = str(os.getuid())
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:64]
