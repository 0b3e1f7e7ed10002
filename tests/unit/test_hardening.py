"""What an engine says of a container, held against what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from controller.engine.hardening import FLAGS, SHARED_FOLDER, loose, mark, slack

NETWORK = "mcm-default"


def told(**host: Any) -> dict[str, Any]:
    """An inspect, with these things otherwise in its `HostConfig`."""
    held = {
        **FLAGS,
        "NetworkMode": NETWORK,
        "IpcMode": "private",
        "Mounts": [{"Type": "bind", "Source": "/srv/user_1", "Target": SHARED_FOLDER}],
        "Memory": 100,
        "MemorySwap": 100,
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    }
    networks = {NETWORK: {"NetworkID": "n1"}}
    return {"HostConfig": held | host, "Config": {"User": "1000:1000"}, "NetworkSettings": {"Networks": networks}}


def test_what_is_as_asked_for_is() -> None:
    assert list(loose(told(), NETWORK, "n1")) == []
    assert list(slack(told(), NETWORK, swap=True)) == []


@pytest.mark.parametrize(
    "host",
    [
        {"CapAdd": [], "Devices": None, "Sysctls": {}, "OomKillDisable": None, "PidMode": ""},
        {"IpcMode": "shareable"},
        {"Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": 4096, "Hard": 4096}]},
        {"LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3", "labels": "x"}}},
    ],
    ids=str,
)
def test_what_engines_say_otherwise_or_add_by_themselves_is_no_fault(host: dict[str, Any]) -> None:
    assert list(loose(told(**host), NETWORK, "n1")) == []


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ({"Ulimits": [{"Name": "nofile", "Soft": 9999, "Hard": 9999}]}, "Ulimits is "),
        ({"LogConfig": {"Type": "json-file", "Config": {}}}, "LogConfig is "),
        ({"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]}, "SecurityOpt is "),
        ({"MaskedPaths": []}, "the kernel's files are not masked"),
        ({"IpcMode": "container:other"}, "IpcMode is container:other"),
        ({"Mounts": []}, "mounted is nothing"),
        ({"Tmpfs": {**FLAGS["Tmpfs"], "/etc": ""}}, "Tmpfs is "),
    ],
    ids=str,
)
def test_what_is_looser_is_told(host: dict[str, Any], words: str) -> None:
    [found] = loose(told(**host), NETWORK, "n1")
    assert found.startswith(words)


def test_swap_that_no_kernel_limits_here_is_no_change() -> None:
    assert list(slack(told(MemorySwap=-1), NETWORK, swap=False)) == []
    assert list(slack(told(MemorySwap=-1), NETWORK, swap=True)) == ["swap is unlimited"]


def test_a_network_that_was_made_anew_is_another() -> None:
    assert list(loose(told(), NETWORK, "n2")) == [f"its network {NETWORK} was removed and made anew"]
    assert list(loose(told(), NETWORK, "")) == []


def test_each_network_has_its_mark() -> None:
    assert mark("a") == mark("a") != mark("b")
