"""The settings about the API itself: where it listens, who may call it, and how often. A part of `settings.py`."""

from __future__ import annotations

import ipaddress
import socket
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from controller.fields import (
    Number,
    OnOff,
    OptionalPath,
    Whole,
    clash,
    host_names,
    is_loopback,
    networks,
    setting,
    whole,
    words,
)

UNIX = "unix://"


class ApiSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    api_host: str = setting("127.0.0.1", "Address that the API listens on.", "`localhost` or an IP address")
    api_port: Whole = whole(8080, "TCP port that the API listens on.", 1, 65535)
    api_socket: OptionalPath = setting(
        "",
        "Unix socket that the API listens on instead, with mode 0660: who may write to it may call.",
        "empty, or a path of at most 100 bytes",
    )
    api_tls_cert: OptionalPath = setting(
        "",
        "File with the certificate that the API shows, in PEM with those between it and its authority. Calls then go "
        "by `https`, TLS 1.2 or newer. It is read again when it changes.",
        "empty, or a path",
    )
    api_tls_key: OptionalPath = setting("", "File with the certificate's key, in PEM.", "empty, or a path")
    api_tokens: OnOff = setting(
        "auto",
        "Whether calls need a token (`matlabctl token`): `auto` is on where `api_host` or `bind_address` lets other "
        "machines in, and off with `insecure`.",
        "`auto`, `on` or `off`",
    )
    api_names: Annotated[str, BeforeValidator(host_names)] = setting(
        "",
        "Names that the API goes by, beside this machine's, such as a proxy's: a call for any other is refused, since "
        "a web page could have turned its name to this address.",
        "empty, or names and addresses with spaces between them",
    )
    api_allow: Annotated[str, BeforeValidator(networks)] = setting(
        "",
        "Where calls may come from, beside this machine; empty means anywhere.",
        "empty, or addresses and networks such as `10.0.0.0/8 192.168.7.5`, with spaces between them",
    )
    api_rate: Number = setting(
        200,
        "Calls a second that a client, known by its token or else its address, may make on average; 0 is no limit.",
        "a number from 0 to 1000000",
        ge=0,
        le=1e6,
    )
    api_burst: Whole = whole(1000, "Calls that it may make at once, before that limit holds.", 1, 1_000_000)
    api_connections: Whole = whole(500, "Connections that the API holds at the same time.", 8, 100_000)
    api_connections_each: Whole = whole(
        200,
        "Of those, connections of one client, known by its address; this machine's own are not counted so.",
        1,
        100_000,
    )
    insecure: bool = setting(
        False,
        "Allow what other machines can reach to ask nobody who they are: the API without `api_tokens`, sessions on "
        "such a `bind_address` without `session_tokens`.",
        "true or false",
    )

    @property
    def api_url(self) -> str:
        """Where a client on this machine finds the API."""
        if self.api_socket is not None:
            return f"{UNIX}{self.api_socket}"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.api_host, self.api_host)  # noqa: S104
        scheme = "https" if self.api_tls_cert else "http"
        return f"{scheme}://[{host}]:{self.api_port}" if ":" in host else f"{scheme}://{host}:{self.api_port}"

    @property
    def api_alone(self) -> bool:
        """Only this machine reaches the API."""
        return self.api_socket is not None or is_loopback(self.api_host)

    @property
    def api_hosts(self) -> frozenset[str]:
        """What callers may say that they call, beside this machine's loopback."""
        own = [] if self.api_alone else [socket.gethostname()]
        return frozenset(name.lower() for name in (*words(self.api_names), self.api_host, *own))

    @property
    def api_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        return tuple(ipaddress.ip_network(each) for each in words(self.api_allow))

    @model_validator(mode="after")
    def _listens_in_one_way(self) -> Self:
        if (self.api_tls_cert is None) != (self.api_tls_key is None):
            raise clash("api_tls_cert and api_tls_key go together", "api_tls_cert", "api_tls_key")
        if self.api_socket is not None:
            if self.api_tls_cert is not None:
                raise clash("a Unix socket needs no TLS: leave api_tls_cert or api_socket out", "api_socket")
            if len(str(self.api_socket).encode()) > 100:
                raise clash("api_socket is too long: a Unix socket's path may have 100 bytes", "api_socket")
        return self
