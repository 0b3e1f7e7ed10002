"""How commands talk to the running controller: one request, one JSON answer, and a sentence for whatever goes wrong.

Asked directly, whatever proxy the environment names.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import secrets
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import click

from controller.cli.failures import Refused, Unreachable, Wrong
from controller.cli.flags import Command, config_flag, load_settings, server_flag
from controller.logs import printable
from controller.settings import Settings
from controller.sources import TOKEN_VARIABLE
from controller.tokens import local_token

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
    def __init__(self, server: str, token: str = "", certificate: Path | None = None) -> None:
        """`certificate`: the controller's own, where it is known, in place of the authorities that this machine trusts.

        Raises:
            UsageError: there can be nothing at `server`.
        """
        self.server = server
        self._person = _login()
        self._token = token
        self._connect = _way_to(server, certificate)

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
        headers = {"Accept": "application/json", "X-Request-ID": self._caller()}
        headers |= {} if body is None else {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {self._token}"} if self._token else {}
        raw = None if body is None else json.dumps(body).encode()
        try:
            connection = self._connect(timeout)
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


def _way_to(server: str, certificate: Path | None) -> Callable[[float], HTTPConnection]:
    try:
        url = urlsplit(server)
        host, port = url.hostname, url.port
    except ValueError:  # a port that is none
        host, port, url = None, None, urlsplit("")
    match url.scheme:
        case "unix" if not url.netloc and len(url.path) > 1:
            return lambda timeout: _SocketConnection(url.path, timeout)
        case "http" if host and url.path in ("", "/"):
            return lambda timeout: HTTPConnection(host, port, timeout=timeout)
        case "https" if host and url.path in ("", "/"):
            trust = _trust(certificate)
            return lambda timeout: HTTPSConnection(host, port, timeout=timeout, context=trust)
        case _:
            raise click.UsageError(f"--server must be an address such as http://127.0.0.1:8080, not '{server}'.")


def _trust(certificate: Path | None) -> ssl.SSLContext:
    """Of authorities, or of this one certificate, whatever name it is for: we know whose it is."""
    trust = ssl.create_default_context()
    if certificate is not None:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname = False
        trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with contextlib.suppress(OSError):  # then nothing is trusted, and the handshake says so
            trust.load_verify_locations(certificate)
    return trust


class _SocketConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
