"""A session as a service of a swarm: what is posted to the engine for it, and what became of that.

Pure. A service has one task or none. Swarm never starts a task again by itself (restart condition `none`): whether and
when is the planner's to say, and a node that is lost ends nobody's session and begins none elsewhere. `ForceUpdate`
counts the runs; each of them is a task that carries its number.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from controller.engine import hardening
from controller.engine.hardening import FLAGS, SHARED_FOLDER
from controller.engine.labels import (
    HTTP_PORT,
    LABEL_HARDENING,
    LABEL_INSTANCE,
    LABEL_SESSION,
    LABEL_SPEC,
    LABEL_TOKEN,
    LABEL_USER,
    WS_PORT,
)
from controller.fence import NOWHERE, Reach
from controller.model import Limits, SessionSpec

LABEL_LIMITS = "mcm.limits"
"""Cpus, memory and processes that the next run is to have: labels change under a running task, resources do not."""
LABEL_RAN = "mcm.started-at"
"""When the run began that a stop has ended; nothing else is left of it."""

LABEL_LEFT = "mcm.left-on"
"""Ids of the nodes on which a run was to end, until that was seen: a swarm forgets it after a day without its node."""

LABEL_NODES = "mcm.node-labels"
"""What a node has to carry to take it, as JSON."""

LABEL_GIVEN = "mcm.given"
"""Limits that a running task was given by its own engine since it began, behind the number of its run."""

LABEL_ASKED = "mcm.put-right"
"""Another one each time: a swarm looks at a service's tasks anew only where it is told something that it was not."""

LABEL_MADE = "mcm.made"
"""A digest of what it was made as, and no hand changed since."""

Publish = Literal["host", "ingress"]
Json = dict[str, Any]

LEAST_CPUS, LEAST_MEMORY = 10**6, 4 * 2**20
"""A swarm reserves no less: in billionths of a core, and in bytes."""
TMPFS_MODE = 0o1777
TMP_SIZE = 512 * 2**20


@dataclass(frozen=True, slots=True)
class SideDoor:
    """How the nodes' own engines are reached, and who we are to them: files in PEM."""

    port: int
    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Placing:
    """How sessions come to nodes, ports to sessions, and sessions to the network."""

    publish: Publish = "host"
    """On the session's own node, or by the swarm's routing mesh on each."""
    reserved: float = 1.0
    """Share of its limits that a session takes of a node when it is placed; the rest may be promised to others, too."""
    reach: Reach = NOWHERE
    door: SideDoor | None = None
    """`None`: nodes' engines cannot be asked."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What every service of a controller has in common."""

    instance: str
    placing: Placing
    stop_grace: int
    """Seconds."""

    @property
    def mark(self) -> str:
        held = {**_held(), "publish": self.placing.publish, "like": hardening.mark("")}
        return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:16]


def service_of(spec: SessionSpec, terms: Terms, limits: Limits, hosts: Mapping[str, str]) -> Json:
    """Of a session that is made and not started. `hosts`: address of each name that it may ask for."""
    session = {} if spec.session_id is None else {"MCM_SESSION_ID": spec.session_id}
    token = {"MCM_TOKEN_CHECK": spec.token_check} if spec.token_check else {}
    env = {**dict(spec.env), **session, **token}
    grace = terms.stop_grace if spec.stop_grace_seconds is None else spec.stop_grace_seconds
    mode = terms.placing.publish
    made: Json = {
        "Name": spec.name,
        "Labels": {
            LABEL_INSTANCE: terms.instance,
            LABEL_USER: str(spec.user_id),
            LABEL_SPEC: spec.spec_hash,
            LABEL_HARDENING: terms.mark,
            LABEL_LIMITS: limits_text(limits),
            **({} if spec.session_id is None else {LABEL_SESSION: spec.session_id}),
            **({LABEL_TOKEN: spec.token_check} if spec.token_check else {}),
            **({LABEL_NODES: json.dumps(dict(spec.node_labels))} if spec.node_labels else {}),
        },
        "Mode": {"Replicated": {"Replicas": 0}},
        "TaskTemplate": {
            "ContainerSpec": {
                **_held()["ContainerSpec"],
                "Image": spec.image,
                "Hostname": spec.name,
                "User": spec.run_as,
                "Env": [f"{name}={value}" for name, value in sorted(env.items())],
                "StopGracePeriod": grace * 1_000_000_000,
                "Hosts": [f"{address} {name}" for name, address in sorted(hosts.items())],
                "DNSConfig": {} if terms.placing.reach.internet else {"Options": ["timeout:1", "attempts:1"]},
                "Mounts": [
                    _data(spec, terms),
                    _tmpfs("/tmp", TMP_SIZE),  # noqa: S108 - the container's
                    _tmpfs("/dev/shm", spec.shm),  # noqa: S108
                ],
            },
            "LogDriver": _held()["LogDriver"],
            "Resources": resources(limits, terms),
            "RestartPolicy": {"Condition": "none"},
            "Placement": {},
        },
        "UpdateConfig": {"Parallelism": 1, "FailureAction": "continue", "Order": "stop-first"},
        "EndpointSpec": {
            "Mode": "dnsrr" if mode == "host" else "vip",
            "Ports": [_port(HTTP_PORT, spec.http_port, mode), _port(WS_PORT, spec.ws_port, mode)],
        },
    }
    made["Labels"][LABEL_MADE] = _as_made(made)
    return made


def resources(limits: Limits, terms: Terms) -> Json:
    """The scheduler looks at reservations only."""
    nano = round(limits.cpus * 1_000_000_000)
    return {
        "Limits": {"NanoCPUs": nano, "MemoryBytes": limits.memory, "Pids": limits.processes},
        "Reservations": {
            "NanoCPUs": max(round(nano * terms.placing.reserved), LEAST_CPUS),
            "MemoryBytes": max(round(limits.memory * terms.placing.reserved), LEAST_MEMORY),
        },
    }


def next_run(service: Json, terms: Terms, place: Sequence[str]) -> int:
    """Make this service's spec that of one more run, with the limits that are declared by now; returns its number.

    Args:
        place: constraints on the node that it is to be on; none: wherever there is room.
    """
    template = service["TaskTemplate"]
    template["ForceUpdate"] = template.get("ForceUpdate", 0) + 1
    template["Resources"] = resources(declared(service), terms)
    template["Placement"] = {"Constraints": [*place]} if place else {}
    service["Mode"] = {"Replicated": {"Replicas": 1}}
    service["Labels"].pop(LABEL_LEFT, None)
    return int(template["ForceUpdate"])


def want_none(service: Json) -> None:
    """It is to have no task."""
    service["Mode"] = {"Replicated": {"Replicas": 0}}


def note_left(service: Json, nodes: Sequence[str]) -> None:
    """Remember that something of it goes on there, though it is to have no task; none: that all of it has ended."""
    service["Labels"].pop(LABEL_LEFT, None)
    if nodes:
        service["Labels"][LABEL_LEFT] = " ".join(nodes)


def node_labels(service: Mapping[str, Any]) -> dict[str, str]:
    """What a node has to carry to take it; where a hand took the label away or wrote something else, nothing."""
    try:
        told = json.loads((service.get("Labels") or {}).get(LABEL_NODES, "{}"))
    except (ValueError, RecursionError):
        return {}
    return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def put_right(service: Json, limits: Limits) -> None:
    """Change what can be under a running session: what the next run is to have, and how many tasks there are. Of two
    in one place the swarm ends one (swarmkit's `Updater.useExistingTask`)."""
    service["Labels"][LABEL_LIMITS] = limits_text(limits)
    service["Labels"][LABEL_ASKED] = "2" if service["Labels"].get(LABEL_ASKED) == "1" else "1"
    if _replicas(service) > 1:
        service["Mode"] = {"Replicated": {"Replicas": 1}}


def limits_text(limits: Limits) -> str:
    return f"{limits.cpus!r}:{limits.memory}:{limits.processes}"


def declared(service: Mapping[str, Any]) -> Limits:
    """What the next run is to have; where a hand took the label away or wrote something else, what the last one had."""
    return _read_limits(service["Labels"].get(LABEL_LIMITS, "")) or _given(service["TaskTemplate"])


def note_given(service: Json, limits: Limits) -> None:
    """Remember that the run under way has these limits by now."""
    run = service["TaskTemplate"].get("ForceUpdate", 0)
    service["Labels"][LABEL_GIVEN] = f"{run}/{limits_text(limits)}"


def given(service: Mapping[str, Any], run: Mapping[str, Any]) -> Limits:
    """The limits that this task's run has: those it began with, or was given since."""
    number, _, told = service["Labels"].get(LABEL_GIVEN, "").partition("/")
    since = _read_limits(told) if number == str(run.get("ForceUpdate", 0)) else None
    return since or _given(run)


def deferred(given: Limits, wanted: Limits) -> Iterator[str]:
    """In what the limits of a run are not yet as declared, in words."""
    if round(given.cpus, 6) != round(wanted.cpus, 6):
        yield f"cpus {wanted.cpus:g} instead of {given.cpus:g}"
    if given.memory != wanted.memory:
        yield f"memory {wanted.memory / 2**20:.0f} MiB instead of {given.memory / 2**20:.0f} MiB"
    if given.processes != wanted.processes:
        yield f"processes {wanted.processes} instead of {given.processes}"


def replicated(service: Mapping[str, Any]) -> bool:
    """It is of the one kind that ours are."""
    return "Replicated" in service["Mode"]


def wanted(service: Mapping[str, Any]) -> bool:
    """It is to have a task."""
    return not replicated(service) or _replicas(service) > 0


def data_folder(service: Mapping[str, Any]) -> str:
    """What is mounted for the user's data; empty where nothing is."""
    mounts = (service["TaskTemplate"].get("ContainerSpec") or {}).get("Mounts") or ()
    return next((str(each.get("Source", "")) for each in mounts if each["Target"] == SHARED_FOLDER), "")


def slack(service: Mapping[str, Any], tasks: int) -> Iterator[str]:
    """In what it is otherwise than it should be, in words, that `put_right` mends. `tasks`: that run, or will."""
    several = max(_replicas(service), tasks)
    if several > 1:
        yield f"{several} tasks at once, which write into one folder"


def loose(service: Mapping[str, Any]) -> tuple[str, ...]:
    """In what a service is held otherwise than it should be, in words: only a new one mends it."""
    found = tuple(_loosened(service))
    made = service["Labels"].get(LABEL_MADE, "")  # one of an earlier version has none
    if not found and made and made != _as_made(service):
        return ("a hand changed its environment, mounts, ports, names or place",)
    return found


def _as_made(service: Mapping[str, Any]) -> str:
    """A digest of what a hand can change in a service, unlike in a container, and what engines tell as it was given."""
    template = service["TaskTemplate"]
    container = template["ContainerSpec"]
    dns = container.get("DNSConfig") or {}
    ports = (service.get("EndpointSpec") or {}).get("Ports") or ()
    constraints = (template.get("Placement") or {}).get("Constraints") or ()
    told = {
        **{name: container.get(name) or "" for name in ("User", "Hostname", "StopGracePeriod")},
        **{name: sorted(container.get(name) or ()) for name in ("Env", "Hosts")},
        **{name: sorted(dns.get(name) or ()) for name in ("Nameservers", "Search", "Options")},
        "mounts": sorted(map(_mount, container.get("Mounts") or ())),
        "ports": sorted([each.get("TargetPort", 0), each.get("PublishedPort", 0)] for each in ports),
        "place": [node_labels(service), sorted(each for each in constraints if not each.startswith("node.id"))],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _mount(said: Mapping[str, Any]) -> list[str]:
    size = (said.get("TmpfsOptions") or {}).get("SizeBytes", 0)
    driver = (said.get("VolumeOptions") or {}).get("DriverConfig") or {}
    options = json.dumps(driver.get("Options") or {}, sort_keys=True)
    return [said["Type"], said["Target"], said.get("Source") or "", str(size), str(bool(said.get("ReadOnly"))), options]


def _loosened(service: Mapping[str, Any]) -> Iterator[str]:
    template = service["TaskTemplate"]
    container = template["ContainerSpec"]
    for name, wanted in _held()["ContainerSpec"].items():
        if name != "Privileges" and container.get(name) != wanted:  # engines before 23 forget the latter
            yield f"{name} is {container.get(name)}"
    for name in ("CapabilityAdd", "Sysctls", "Secrets", "Configs", "Groups", "Command", "Args"):
        if container.get(name):
            yield f"{name} is {container[name]}"
    if re.fullmatch(r"[1-9]\d*:[1-9]\d*", container.get("User", "")) is None:
        yield f"it runs as {container.get('User') or 'root'}"
    mounts = {(each["Type"], each["Target"]) for each in container.get("Mounts") or ()}
    ours = {("tmpfs", "/tmp"), ("tmpfs", "/dev/shm")}  # noqa: S108
    if mounts not in ({*ours, ("bind", SHARED_FOLDER)}, {*ours, ("volume", SHARED_FOLDER)}):
        yield f"mounted is {', '.join(sorted(target for _, target in mounts)) or 'nothing'}"
    for name, size in _tmpfs_sizes(container):
        if size == 0:
            yield f"{name} has no limit"
    if template.get("Networks"):
        yield "it is in a network of the swarm"
    open_ports = {each.get("TargetPort") for each in (service.get("EndpointSpec") or {}).get("Ports") or ()}
    if open_ports != {HTTP_PORT, WS_PORT}:
        yield f"published is {', '.join(map(str, sorted(filter(None, open_ports)))) or 'nothing'}"
    if (template.get("LogDriver") or {}) != _held()["LogDriver"]:
        yield f"its output goes to {(template.get('LogDriver') or {}).get('Name', 'what the node has')}"
    if (template.get("RestartPolicy") or {}).get("Condition") != "none":
        yield "the swarm restarts it"


def _read_limits(text: str) -> Limits | None:
    told = re.fullmatch(r"([0-9.]{1,20}):([0-9]{1,18}):([0-9]{1,9})", text, re.ASCII)
    try:
        return Limits(float(told[1]), int(told[2]), int(told[3])) if told else None
    except ValueError:  # two points
        return None


def _replicas(service: Mapping[str, Any]) -> int:
    """0 for a service of another kind."""
    return int((service["Mode"].get("Replicated") or {}).get("Replicas", 1)) if replicated(service) else 0


def _tmpfs_sizes(container: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for each in container.get("Mounts") or ():
        if each["Type"] == "tmpfs":
            yield str(each["Target"]), int((each.get("TmpfsOptions") or {}).get("SizeBytes", 0))


def _data(spec: SessionSpec, terms: Terms) -> Json:
    """The user's folder; where a node has to mount it, by a volume that the node's engine makes and keeps."""
    volume = spec.volume
    if volume is None:
        return {"Type": "bind", "Source": spec.data_folder, "Target": SHARED_FOLDER}
    options = {"type": volume.type, "o": volume.options, "device": volume.device}
    return {
        "Type": "volume",
        "Source": volume.name,
        "Target": SHARED_FOLDER,
        "VolumeOptions": {
            "NoCopy": True,
            "Labels": {LABEL_INSTANCE: terms.instance, LABEL_USER: str(spec.user_id)},
            "DriverConfig": {"Name": "local", "Options": options},
        },
    }


def _given(run: Mapping[str, Any]) -> Limits:
    limits = (run.get("Resources") or {}).get("Limits") or {}
    return Limits(limits.get("NanoCPUs", 0) / 1e9, limits.get("MemoryBytes", 0), limits.get("Pids", 0))


def _held() -> Json:
    """What `hardening.py` says of every container, in the words of services. What these have no word for (swap) is the
    nodes' own to see to."""
    log = FLAGS["LogConfig"]
    return {
        "ContainerSpec": {
            "Init": FLAGS["Init"],
            "ReadOnly": FLAGS["ReadonlyRootfs"],
            "CapabilityDrop": FLAGS["CapDrop"],
            "Ulimits": FLAGS["Ulimits"],
            "Privileges": {"NoNewPrivileges": True},
        },
        "LogDriver": {"Name": log["Type"], "Options": log["Config"]},
    }


def _port(inside: int, outside: int, mode: Publish) -> Json:
    return {"Protocol": "tcp", "TargetPort": inside, "PublishedPort": outside, "PublishMode": mode}


def _tmpfs(target: str, size: int) -> Json:
    return {"Type": "tmpfs", "Target": target, "TmpfsOptions": {"SizeBytes": size, "Mode": TMPFS_MODE}}
