"""Who calls the API: by which token, from where, with which rights; and how that is remembered with what they change.

Pure. A change is kept with its writer, one line of text: `api <request id>, token ci, from 10.0.0.5`. Both ways between
that line and what it says are here; other writers' lines (`file`, `commit 1a2b3c by Ann`) are whatever they are.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

HERE = "this machine"
REMEMBERED = 1024
"""Addresses that were read before, and need not be again."""


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"
    """Read, change, and open sessions."""

    def covers(self, other: Scope) -> bool:
        return self is Scope.WRITE or other is Scope.READ


@dataclass(frozen=True, slots=True)
class Caller:
    address: str = ""
    """Empty: this machine, by a loopback address or a socket."""
    token: str = ""
    """Its name; empty: none was asked for."""
    scope: Scope = Scope.WRITE
    user: str = ""
    """Whose process it is, where the kernel tells: `uid 1000`."""

    def writer(self, request_id: str) -> str:
        who = [f"api {request_id}", f"token {self.token}" if self.token else "", self.user]
        return ", ".join(filter(None, [*who, f"from {self.address}" if self.address else ""]))


@functools.lru_cache(REMEMBERED)
def address_of(remote: str) -> str:
    """Of the other end of a connection, as the system writes it. Empty: this machine."""
    if not remote:  # a socket
        return ""
    address = ipaddress.ip_address(remote.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return "" if address.is_loopback else str(address)


def client_of(address: str) -> str:
    """Who has an address, where clients are counted: whoever has an IPv6 one has 2⁶⁴ of them."""
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if ":" in address else address


_BY_CALL = re.compile(
    r"(^|, approved by )api (?P<request>[A-Za-z0-9._:@-]+)(, token [A-Za-z0-9._-]+)?(, (user|uid) [^,]+)?"
    r"(?P<place>, from (?P<address>[0-9A-Fa-f.:]+))?(, rollback to [0-9]+)?$"
)
"""To the end: an author of a commit may choose any name, but what stands behind it is an address in `<>`."""


def request_of(writer: str) -> str | None:
    """The id of the API call that wrote, or of the one that approved; `None`: another writer did."""
    found = _BY_CALL.search(writer)
    return found["request"] if found else None


def hand_and_place(writer: str) -> tuple[str, str]:
    """Who wrote, and from where: the address of the API call, or of the one that approved; else what kind of place."""
    found = _BY_CALL.search(writer)
    if found is None:
        return writer, "git" if writer.startswith("commit ") else HERE
    if found["place"] is None:
        return writer, HERE
    return writer[: found.start("place")] + writer[found.end("place") :], found["address"]
