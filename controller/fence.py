"""What sessions may reach through the network, as rules of `iptables`.

Pure: addresses in, text out. Who applies the rules, and sees that they stay, is `engine/firewall.py`.

Docker keeps sessions on a bridge from one another, and their ports from other machines. What it leaves open are the
addresses of the host itself, whatever listens there, and the rest of the world. Both ways lead through a chain of ours.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

METADATA = "169.254.0.0/16"
NOT_INTERNET = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    *("198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
)
"""IANA's special-purpose IPv4 addresses that some network of one's own may use."""
FROM_DOCKER = "DOCKER-USER"
"""Docker jumps to this chain before it lets anything pass; an engine that uses no `iptables` does not."""
FIRST_OF_DOCKER = f"-A FORWARD -j {FROM_DOCKER}"

_NAME = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
_REFUSED = "-j REJECT --reject-with icmp-port-unreachable"


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere that sessions may reach."""

    host: str
    """An IPv4 address, a network of such, or a name."""
    port: int | None = None
    """`None`: any."""

    @property
    def named(self) -> bool:
        return not _is_network(self.host)


@dataclass(frozen=True, slots=True)
class Reach:
    """All that sessions may reach beyond themselves."""

    places: tuple[Place, ...] = ()
    internet: bool = False


NOWHERE = Reach()


def place(text: str) -> Place:
    """`10.0.0.5`, `10.0.0.5:27000`, `10.1.0.0/16`, `licence.example.org:27000`, …

    Raises:
        ValueError: it is none of these, or among the addresses that are closed in any case.
    """
    host, colon, port = text.partition(":")
    if colon and not (re.fullmatch(r"[1-9][0-9]{0,4}", port, re.ASCII) and int(port) <= 65535):
        raise ValueError(text)
    if _is_network(host):
        network = ipaddress.IPv4Network(host)
        if network.overlaps(ipaddress.IPv4Network(METADATA)):
            raise ValueError(text)
    elif len(host) > 253 or not re.fullmatch(_NAME, host) or re.fullmatch(r"[0-9.]+", host):
        raise ValueError(text)
    return Place(host, int(port) if colon else None)


def licence_server(licence: str | None) -> Place | None:
    """The server that `MLM_LICENSE_FILE` names as `27000@host`; its second process listens on a port of its choice."""
    named = re.fullmatch(rf"[0-9]{{1,5}}@({_NAME})", licence or "")
    return Place(named[1]) if named else None


def network_name(instance: str) -> str:
    return f"mcm-{instance}"


def bridge_name(instance: str) -> str:
    """Of the network interface; Linux has room for 15 characters."""
    return f"mcm{hashlib.sha256(instance.encode()).hexdigest()[:11]}"


def chain_name(instance: str) -> str:
    return bridge_name(instance).upper()


def rules(open_to: Iterable[Place], nameservers: Iterable[str], *, internet: bool) -> tuple[str, ...]:
    """What stands in the chain: what is turned away, and what goes on to the rules of Docker and of the host.

    Args:
        open_to: with addresses, no names.
        nameservers: that names on the internet are looked up at.
    """
    found = ["-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"]  # answers to whoever uses a session
    if internet:
        found += [f"-d {each}/32 -p {how} -m {how} --dport 53 -j RETURN" for each in nameservers for how in _BOTH]
    found.append(f"-d {METADATA} {_REFUSED}")
    for each in open_to:
        to = str(ipaddress.IPv4Network(each.host))
        ports = [f"-p {how} -m {how} --dport {each.port} " for how in _BOTH] if each.port else [""]
        found += [f"-d {to} {port}-j RETURN" for port in ports]
    if internet:
        found.append(f"-m addrtype --dst-type LOCAL {_REFUSED}")
        found += [f"-d {each} {_REFUSED}" for each in NOT_INTERNET]
    else:
        found.append(_REFUSED)
    return tuple(found)


_BOTH = ("tcp", "udp")


def hooks(saved: Iterable[str]) -> tuple[str, str]:
    """The chains that ours is to be jumped to from: for what goes to the host, and for what passes through.

    Docker's is one only where all that passes comes to it first. It stays behind without a jump where somebody flushed
    `FORWARD`, or where Docker went over to nftables; and what another rule let pass never sees it.

    Args:
        saved: the lines of `iptables-save`.
    """
    passing = (line for line in saved if line.startswith("-A FORWARD ") and not _of_any(line))
    return ("INPUT", FROM_DOCKER) if next(passing, "") == FIRST_OF_DOCKER else ("INPUT", "FORWARD")


def _of_any(line: str) -> bool:
    """A jump to the chain of any instance."""
    return re.search(r" -i (mcm[0-9a-f]{11}) -j (?i:\1)$", line) is not None


def jump(instance: str, bridge: str = "") -> str:
    """From the bridge that sessions are on; empty: the instance's own."""
    return f"-i {bridge or bridge_name(instance)} -j {chain_name(instance)}"


def moves(instance: str, saved: Sequence[str], bridge: str = "") -> tuple[str, ...]:
    """What brings the jumps to our chain to where nothing is asked before them, as lines for `batch`; or nothing.

    A rule that somebody put above ours, to accept or to return, would let sessions pass. Ours may stand above any: it
    concerns what comes from our bridge alone, and so do those of other instances.

    Args:
        saved: the lines of `iptables-save`.
        bridge: as for `jump`.
    """
    found: list[str] = []
    for hook in hooks(saved):
        ours = f"-A {hook} {jump(instance, bridge)}"
        asked = [line for line in saved if line.startswith(f"-A {hook} ") and (line == ours or not _of_any(line))]
        if asked[:1] != [ours]:
            found += [f"-D {ours[3:]}"] * asked.count(ours) + [f"-I {hook} 1 {jump(instance, bridge)}"]
    return tuple(found)


def batch(instance: str, chain: Iterable[str], moved: Iterable[str]) -> str:
    """For `iptables-restore --noflush`: the chain anew, and the jumps to it `moved`, all at once."""
    name = chain_name(instance)
    lines = [f":{name} - [0:0]", *(f"-A {name} {rule}" for rule in chain), *moved]
    return "\n".join(("*filter", *lines, "COMMIT", ""))


def _is_network(host: str) -> bool:
    try:
        ipaddress.IPv4Network(host)
    except ValueError:
        return False
    return True
