"""What every session's container is held to, and whether one still is, told from what the engine says of it.

Engines tell a container's flags as they were given. What differs falls in three kinds: what an update puts right under
the running session, what only a new container can, and what was so from the start, because an earlier version of ours
made it: that is no drift, and no reason to end a session.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

SHARED_FOLDER = "/home/matlab/shared"

FLAGS: Mapping[str, Any] = MappingProxyType(
    {
        "Init": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": "rw,nosuid,nodev,size=512m,mode=1777"},  # noqa: S108 - the container's
        "Ulimits": [{"Name": "nofile", "Soft": 4096, "Hard": 4096}],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        "Privileged": False,
        "PublishAllPorts": False,
    }
)
"""In the words of the engine's API, for the whole `HostConfig` but limits, ports, the folder and the network."""

_NOT_GIVEN = (
    *("CapAdd", "Devices", "DeviceCgroupRules", "DeviceRequests", "Binds", "VolumesFrom", "GroupAdd", "Sysctls"),
    *("PidMode", "UTSMode", "UsernsMode", "CgroupParent", "OomKillDisable", "OomScoreAdj", "Links"),
)
"""Nothing of these is asked for, and so must be empty, zero or false."""

_MERGED = ("Ulimits", "LogConfig")
"""To these an engine adds what its own `daemon.json` says."""


def mark(network: str) -> str:
    """What a container is labelled with, to be known as made by a version that holds sessions as this one does."""
    canonical = json.dumps([dict(FLAGS), _NOT_GIVEN, network], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def loose(said: Mapping[str, Any], network: str, network_id: str) -> Iterator[str]:
    """In what this inspected container is held otherwise than it should be, for as long as it lives, in words."""
    host, config = said["HostConfig"], said["Config"]
    for name, wanted in FLAGS.items():
        if (host.get(name) or None) != (wanted or None) and not (name in _MERGED and _has(host.get(name), wanted)):
            yield f"{name} is {_shown(host.get(name))}"
    for name in _NOT_GIVEN:
        if host.get(name):
            yield f"{name} is {_shown(host[name])}"
    if str(host.get("IpcMode", "")).partition(":")[0] in ("host", "container"):
        yield f"IpcMode is {host['IpcMode']}"
    if host.get("MaskedPaths") == [] or host.get("ReadonlyPaths") == []:
        yield "the kernel's files are not masked"
    if host.get("NetworkMode") != network:
        yield f"NetworkMode is {host.get('NetworkMode')}"
    joined = (said["NetworkSettings"]["Networks"].get(network) or {}).get("NetworkID")
    if joined and network_id and joined != network_id:  # the engine would not start it any more
        yield f"its network {network} was removed and made anew"
    if re.fullmatch(r"[1-9]\d*:[1-9]\d*", config.get("User", "")) is None:
        yield f"it runs as {config.get('User') or 'root'}"
    mounts = host.get("Mounts") or []
    if [(each["Type"], each["Target"]) for each in mounts] != [("bind", SHARED_FOLDER)]:
        yield f"mounted is {', '.join(each['Target'] for each in mounts) or 'nothing'}"


def slack(said: Mapping[str, Any], network: str, *, swap: bool) -> Iterator[str]:
    """What was changed since, in words, that an update puts right, beside cpus, memory and processes.

    Args:
        swap: the engine can limit it.
    """
    host = said["HostConfig"]
    if swap and host["MemorySwap"] != host["Memory"]:
        yield f"swap is {host['MemorySwap'] - host['Memory'] if host['MemorySwap'] > 0 else 'unlimited'}"
    restarts = (host.get("RestartPolicy") or {}).get("Name") or "no"
    if restarts != "no":
        yield f"the engine restarts it ({restarts})"
    if host.get("NetworkMode") == network:
        networks = said["NetworkSettings"]["Networks"]
        yield from (f"it is in the network {name}, too" for name in sorted(networks.keys() - {network}))
        if network not in networks:
            yield f"it was taken out of the network {network}"


def _has(seen: Any, wanted: Any) -> bool:
    """All that is wanted, perhaps with more beside it."""
    match wanted:
        case dict():
            return isinstance(seen, dict) and all(_has(seen.get(name), each) for name, each in wanted.items())
        case list():
            return isinstance(seen, list) and all(any(_has(one, each) for one in seen) for each in wanted)
        case _:
            return bool(seen == wanted)


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
