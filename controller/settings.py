"""The operator's settings: what there is to be set, what each may be, and how they must stand to one another.

The models below are the only description of a setting: error sentences, `matlabctl settings`, the flags of
`matlabctl serve` and docs/settings.md are all derived from them. Where a value comes from is left to `sources.py`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator
from pydantic.fields import FieldInfo

from controller import policy
from controller.api_settings import ApiSettings
from controller.fence import Reach, licence_server, place
from controller.fields import (
    NAME_RULE,
    Folder,
    Line,
    Name,
    Number,
    OnOff,
    Whole,
    allowed_text,
    clash,
    is_address,
    is_loopback,
    page_address,
    place_text,
    seconds,
    setting,
    whole,
)
from controller.home_settings import HOME_RULE, ElsewhereSettings, GitSettings, HomeSetting, home_text
from controller.profile_settings import PolicySettings, ProfileSettings, SessionCeilings, TotalCeilings
from controller.swarm_settings import NodeEngineSettings, VolumeSettings
from controller.webhook_settings import WebhookSettings

EVERYWHERE = "0.0.0.0"  # noqa: S104 - no default: where a swarm publishes ports


class Settings(ApiSettings):
    """Every operator setting, valid as a whole. Paths are absolute."""

    desired_state: HomeSetting = setting(
        "desired_state.yaml",
        "File with the desired state; made with a commented example if it is not there. Or, in the file only, another "
        "home of it: a branch of git or a database (see below).",
        HOME_RULE,
    )
    state_dir: Folder = setting(
        "~/.local/state/matlab-container-manager",
        "Folder for what the controller keeps for itself, and for its lock. `$XDG_STATE_HOME` moves the default.",
        "a path",
    )
    data_root: Folder = setting(
        "~/matlab_data", "Folder on the engine's host that holds each user's data as `user_<id>`.", "a path"
    )
    http_port_base: Whole = whole(30000, "A session's page is published on this number plus the user id.", 1023, 65534)
    ws_port_base: Whole = whole(
        31000, "A session's WebSocket is published on this number plus the user id.", 1023, 65534
    )
    bind_address: str = setting(
        "127.0.0.1", "Address of the engine's host that session ports are published on.", "an IP address"
    )
    session_tokens: OnOff = setting(
        "auto",
        "Whether a session opens only with a token of its own, which `GET /v1/users/<n>` tells: `auto` is on where "
        "`bind_address` or `session_url` leads other machines there. It holds for containers made from then on.",
        "`auto`, `on` or `off`",
    )
    session_url: Annotated[str, BeforeValidator(page_address)] = setting(
        "",
        "Where browsers find a session's page if not on its port: the address under which a proxy passes on all of "
        "that port, its WebSocket `ws` included. A change makes sessions anew.",
        "empty, or an address such as `https://lab.example.org/{user_id}/` or `http://lab.example.org:{http_port}/`",
    )
    frame_ancestors: str = setting(
        "",
        "Sites that may show a session's page in a frame, as in `frame-ancestors` of a Content-Security-Policy; empty "
        "means any. A change makes sessions anew.",
        "empty, or sources with spaces between them, such as `'self' https://platform.example.org`",
        pattern=r"^[^\p{C},;]*$",
    )
    container_prefix: str = setting(
        "matlab-user-",
        "A container's name is this and the user id.",
        "2 to 40 letters, digits, `-`, `_` and `.`, starting with a letter or digit and not ending in a digit",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,38}[A-Za-z_.-]$",
    )
    instance: Name = setting(
        "default",
        "Label of the containers that are this controller's; it never touches any others.",
        NAME_RULE,
    )
    max_users: Whole = whole(100, "Highest user id.", 1, 999)
    max_concurrent_starts: Whole = whole(10, "How many sessions may be starting at the same time.", 1, 999)
    resync_seconds: Number = seconds(30, "Time between two looks at every container, events or not.", 1, 3600)
    create_timeout_seconds: Number = seconds(
        25, "How long `POST /create` waits for the session to run before it answers 202 `pending`.", 0, 300
    )
    stop_grace_seconds: Whole = whole(
        10, "Time in seconds that a session has to end by itself before the engine ends it.", 0, 600
    )
    settle_seconds: Number = seconds(
        0.1, "How long the desired state's file must be left alone before it is read.", 0, 10
    )
    brake_sessions: Whole = whole(
        3, "So many sessions one change of the whole text may end unasked: by removing, stopping or remaking.", 0, 999
    )
    brake_percent: Number = setting(
        20,
        "Or so large a share of all that run. A change that would end more than both waits for `matlabctl approve`.",
        "a number of percent from 0 to 100",
        ge=0,
        le=100,
    )
    allow_empty: bool = setting(
        False,
        "Take a text that names nobody, where users were wanted before, as a change like any other; else it waits for "
        "`matlabctl approve`.",
        "true or false",
    )
    probe_starting_seconds: Number = seconds(
        0.5, "Time between the first probes of a session that is not ready; then longer, the longer it is not.", 0.1, 60
    )
    probe_ready_seconds: Number = seconds(10, "Time between two probes of a session that is ready.", 0.1, 3600)
    disk_check_seconds: Number = seconds(
        300, "Time between two measurements of a user's folder; more where there is very much to count.", 1, 86400
    )
    session_reach: list[Annotated[str, AfterValidator(place_text)]] = setting(
        [],
        "What sessions may reach through the network, beside the servers that a profile's `licence` names. All else is "
        "closed to them: one another, this host, its neighbours, the internet. Set in the file only.",
        "a list of IPv4 addresses, networks of such (`10.1.0.0/16`) or names, each with `:port` behind it or with all "
        "its ports; none of 169.254.0.0/16",
    )
    session_internet: bool = setting(
        False,
        "Whether sessions may reach the internet: every public address, and the name servers that this host asks.",
        "true or false",
    )
    session_user: str = Field(
        default_factory=lambda: f"{os.getuid()}:{os.getgid()}" if os.getuid() else "1000:1000",
        description="User and group that sessions run as and that own the users' data folders.",
        json_schema_extra={
            "allowed": "`uid:gid` in numbers, neither of them 0 (quote it in the file)",
            "default": "the controller's own; 1000:1000 where that is root",
        },
        pattern=r"^[1-9][0-9]{0,8}:[1-9][0-9]{0,8}$",
    )
    engine: Literal["docker", "swarm"] = setting(
        "docker",
        "What runs sessions: the Docker engine of one host, or the swarm that this engine is a manager of. There "
        "`data_root` must be the same folder on every node, and ports are open on every address of a session's node.",
        "`docker` or `swarm`",
    )
    swarm_publish: Literal["host", "ingress"] = setting(
        "host",
        "Where a session's ports are in a swarm: on its own node, or by the swarm's routing mesh on every node.",
        "`host` or `ingress`",
    )
    swarm_reserve: Number = setting(
        100,
        "How much of its cpus and memory a session takes of its node in a swarm when it is placed: with 50, twice as "
        "many find room as could use all of theirs at once.",
        "a number of percent from 1 to 100",
        ge=1,
        le=100,
    )
    swarm_moves: Whole = whole(
        2, "How many sessions are on their way at a time from nodes of a swarm that are emptied.", 1, 999
    )
    swarm_volume: VolumeSettings | None = setting(
        None,
        "File system that each node of a swarm mounts for a session's data, in place of a `data_root` that is there on "
        "every node: see below. `data_root` is the same one as this machine has it mounted. Set in the file only.",
        "null, or a mapping with `options` and `device` and perhaps `type`, `shared`",
    )
    swarm_fence: list[Line] = setting(
        [],
        "Command that switches a lost node of a swarm off, by its words; the node's name, id and address follow. Once "
        "it has ended with 0, the node is taken out of the swarm and its sessions start on others. Empty: they wait. "
        "Set in the file only.",
        "a list of words, the first of them the path of a program",
    )
    swarm_fence_seconds: Number = seconds(60, "How long a node has to be lost before `swarm_fence` is run.", 10, 86400)
    swarm_nodes: NodeEngineSettings | None = setting(
        None,
        "How the engines of a swarm's nodes are asked themselves, over mutual TLS: see below. With it the use of "
        "resources is known of all sessions, and other limits come at once. Set in the file only.",
        "null, or a mapping with `ca`, `cert`, `key` and perhaps `port`",
    )
    docker_host: str = setting(
        "",
        "Address of the Docker engine; empty means the Docker SDK's own default.",
        "empty, or an address such as `unix:///var/run/docker.sock` or `tcp://10.0.0.5:2376`",
        pattern=r"^((unix|tcp|ssh|http|https|npipe)://[^\p{C}\s]+)?$",
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "Least important kind of log line that is written.", "`debug`, `info`, `warning` or `error`"
    )
    log_format: Literal["text", "json"] = setting(
        "text", "How a log line is written: for people, or as one JSON object.", "`text` or `json`"
    )
    default_profile: str = setting(
        "standard", "Profile of the users whose wish names none.", "the name of one of `profiles`"
    )
    profiles: dict[Name, ProfileSettings] = setting(
        {"standard": {}, "large": {"cpus": 4, "memory": "8g"}},
        "What sessions may be given, by name. Set in the file only; what is there replaces the built-in profiles.",
        f"a mapping of at least one name ({NAME_RULE}) to a profile",
        min_length=1,
    )
    webhooks: dict[Name, WebhookSettings] = setting(
        {},
        "Where events are sent to, by a name that log and metrics call it by. Set in the file only.",
        f"a mapping of names ({NAME_RULE}) to webhooks",
        secret=True,
    )
    policy: PolicySettings = setting(
        {},
        "What profiles may offer, and how much all sessions together may come to. Set in the file only.",
        "a mapping with any of `images`, `per_session`, `total`",
    )

    @property
    def desired_state_file(self) -> Path | None:
        """`None` where the desired state is kept in no file."""
        return self.desired_state if isinstance(self.desired_state, Path) else None

    @property
    def desired_state_text(self) -> str:
        """Where the desired state is kept, in words."""
        return home_text(self.desired_state)

    @property
    def reach(self) -> Reach:
        """What sessions may reach through the network."""
        servers = (licence_server(profile.licence) for profile in self.profiles.values())
        listed = (place(text) for text in self.session_reach)
        return Reach((*listed, *(each for each in servers if each)), self.session_internet)

    @property
    def published_on(self) -> str:
        """Address that session ports are published on: a swarm knows of none but all."""
        return EVERYWHERE if self.engine == "swarm" else self.bind_address

    @property
    def sessions_locked(self) -> bool:
        """Whether sessions that are made now ask for a token."""
        if self.session_tokens != "auto":
            return self.session_tokens == "on"
        proxied = urlsplit(self.session_url).hostname
        return not (is_loopback(self.published_on) and (proxied is None or is_loopback(proxied)))

    @property
    def api_locked(self) -> bool:
        """Whether calls of the API need a token."""
        if self.api_tokens != "auto":
            return self.api_tokens == "on"
        return self.reached_by_others and not self.insecure

    @property
    def reached_by_others(self) -> bool:
        """Whether other machines reach the API, or sessions on their ports."""
        return not (self.api_alone and is_loopback(self.published_on))

    @model_validator(mode="after")
    def _addresses_are_safe(self) -> Self:
        for name, host in (("api_host", self.api_host), ("bind_address", self.published_on)):
            if not (is_address(host) or (host == "localhost" and name == "api_host")):
                raise clash(f"{name} cannot be '{host}': it must be {allowed_text(field_at((name,)))}", name)
            if is_loopback(host) or self.insecure:
                continue
            closed = self.api_locked or (name == "api_host" and self.api_alone)
            open_doors = [] if closed else ["api_tokens"]
            if name == "bind_address" and not self.sessions_locked:
                open_doors.append("session_tokens")
            if open_doors:
                what = "engine swarm" if host != getattr(self, name) else f"{name} {host}"
                raise clash(
                    f"{what} would let other machines in without asking who they are; use a loopback address, "
                    f"leave {' and '.join(open_doors)} on, or set insecure if that is what you want",
                    name,
                    *open_doors,
                )
        return self

    @model_validator(mode="after")
    def _ports_do_not_meet(self) -> Self:
        http, ws = (range(base + 1, base + self.max_users + 1) for base in (self.http_port_base, self.ws_port_base))
        for name, ports in (("http_port_base", http), ("ws_port_base", ws)):
            if ports[-1] > 65535:
                raise clash(f"{name} leaves no ports for {self.max_users} users: the last would be {ports[-1]}", name)
            if self.api_port in ports:
                raise clash(
                    f"api_port {self.api_port} lies among the session ports {_show(ports)} "
                    f"({name} plus 1 to max_users); move one of them",
                    "api_port",
                    name,
                )
        if max(http[0], ws[0]) <= min(http[-1], ws[-1]):
            raise clash(
                f"the page ports {_show(http)} and the WebSocket ports {_show(ws)} meet; "
                "move http_port_base and ws_port_base apart, or lower max_users",
                "http_port_base",
                "ws_port_base",
            )
        return self

    @model_validator(mode="after")
    def _default_profile_exists(self) -> Self:
        if self.default_profile not in self.profiles:
            names = ", ".join(self.profiles)
            hint = did_you_mean(self.default_profile, self.profiles)
            raise clash(
                f"default_profile '{self.default_profile}' is not one of the profiles ({names}){hint}",
                "default_profile",
            )
        return self

    @model_validator(mode="after")
    def _one_host_has_no_nodes(self) -> Self:
        for name in ("swarm_volume", "swarm_fence", "swarm_nodes"):
            if getattr(self, name) and self.engine != "swarm":
                raise clash(f"{name} is set, and engine is {self.engine}: only a swarm has nodes", name, "engine")
        if self.swarm_fence and not self.swarm_fence[0].startswith("/"):
            raise clash(f"swarm_fence begins with {self.swarm_fence[0]}: it must be a program's path", "swarm_fence")
        for name, profile in self.profiles.items():
            if profile.node_labels and self.engine != "swarm":
                raise clash(
                    f"profile {name} has node_labels, and engine is {self.engine}: only a swarm has nodes",
                    ("profiles", name, "node_labels"),
                    "engine",
                )
        return self

    @model_validator(mode="after")
    def _profiles_keep_the_policy(self) -> Self:
        for name, profile in self.profiles.items():
            for key, words in policy.broken_by(profile.profile, self.policy.rules):
                rule = ("policy", "images") if key == "image" else ("policy", "per_session", key)
                raise clash(f"profile {name} has {key} {words}", ("profiles", name, key), rule)
        return self


def environment_name(name: str) -> str | None:
    """The variable that sets this setting; `None` where only the file can."""
    if name in ("profiles", "policy", "session_reach", "webhooks", "swarm_volume", "swarm_fence", "swarm_nodes"):
        return None
    return "DOCKER_HOST" if name == "docker_host" else f"MCM_{name.upper()}"


def field_at(path: tuple[str, ...]) -> FieldInfo:
    """The setting that a path of keys leads to; one within a profile is a field of the profile."""
    model, name = _part(path)
    return model.model_fields[name]


def fields_at(path: tuple[str, ...]) -> Mapping[str, FieldInfo]:
    """That setting and its siblings."""
    return _part(path)[0].model_fields


def _part(path: tuple[str, ...]) -> tuple[type[BaseModel], str]:
    """What describes that setting, and under which name."""
    match path:
        case ("profiles", _, name, *_):
            return ProfileSettings, name
        case ("webhooks", _, name, *_):
            return WebhookSettings, name
        case ("desired_state", "git", name, *_):
            return GitSettings, name
        case ("desired_state", name, *_):
            return ElsewhereSettings, name
        case ("swarm_volume", name, *_):
            return VolumeSettings, name
        case ("swarm_nodes", name, *_):
            return NodeEngineSettings, name
        case ("policy", "per_session", name, *_):
            return SessionCeilings, name
        case ("policy", "total", name, *_):
            return TotalCeilings, name
        case ("policy", name, *_):
            return PolicySettings, name
        case _:
            return Settings, path[0]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _show(ports: range) -> str:
    return f"{ports[0]} to {ports[-1]}"
