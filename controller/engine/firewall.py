"""Keeps the rules of `fence.py` in force where this process may: on the engine's own host, as root or with
CAP_NET_ADMIN, with `iptables` there. Where it may not, it says why; `matlabctl doctor` has the commands.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from controller import fence
from controller.fence import Place, Reach

RESOLVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
NOT_IN_FORCE = "The rules that close the sessions' network are not in force."
PATIENCE = 10
"""Seconds that `iptables` may take; others may hold its lock."""
LOOKS = 4
SETTLES = 0.25
"""Seconds between two looks. Docker takes out its first rule of `FORWARD`, and puts it back some hundredths of a second
later, whenever anybody makes a network: rules that are not in force are looked at again before that is said."""


class Firewall:
    """Of one instance. Its methods block."""

    def __init__(self, instance: str, reach: Reach, bridge: str = "") -> None:
        """`bridge`: that sessions are on; empty: the instance's own."""
        self._instance = instance
        self._bridge = bridge
        self._reach = reach
        self._known: dict[str, str] = {}
        """Addresses of the named places, as they were last found."""
        self._in_force: tuple[str, list[str]] = ("", [])
        """The text that was applied, and the lines that `iptables-save` made of it."""
        self._moves = fence.moves(instance, [fence.FIRST_OF_DOCKER], bridge)
        """What the jumps to our chain lacked when they were last seen; who may not look takes them to be missing."""

    @property
    def names(self) -> dict[str, str]:
        """Address of each named place, for a session that may ask nobody."""
        return dict(self._known)

    @property
    def resolver_options(self) -> list[str]:
        """Where nobody answers, a program that looks up a name shall know in a second, not in ten."""
        return [] if self._reach.internet else ["timeout:1", "attempts:1"]

    def hold(self) -> str:
        """See to it that the rules are in force. Why they are not, in a sentence; empty where they are."""
        return self._told(self._hold)

    def look(self) -> str:
        """The same, and nothing is changed."""
        return self._told(self._look)

    def commands(self) -> str:
        """What root can type to the same end."""
        text = fence.batch(self._instance, self._rules(), self._moves)
        return f"iptables-restore --noflush <<'END'\n{text}END"

    def _told(self, what: Callable[[], str]) -> str:
        try:
            socket.if_nametoindex(self._bridge or fence.bridge_name(self._instance))
        except OSError:
            return "The sessions' network is not on this machine, or not in this container: its host must close it."
        if shutil.which("iptables-restore", path=_PATH) is None:
            return "There is no `iptables` here that could close the sessions' network."
        try:
            return what()
        except subprocess.TimeoutExpired:
            return "`iptables` does not answer."
        except OSError as error:
            return f"`iptables` cannot be run: {error.strerror}."
        except subprocess.CalledProcessError as error:
            said = (error.stderr or "").strip().splitlines() or [f"exit code {error.returncode}"]
            return f"Whether the sessions' network is closed cannot be seen to: {said[0]}."

    def _look(self) -> str:
        rules = self._rules()
        return NOT_IN_FORCE if not any(self._whole(saved, rules) for saved in self._looks()) else ""

    def _looks(self) -> Iterator[list[str]]:
        """As many as it takes to see more than a passing state."""
        yield self._saved()
        for _ in range(LOOKS - 1):
            time.sleep(SETTLES)
            yield self._saved()

    def _saved(self) -> list[str]:
        lines = _run("iptables-save", "-t", "filter").splitlines()
        self._moves = fence.moves(self._instance, lines, self._bridge)
        return lines

    def _whole(self, saved: list[str], rules: tuple[str, ...]) -> bool:
        """By number, for each version of `iptables` writes rules in its own way."""
        there = sum(line.startswith(f"-A {fence.chain_name(self._instance)} ") for line in saved)
        return there == len(rules) and not self._moves

    def _hold(self) -> str:
        rules = self._rules()
        saved = self._saved()
        if self._moves or self._in_force != ("\n".join(rules), self._ours(saved)):
            self._apply(rules)
            for saved in self._looks():
                if self._whole(saved, rules):
                    break
                self._apply(rules)
            else:
                return NOT_IN_FORCE
            self._in_force = "\n".join(rules), self._ours(saved)
        if BRIDGED.exists() and BRIDGED.read_text().strip() != "1":
            return "Sessions can reach one another: `sysctl -w net.bridge.bridge-nf-call-iptables=1` closes that."
        lost = sorted({place.host for place in self._reach.places if place.named} - self._known.keys())
        return f"Sessions may reach {', '.join(lost)}, and nobody knows its address." if lost else ""

    def _apply(self, rules: tuple[str, ...]) -> None:
        text = fence.batch(self._instance, rules, self._moves)
        _run("iptables-restore", "--noflush", "--wait", str(PATIENCE), given=text)

    def _ours(self, saved: list[str]) -> list[str]:
        chain = fence.chain_name(self._instance)
        return [line for line in saved if re.search(rf"\b{chain}\b", line) and not line.startswith(":")]

    def _rules(self) -> tuple[str, ...]:
        for name in {place.host for place in self._reach.places if place.named}:
            with contextlib.suppress(OSError):  # what it was known by last time will do
                self._known[name] = str(socket.getaddrinfo(name, None, socket.AF_INET)[0][4][0])
        places = [Place(self._known.get(place.host, place.host), place.port) for place in self._reach.places]
        known = [place for place in places if not place.named]
        return fence.rules(known, _nameservers(), internet=self._reach.internet)


def _nameservers() -> tuple[str, ...]:
    """Those that Docker asks for a container: the host's, and behind systemd's own resolver those that it asks."""
    for file in RESOLVERS:
        with contextlib.suppress(OSError, ipaddress.AddressValueError):
            found = re.findall(r"^\s*nameserver\s+([0-9.]+)\s*$", file.read_text(), re.MULTILINE)
            addresses = [ipaddress.IPv4Address(each) for each in found]
            if any(not each.is_loopback for each in addresses):
                return tuple(str(each) for each in addresses if not each.is_loopback)
    return ()


def _run(*command: str, given: str | None = None) -> str:
    done = subprocess.run(  # noqa: S603 - no word of it comes from a caller
        command,
        input=given,
        env={**os.environ, "PATH": _PATH},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=True,
    )
    return done.stdout
