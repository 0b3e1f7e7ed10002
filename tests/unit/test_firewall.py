"""Where the firewall cannot be seen to, a sentence says why, and nothing falls over."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controller import fence
from controller.engine import firewall
from controller.engine.firewall import Firewall
from controller.fence import NOWHERE, Place, Reach

Program = Callable[[str, str], None]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    """Puts a program of ours in place of one; the bridge is said to be there: every machine has `lo`."""
    monkeypatch.setattr(fence, "bridge_name", lambda _: "lo")
    monkeypatch.setattr(firewall, "_PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def put(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return put


def test_a_network_that_is_not_here_is_left_to_its_host() -> None:
    assert Firewall("no-such-instance", NOWHERE).hold().startswith("The sessions' network is not on this machine")


def test_no_iptables(program: Program) -> None:
    program("iptables-save", "true")
    assert Firewall("x", NOWHERE).hold() == "There is no `iptables` here that could close the sessions' network."


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            "echo 'Could not fetch rule set: Permission denied (you must be root)' >&2; exit 4",
            "Whether the sessions' network is closed cannot be seen to: "
            "Could not fetch rule set: Permission denied (you must be root).",
        ),
        ("exit 3", "Whether the sessions' network is closed cannot be seen to: exit code 3."),
    ],
)
def test_iptables_that_refuses(program: Program, script: str, why: str) -> None:
    program("iptables-save", script)
    program("iptables-restore", "cat >/dev/null")
    for asked in (Firewall("x", NOWHERE).hold, Firewall("x", NOWHERE).look):
        assert asked() == why


def test_iptables_that_cannot_be_run(program: Program, tmp_path: Path) -> None:
    program("iptables-restore", "true")
    (tmp_path / "iptables-save").mkdir()
    assert Firewall("x", NOWHERE).hold().startswith("`iptables` cannot be run: ")


def test_a_name_that_nobody_knows_is_told(program: Program, tmp_path: Path) -> None:
    store = tmp_path / "rules"
    program("iptables-restore", f"sed 's/^-I \\(.*\\) 1 /-A \\1 /' >{store}")
    program("iptables-save", f"cat {store} 2>/dev/null || true")
    reach = Reach((Place("no-such-host.invalid", 80), Place("127.0.0.1", 80)))
    assert Firewall("x", reach).hold() == "Sessions may reach no-such-host.invalid, and nobody knows its address."


def test_rules_that_do_not_stay_are_told(program: Program) -> None:
    program("iptables-save", "true")
    program("iptables-restore", "cat >/dev/null")
    held = Firewall("x", NOWHERE)
    assert [held.hold(), held.hold()] == [firewall.NOT_IN_FORCE] * 2


def test_the_commands_for_root_are_the_whole_of_it() -> None:
    text = Firewall("x", Reach((Place("10.0.0.5", 27000),))).commands()
    assert text.startswith("iptables-restore --noflush <<'END'\n*filter\n")
    assert "--dport 27000 -j RETURN" in text
    assert text.count("-I INPUT 1 ") == text.count("-I DOCKER-USER 1 ") == 1
    assert text.endswith("COMMIT\nEND")


def test_an_engine_without_iptables_is_closed_by_the_chain_that_all_passes_through(
    program: Program, tmp_path: Path
) -> None:
    """As with `"iptables": false`, and with the nftables of the newest."""
    store = tmp_path / "rules"
    program("iptables-restore", f"sed 's/^-I \\(.*\\) 1 /-A \\1 /' >>{store}")
    program("iptables-save", f"printf ':INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n'; cat {store} 2>/dev/null || true")
    held = Firewall("x", NOWHERE)
    assert held.look() == firewall.NOT_IN_FORCE
    assert "-I FORWARD 1 " in held.commands()
    assert held.hold() == held.look() == ""
    assert f"-A FORWARD {fence.jump('x')}\n" in store.read_text()


def test_a_moment_without_dockers_rule_is_not_told(program: Program, tmp_path: Path) -> None:
    """Docker takes it out and puts it back whenever somebody makes a network."""
    store, looks = tmp_path / "rules", tmp_path / "looks"
    docker = ":DOCKER-USER - [0:0]\\n-A FORWARD %s\\n"
    program("iptables-restore", f"sed -n 's/^-I \\(.*\\) 1 /-A \\1 /p; /^-A/p' >{store}")
    program(
        "iptables-save",
        f"echo >>{looks}; [ $(wc -l <{looks}) = 3 ] && first='-j OTHER' || first='-j DOCKER-USER'; "
        f"printf '{docker}' \"$first\"; cat {store} 2>/dev/null || true",
    )
    held = Firewall("x", NOWHERE)
    assert held.hold() == ""
    assert len(looks.read_text()) == 2
    assert held.look() == ""
    assert len(looks.read_text()) == 4, "the third look, which finds another rule first, was the last"


def test_a_chain_that_docker_makes_later_leads_to_ours_too(program: Program, tmp_path: Path) -> None:
    store, docker = tmp_path / "rules", tmp_path / "docker"
    program("iptables-restore", f"sed -n 's/^-I \\(.*\\) 1 /-A \\1 /p; /^-A/p' >{store}.new; cat {store}.new >>{store}")
    program("iptables-save", f"cat {docker} {store} 2>/dev/null | awk '!seen[$0]++'")
    held = Firewall("x", NOWHERE)
    assert held.hold() == ""
    docker.write_text(":DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n")
    assert held.look() == firewall.NOT_IN_FORCE
    assert held.hold() == held.look() == ""
    assert f"-A DOCKER-USER {fence.jump('x')}\n" in store.read_text()


def test_a_chain_of_dockers_that_nothing_leads_to_closes_nothing(program: Program, tmp_path: Path) -> None:
    """As after `iptables -F FORWARD`, and where Docker went over to nftables."""
    store = tmp_path / "rules"
    docker = ":DOCKER-USER - [0:0]\\n-A DOCKER-USER -j RETURN\\n"
    program("iptables-restore", f"sed -n 's/^-I \\(.*\\) 1 /-A \\1 /p; /^-A/p' >>{store}")
    program("iptables-save", f"printf '{docker}'; cat {store} 2>/dev/null || true")
    store.write_text(f"-A DOCKER-USER {fence.jump('x')}\n")
    held = Firewall("x", NOWHERE)
    assert held.hold() == held.look() == ""
    assert f"-A FORWARD {fence.jump('x')}\n" in store.read_text()


RESTORE = """
import pathlib, sys
store = pathlib.Path(sys.argv[1])
rules = store.read_text().splitlines()
for how, _, rest in (line.partition(" ") for line in sys.stdin.read().splitlines()):
    if how.startswith(":"):
        rules = [each for each in rules if not each.startswith(f"-A {how[1:]} ")]
    elif how == "-D":
        rules.remove(f"-A {rest}")
    elif how == "-I":
        rules.insert(0, "-A " + rest.replace(" 1 ", " ", 1))
    elif how == "-A":
        rules.append(f"-A {rest}")
store.write_text("".join(f"{each}\\n" for each in rules))
"""
"""What `iptables-restore --noflush` makes of a file of rules."""


def test_a_rule_that_somebody_puts_above_ours_is_told_and_ours_is_moved_above_it(
    program: Program, tmp_path: Path
) -> None:
    store, ours, theirs = tmp_path / "rules", f"-A INPUT {fence.jump('x')}", "-A INPUT -j ACCEPT"
    program("iptables-restore", f"exec {sys.executable} -c '{RESTORE}' {store}")
    program("iptables-save", f"cat {store}")
    store.write_text("")
    held = Firewall("x", NOWHERE)
    assert held.hold() == ""
    store.write_text(f"{theirs}\n{store.read_text()}")
    assert held.look() == firewall.NOT_IN_FORCE
    assert f"-D INPUT {fence.jump('x')}\n-I INPUT 1 " in held.commands()
    assert held.hold() == held.look() == ""
    assert [line for line in store.read_text().splitlines() if line.startswith("-A INPUT ")] == [ours, theirs]
