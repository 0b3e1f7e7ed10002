"""Who may call the API, and how often: addresses, names in `Host`, other sites' pages, tokens, and the rate.

Everything is asked before a call reaches what carries it out. A caller is known by token where tokens are asked for,
else by address. What a call needs is said in `endpoints.py`, what the operator wants in `Door`.
"""

from __future__ import annotations

import functools
import ipaddress
import math
import re
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from controller.caller import REMEMBERED, Caller, Scope, address_of, client_of
from controller.fields import is_address
from controller.http import REQUEST_ID, Handler, Refusal, note
from controller.tokens import MARK, Token, TokenFile, found, hand_of

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
IN_QUERY = ("token", "access_token")
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="matlab-container-manager"'}


@dataclass(frozen=True, slots=True)
class Door:
    """What the operator's settings say."""

    locked: bool = False
    """Calls need a token."""
    names: frozenset[str] = frozenset()
    """What `Host` may say beside the names of this machine's loopback."""
    any_address: bool = False
    """`Host` may be any address in numbers: no page that a name was turned to can say that."""
    allow: tuple[Network, ...] = ()
    """Where calls may come from; empty: anywhere. This machine always may."""
    rate: float = 0.0
    """Calls a second for each client, on average; 0: as many as they like."""
    burst: float = 0.0
    """Calls that one may make at once."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a call needs to be let through."""

    scope: Scope | None
    """`None`: no token; whatever proves its right comes later, if anything does."""
    counted: bool = True
    """It counts towards its client's rate."""


class Rates:
    """A bucket of calls for each client, which fills by `rate` a second up to `burst`."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What was left of a client's bucket, and when: whoever called last is at the end."""

    def take(self, client: str) -> float:
        """Count one call; 0 if it may pass, else the seconds until the next one may."""
        if not self._rate:
            return 0.0
        now = self._clock()
        self._forget(now)
        left = self._full(self._left[client], now) if client in self._left else self._burst
        if left < 1:
            return (1 - left) / self._rate
        self._left[client] = (left - 1, now)
        self._left.move_to_end(client)
        return 0.0

    def _forget(self, now: float) -> None:
        """Those who rest, from the one on who has rested longest: each is looked at once, and nobody pays for all."""
        while self._left and self._full(next(iter(self._left.values())), now) >= self._burst:
            self._left.popitem(last=False)

    def _full(self, each: tuple[float, float], now: float) -> float:
        left, then = each
        return min(self._burst, left + (now - then) * self._rate)


SOMEBODY_HERE = Caller()
NO_ENDPOINT = Need(None)
"""The answer tells only what anybody can read in the source: that there is no such thing."""


class Doorkeeper:
    def __init__(self, door: Door, tokens: TokenFile) -> None:
        self.locked = door.locked
        self._door = door
        self._tokens = tokens
        self._rates = Rates(door.rate, door.burst)

    def middleware(self, needs: Mapping[tuple[str, str], Need]) -> Middleware:
        """`needs`: by method and path of an endpoint."""

        @web.middleware
        async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
            resource = request.match_info.route.resource
            self._let_in(request, needs.get((request.method, resource.canonical if resource else ""), NO_ENDPOINT))
            return await handler(request)

        return keep

    def still_knows(self, request: web.Request) -> bool:
        """Whether a call that was let in, and goes on, would be let in now: its token may have been revoked since."""
        return not request[CALLER].token or _token(self._tokens, request) is not None

    def _let_in(self, request: web.Request, need: Need) -> None:
        """Raises Refusal: this call does not get further."""
        address = address_of(request.remote or "")
        user = "" if request.remote else _user(request)
        request[CALLER] = Caller(address, user=user) if address or user else SOMEBODY_HERE
        if address:
            note(request, **{"from": address})
        _check_address(self._door, address)
        _check_host(self._door, request)
        _check_origin(request)
        scope = need.scope if self.locked else None
        token = _token(self._tokens, request) if scope else None
        if need.counted:
            self._count(f"token {token.name}" if token else client_of(address))
        if scope is None:
            return
        if token is None:
            raise _unknown(request)
        note(request, token=token.name)
        request[CALLER] = Caller(address, token.name, token.scope, user)
        if not token.scope.covers(scope):
            raise Refusal(403, "forbidden", f"The token {token.name} may only read, and this call changes things.")

    def _count(self, client: str) -> None:
        seconds = self._rates.take(client)
        if seconds:
            wait = math.ceil(seconds)
            again = f"The next one may come in {wait} s."
            refusal = Refusal(429, "too_many_requests", "These are too many calls: go on more slowly.", details=again)
            raise refusal.with_headers({"Retry-After": str(wait)})


def writer(request: web.Request) -> str:
    """How a change that this call asks for is signed."""
    return request[CALLER].writer(request[REQUEST_ID])


# ---------------------------------------------------------------- from where


def _user(request: web.Request) -> str:
    """Whose process calls, where it does so through a socket."""
    transport = request.transport
    channel = transport.get_extra_info("socket") if transport else None
    if channel is None or channel.family != socket.AF_UNIX:
        return ""
    _, uid, _ = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return hand_of(uid)


def _check_address(door: Door, address: str) -> None:
    if address and door.allow and not any(ipaddress.ip_address(address) in each for each in door.allow):
        raise Refusal(403, "address_refused", f"Calls from {address} are not taken here.")


def _check_host(door: Door, request: web.Request) -> None:
    """A page whose name its owner turned to this machine's address (DNS rebinding) still says that name."""
    given = request.headers.get("Host")
    if given is None:  # no browser leaves it out
        return
    host = _host(given)
    if host in LOOPBACK_NAMES or host in door.names or (door.any_address and is_address(host)):
        return
    sentence = "The API does not go by the name in `Host` here."
    raise Refusal(403, "foreign_host", sentence, details="The operator's setting `api_names` lists those it goes by.")


@functools.lru_cache(REMEMBERED)
def _host(given: str) -> str:
    """Without its port; empty if it is none."""
    try:
        return (urlsplit(f"//{given}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _check_origin(request: web.Request) -> None:
    """A browser says which page makes the call, and pages of other sites have no business here."""
    origin = request.headers.get("Origin")
    if origin is None:
        return
    try:
        ours = urlsplit(origin).netloc.lower() == request.headers.get("Host", "").lower() != ""
    except ValueError:
        ours = False
    if not ours:
        raise Refusal(403, "foreign_origin", "Pages of other sites may not call the API.")


# ---------------------------------------------------------------- by which token


def _token(tokens: TokenFile, request: web.Request) -> Token | None:
    if any(name in request.query for name in IN_QUERY):
        return None
    given = re.fullmatch(r"Bearer +([!-~]{1,256})", request.headers.get("Authorization", ""), re.IGNORECASE)
    return found(tokens.current(), given[1], datetime.now(UTC)) if given else None


def _unknown(request: web.Request) -> Refusal:
    if any(name in request.query for name in IN_QUERY):
        sentence = "A token in the address is not taken, since addresses end up in logs: send it as a header."
    elif "Authorization" in request.headers:
        sentence = "This token opens nothing here: it is wrong, revoked or expired."
    else:
        sentence = "This call needs a token."
    how = f"Send `Authorization: Bearer {MARK}...`; `matlabctl token create` makes one."
    return Refusal(401, "unauthorized", sentence, details=how).with_headers(CHALLENGE)
