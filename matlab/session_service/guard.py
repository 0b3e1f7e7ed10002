"""PURE. Who is let in: by the name that they use for this machine, by the page that sent them, and, where this session
asks for one, by its token.

Browsers let any page send requests and open WebSockets anywhere, and say only where the page is from; programs say
nothing. So a page has to come from this session's own address. That alone does not stop a site whose name is made to
lead here (DNS rebinding), so that names which somebody far away could own are not answered to.

A session that asks for a token knows only its digest: nothing that is to be seen of the container opens it. Whoever
has the token proves more than any name or address could, but a page of another site is refused all the same.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Guard:
    digest: str = ""
    """SHA-256 of the token in hexadecimal; empty: none is asked for."""
    hosts: frozenset[str] = frozenset()
    """Names that this session may be called by, beside addresses and names without a dot."""
    origins: frozenset[str] = frozenset()
    """Pages of other addresses that may talk to it all the same, as in `https://platform.example`."""
    ports: frozenset[int] = frozenset()
    """Where its own two ports are published: what comes from one may talk to the other."""

    def knows(self, host: str) -> bool:
        """Whether `host`, as in the header of that name, is a name for this machine that no stranger can own."""
        if self.digest:
            return True  # the token proves more
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.hosts or "." not in name or name.endswith(".localhost"):
            return bool(name)
        return _is_address(name)

    def trusts(self, origin: str | None, host: str) -> bool:
        """Whether a page of `origin` may talk to this session, which it calls `host`."""
        if origin is None or origin in self.origins:
            return True
        try:
            page, session = urlsplit(origin), urlsplit(f"//{host}")
            if page.hostname is None or page.hostname != session.hostname:
                return False
            return page.port == session.port or page.port in self.ports
        except ValueError:  # no address at all
            return False

    def opens(self, token: str | None) -> bool:
        """In a time that does not depend on how much of the token is right."""
        if not self.digest:
            return True
        given = hashlib.sha256((token or "").encode(errors="replace")).hexdigest()
        return hmac.compare_digest(given, self.digest)


def guard_of(environment: Mapping[str, str]) -> Guard:
    """As the container was made."""

    def words(variable: str) -> frozenset[str]:
        return frozenset(environment.get(variable, "").split())

    ports = (environment.get(variable, "") for variable in ("MCM_HTTP_PORT", "MCM_WS_PORT"))
    return Guard(
        environment.get("MCM_TOKEN_CHECK", "").rpartition(":")[2],
        words("MCM_ALLOWED_HOSTS"),
        words("MCM_ALLOWED_ORIGINS"),
        frozenset(int(port) for port in ports if port.isdecimal()),
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
