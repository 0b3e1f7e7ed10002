"""How commands talk to the running controller: one request, one JSON answer, and a sentence for whatever goes wrong.

Asked directly, whatever proxy the environment names.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import click

from controller.cli.failures import Refused, Unreachable
from controller.cli.flags import Command, config_flag, load_settings, server_flag
from controller.logs import printable

LOOK_TIMEOUT = 10.0
"""Seconds; an answer takes milliseconds."""
CHANGE_TIMEOUT = 330.0
"""Seconds; a change is answered when it took effect, or after the controller's `create_timeout_seconds`."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json


class Api:
    def __init__(self, server: str) -> None:
        self.server = server
        self._person = _login()
        self._kind, self._host, self._port = _address(server)

    def get(self, path: str, key: str, **query: object) -> Json:
        """The answer's body, which has `key`; a query of `None` is left out.

        Raises:
            Refused: the controller said no.
            Unreachable: nothing answers, or something that is not this controller.
        """
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        body = self._call("GET", f"{path}?{asked}" if asked else path, None, LOOK_TIMEOUT).body
        if key not in body:
            raise Unreachable(f"What answers at {self.server} is not this controller: {path} says nothing of `{key}`.")
        return body

    def send(self, method: str, path: str, body: Json | None = None) -> Answer:
        """Change something. Raises Refused and Unreachable, as `get`."""
        return self._call(method, path, body, CHANGE_TIMEOUT)

    def _call(self, method: str, path: str, body: Json | None, timeout: float) -> Answer:
        headers = {"Accept": "application/json", "X-Request-ID": self._caller()} | (
            {} if body is None else {"Content-Type": "application/json"}
        )
        raw = None if body is None else json.dumps(body).encode()
        try:
            connection = self._kind(self._host, self._port, timeout=timeout)
            connection.request(method, path, body=raw, headers=headers)
            response = connection.getresponse()
            content = json.loads(response.read())
        except (OSError, HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(
                f"No controller can be reached at {self.server}: {why}. "
                "Start one with `matlabctl serve`, or look with `matlabctl doctor`."
            ) from error
        except ValueError as error:
            raise Unreachable(
                f"What answers at {self.server} is not this controller: {path} is not JSON there."
            ) from error
        if not isinstance(content, dict) or (response.status >= 400 and "error" not in content):
            raise Unreachable(f"What answers at {self.server} is not this controller: {path} is another's answer.")
        if response.status >= 400:
            raise Refused(_sentence(path, content), response.status, content)
        return Answer(response.status, content)

    def _caller(self) -> str:
        """The id of this call; what it changes is remembered under it, so it says whose hand it was."""
        return f"matlabctl:{self._person}:{secrets.token_hex(3)}"


def speaks(command: Command) -> Command:
    """Give a command `--server` and `--config`, and in their place the `api` that they lead to."""

    @server_flag
    @config_flag
    @wraps(command)
    def with_api(*args: Any, server: str | None, config: Path | None, **rest: Any) -> Any:
        return command(*args, api=Api(server or load_settings(config, {}).settings.api_url), **rest)

    return with_api


def _sentence(path: str, content: Json) -> str:
    """What the controller said, and what to do where it told."""
    user = re.match(r"/v1/users/([0-9]+)", path)
    if user and content.get("code") == "not_found":
        return f"User {user[1]} is not in the desired state; `matlabctl create {user[1]}` would give them a session."
    parts = dict.fromkeys(str(content[name]) for name in ("error", "details", "hint") if content.get(name))
    return printable(" ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts))


def _login() -> str:
    """Who types, as far as ids may say it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id that nobody has named
        name = str(os.getuid())
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:64]


def _address(server: str) -> tuple[Callable[..., HTTPConnection], str, int | None]:
    try:
        url = urlsplit(server)
        kind = {"http": HTTPConnection, "https": HTTPSConnection}[url.scheme]
        if url.hostname and url.path in ("", "/"):
            return kind, url.hostname, url.port
    except (KeyError, ValueError):  # another scheme; a port that is none
        pass
    raise click.UsageError(f"--server must be an address such as http://127.0.0.1:8080, not '{server}'.")
