"""What a wish means for the engine: every default filled in, from the operator's settings as planners want them.

Pure. The settings themselves, with where each came from, are `settings.py`'s; `sites.py` makes a `Site` of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from controller.access import ON_THIS_MACHINE, Access
from controller.errors import Problem, WishInvalid
from controller.model import RunState, SessionSpec, Target, Volume, Wish
from controller.spec import container_name

STOP_MARGIN_SECONDS = 5


# ---------------------------------------------------------------- what the operator's settings say


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of session that the operator offers."""

    image: str
    cpus: float
    memory: int
    shm: int
    env: Mapping[str, str]
    licence: str | None
    """Licence server or file, as MATLAB reads it from `MLM_LICENSE_FILE`."""
    processes: int | None = None
    """Processes and threads that a session may have; `None`: what is usual."""
    stop_grace_seconds: int | None = None
    """That a session has to end by itself; `None`: what the site says."""
    disk: int | None = None
    """Bytes that the user's folder may hold before that is told; `None`: any number."""
    node_labels: Mapping[str, str] = field(default_factory=dict)
    """What a node of a swarm has to carry to take such a session."""


@dataclass(frozen=True, slots=True)
class Export:
    """A file system that nodes of a swarm mount, in the words of `mount`; in it each user's data is `user_<id>`."""

    type: str
    options: str
    device: str


class Load(NamedTuple):
    """How much sessions may use, or may be let use at most."""

    sessions: float
    cpus: float
    memory: float


UNLIMITED = Load(math.inf, math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator allows; `inf` is no ceiling."""

    images: tuple[str, ...] = ("*",)
    """Names of images, in which `*` stands for any characters."""
    cpus: float = math.inf
    """Of one session, as the two below."""
    memory: float = math.inf
    shm: float = math.inf
    total: Load = UNLIMITED
    """Of all that shall run."""


@dataclass(frozen=True, slots=True)
class Site:
    """All that touches the host: never to be had from the desired state, whoever may write that."""

    instance: str
    container_prefix: str
    """With its dash, as in `matlab-user-`."""
    data_root: str
    """On the engine's host."""
    http_port_base: int
    ws_port_base: int
    bind_address: str
    run_as: str
    """`uid:gid`."""
    default_profile: str
    profiles: Mapping[str, Profile]
    policy: Policy = Policy()
    access: Access = ON_THIS_MACHINE
    frame_ancestors: str = ""
    """Which sites may show a session's page in a frame, in CSP's words; empty: any."""
    export: Export | None = None
    """What a node mounts for a session; `None`: the folder of `data_root` is there already."""
    data_elsewhere: bool = False
    """The engine's host is another machine, and the users' folders are there: nobody here can say whether one is."""

    def profile_of(self, wish: Wish | None, default_profile: str | None) -> str:
        """Name of the profile that a wish means: its own, or the desired state's default, or that of the settings."""
        return (wish.profile if wish else None) or default_profile or self.default_profile


# ---------------------------------------------------------------- wish → target


def resolve(wish: Wish, user_id: int, generation: int, default_profile: str | None, site: Site) -> Target:
    """The wish with every default filled in.

    Raises:
        WishInvalid: its profile is no longer in the operator's settings.
    """
    name = site.profile_of(wish, default_profile)
    profile = site.profiles.get(name)
    if profile is None:
        known = ", ".join(sorted(site.profiles))
        message = (
            f"user {user_id} wants profile `{name}`, which the operator's settings do not have; there are: {known}"
        )
        raise WishInvalid((Problem(0, 0, message),))
    http_port, ws_port = site.http_port_base + user_id, site.ws_port_base + user_id
    container = container_name(site.container_prefix, user_id)
    env = dict(profile.env)
    if profile.licence is not None:
        env["MLM_LICENSE_FILE"] = profile.licence
    if profile.stop_grace_seconds is not None:  # with a little left over for the service around the interpreter
        env["MCM_STOP_SECONDS"] = str(max(1, profile.stop_grace_seconds - STOP_MARGIN_SECONDS))
    env |= _joined(env, site.access.environment(user_id, http_port))
    if site.frame_ancestors:
        env["MCM_FRAME_ANCESTORS"] = site.frame_ancestors
    env |= {
        "MCM_USER_ID": str(user_id),
        "MCM_CONTAINER": container,
        "MCM_INSTANCE": site.instance,
        "MCM_HTTP_PORT": str(http_port),
        "MCM_WS_PORT": str(ws_port),
    }
    made_from: dict[str, Any] = {
        "user_id": user_id,
        "name": container,
        "image": profile.image,
        "shm": profile.shm,
        "env": tuple(sorted(env.items())),
        "data_folder": data_folder(site.data_root, user_id),
        "run_as": site.run_as,
        "bind_address": site.bind_address,
        "http_port": http_port,
        "ws_port": ws_port,
        "processes": profile.processes,
        "stop_grace_seconds": profile.stop_grace_seconds,
        "node_labels": tuple(sorted(profile.node_labels.items())) or None,
        "volume": None if site.export is None else volume(site.instance, site.export, user_id),
    }
    return Target(
        spec=SessionSpec(
            **made_from,
            cpus=profile.cpus,
            memory=profile.memory,
            spec_hash=_hash(made_from),
            profile=name,
            session_id=wish.session_id,
        ),
        state=wish.state or RunState.RUNNING,
        restart_at=wish.restart_at,
        generation=generation,
    )


def data_folder(data_root: str, user_id: int) -> str:
    """A user's folder, from the integer alone."""
    return str(PurePosixPath(data_root) / f"user_{user_id}")


def volume(instance: str, export: Export, user_id: int) -> Volume:
    """Another name for whatever is otherwise: an engine keeps a volume as it was first made, and tells nobody."""
    device = str(PurePosixPath(export.device) / f"user_{user_id}")
    made_from = json.dumps([export.type, export.options, device])
    digest = hashlib.sha256(made_from.encode()).hexdigest()[:12]
    return Volume(f"mcm-{instance}-user_{user_id}-{digest}", export.type, export.options, device)


def _joined(env: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """`more`, each behind what the profile says under the same name: lists of words."""
    return {name: f"{env[name]} {value}" if name in env else value for name, value in more.items()}


def _hash(made_from: Mapping[str, Any]) -> str:
    """Of what a container cannot change while it lives. Cpus and memory can; a profile's name is only a name. What is
    `None` does not count, so that a setting which is new makes no session anew."""
    told = {name: value for name, value in made_from.items() if value is not None}
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), default=asdict)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
