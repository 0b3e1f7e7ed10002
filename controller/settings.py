"""The operator's settings: what there is to be set, what each may be, and how they must stand to one another.

The models below are the only description of a setting: error sentences, `matlabctl settings`, the flags of
`matlabctl serve` and docs/settings.md are all derived from them. Where a value comes from is left to `sources.py`.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    StringConstraints,
    Tag,
    model_validator,
)
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
    Size,
    Whole,
    absolute_path,
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
from controller.target import Load, Policy, Profile
from controller.webhook_settings import WebhookSettings


class ProfileSettings(BaseModel):
    """What a session gets: one entry of `profiles`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    image: str = setting(
        "matlab-session:octave",
        "Image that the container is made from; it must be on the engine already.",
        "an image's name, with a tag or digest",
        pattern=r"^[a-z0-9][A-Za-z0-9_./:@-]{0,254}$",
    )
    cpus: Number = setting(
        2, "Cores that the session may use; 1.5 is one and a half.", "a number from 0.01 to 1024", ge=0.01, le=1024
    )
    memory: Size = setting(
        "4g",
        "Memory that the session may use; there is no swap beyond it.",
        "a size from 6m, such as 4g",
        ge=6 * 1024**2,
    )
    shm: Size = setting(
        "4g", "Size of `/dev/shm`, which counts as memory when it is used.", "a size from 1m, such as 4g", ge=1024**2
    )
    env: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Line] = setting(
        {},
        "Environment variables in the container, beside those that every session has. No secrets: anyone who may "
        "inspect the container can read them.",
        "a mapping of variable names to text (quote numbers and yes/no)",
    )
    licence: Line | None = setting(
        None,
        "MATLAB's licence server, given to the session as `MLM_LICENSE_FILE`.",
        'text such as "27000@licence.example.org"',
    )
    processes: Whole | None = setting(
        None,
        "Processes and threads that the session may have; MATLAB wants 2048. `null` stands for 256.",
        "a whole number from 16 to 65536, or null",
        ge=16,
        le=65536,
    )
    stop_grace_seconds: Whole | None = setting(
        None,
        "Time in seconds that the session has to end by itself; MATLAB wants 60, to give its licence back. `null` "
        "stands for the setting of that name.",
        "a whole number from 0 to 600, or null",
        ge=0,
        le=600,
    )
    disk: Size | None = setting(
        "10g",
        "What the user's folder may hold before the condition `WithinQuota` says that it is too much. It is only told: "
        "nothing is refused, stopped or deleted. `null` is no quota.",
        "a size from 1m, such as 10g, or null",
        ge=1024**2,
    )

    @property
    def profile(self) -> Profile:
        return Profile(**dict(self))


class SessionCeilings(BaseModel):
    """The most that a profile may give one session: `per_session` of `policy`. `None` is no ceiling."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    cpus: Number | None = setting(None, "Cores.", "a number from 0.01 to 1024, or null", ge=0.01, le=1024)
    memory: Size | None = setting(None, "Memory.", "a size from 6m, such as 4g, or null", ge=6 * 1024**2)
    shm: Size | None = setting(None, "`/dev/shm`.", "a size from 1m, such as 4g, or null", ge=1024**2)


class TotalCeilings(BaseModel):
    """The most that all sessions which shall run may come to: `total` of `policy`. `None` is no ceiling."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    sessions: Whole | None = setting(None, "Sessions.", "a whole number from 0 to 999, or null", ge=0, le=999)
    cpus: Number | None = setting(
        None, "Cores, as their profiles have them.", "a number from 0 to 1000000, or null", ge=0, le=1e6
    )
    memory: Size | None = setting(None, "Memory, as their profiles have it.", "a size such as 160g, or null", ge=0)


class PolicySettings(BaseModel):
    """What the operator allows: `policy`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    images: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_./:@*-]{1,255}$")]] = setting(
        ["*"],
        "Images that profiles may name. `*` stands for any characters but `/`, and alone for every image; a name "
        "without tag or digest means `:latest`.",
        "a list of at least one image's name, such as `matlab-session:*`",
        min_length=1,
    )
    per_session: SessionCeilings = setting(
        {}, "The most that a profile may give one session: see below.", "a mapping with any of `cpus`, `memory`, `shm`"
    )
    total: TotalCeilings = setting(
        {},
        "The most that all sessions which shall run may come to: see below.",
        "a mapping with any of `sessions`, `cpus`, `memory`",
    )

    @property
    def rules(self) -> Policy:
        each, all_of_them = self.per_session, self.total
        return Policy(
            images=tuple(self.images),
            cpus=_or_any(each.cpus),
            memory=_or_any(each.memory),
            shm=_or_any(each.shm),
            total=Load(*(_or_any(most) for most in (all_of_them.sessions, all_of_them.cpus, all_of_them.memory))),
        )


def _or_any(most: float | None) -> float:
    return math.inf if most is None else most


def _git_url(value: object) -> str:
    """An absolute path, `user@host:path`, or an address of one of the kinds that git reaches without a helper."""
    text = str(value)
    form = r"/.+|(file|https?|ssh)://[^/].*|file:///.+|[\w.-]+@[\w.-]+:[^:].*"
    if not text.isprintable() or " " in text or re.fullmatch(form, text, re.ASCII) is None:
        raise ValueError(value)
    return text


def without_password(url: str) -> str:
    """An address as it may be shown."""
    parts = urlsplit(url)
    if not parts.scheme or "@" not in parts.netloc:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.split(':')[0] if parts.scheme == 'ssh' else '***'}@{host}"))


def _branch_name(value: object) -> str:
    """As `git check-ref-format` has it, more or less; git itself has the last word."""
    text = str(value)
    if re.fullmatch(r"(?!.*(\.\.|//|\.lock$|/$|\.$|/\.))[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}", text) is None:
        raise ValueError(value)
    return text


def _path_within(value: object) -> str:
    text = str(value)
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in text.split("/")) or not text.isprintable():
        raise ValueError(value)
    return text


class GitSettings(BaseModel):
    """A branch of git as the home of the desired state: `git` of `desired_state`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    url: Annotated[str, BeforeValidator(_git_url), PlainSerializer(without_password, when_used="json")] = Field(
        description="Where the repository is. Git's own ways to prove who we are are used: keys and `~/.ssh/config` of "
        "the user that runs the controller, `~/.netrc`, or a token in the address, which is shown to nobody.",
        json_schema_extra={
            "allowed": "an absolute path, or an address such as `https://git.example.org/lab.git`, "
            "`ssh://git@git.example.org/lab.git` or `git@git.example.org:lab.git`",
            "default": "none",
        },
    )
    branch: Annotated[str, BeforeValidator(_branch_name)] = setting(
        "main", "Branch whose newest commit is in force.", "the name of a branch"
    )
    path: Annotated[str, BeforeValidator(_path_within)] = setting(
        "desired_state.yaml", "File in the repository.", "a relative path with `/` between its parts and no `..`"
    )
    interval: Number = seconds(30, "Time between two fetches; `POST /v1/refresh` asks for one at once.", 1, 86400)
    write: bool = setting(
        False,
        "Whether API calls are written as commits and pushed to the branch. Else calls that change anything are "
        "refused with 409: who may push says who has a session.",
        "true or false",
    )


class ElsewhereSettings(BaseModel):
    """Another home of the desired state than a file: `desired_state` as a mapping with one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    git: GitSettings | None = setting(
        None, "A branch of git: see below.", "a mapping with `url` and perhaps `branch`, `path`, `interval`, `write`"
    )
    sqlite: Annotated[Path, BeforeValidator(absolute_path)] | None = setting(
        None, "A database with the text in it; made if it is not there.", "a path"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.git is None) == (self.sqlite is None):
            raise clash(f"desired_state must be {allowed_text(field_at(('desired_state',)))}", "desired_state")
        return self


def _file_or_elsewhere(value: object) -> object:
    return value if isinstance(value, Mapping | ElsewhereSettings) else absolute_path(value)


class Settings(ApiSettings):
    """Every operator setting, valid as a whole. Paths are absolute."""

    desired_state: Annotated[
        Annotated[Path, Tag("[file]")] | Annotated[ElsewhereSettings, Tag("[elsewhere]")],
        Discriminator(lambda value: "[file]" if isinstance(value, Path) else "[elsewhere]"),
        BeforeValidator(_file_or_elsewhere),
    ] = setting(
        "desired_state.yaml",
        "File with the desired state; made with a commented example if it is not there. Or, in the file only, another "
        "home of it: a branch of git or a database (see below).",
        "a path, or a mapping with either `git` or `sqlite`",
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
        match self.desired_state:
            case ElsewhereSettings(git=GitSettings() as git):
                return f"{git.path} on branch {git.branch} of {without_password(git.url)}"
            case ElsewhereSettings(sqlite=path):
                return f"database {path}"
            case path:
                return str(path)

    @property
    def reach(self) -> Reach:
        """What sessions may reach through the network."""
        servers = (licence_server(profile.licence) for profile in self.profiles.values())
        listed = (place(text) for text in self.session_reach)
        return Reach((*listed, *(each for each in servers if each)), self.session_internet)

    @property
    def sessions_locked(self) -> bool:
        """Whether sessions that are made now ask for a token."""
        if self.session_tokens != "auto":
            return self.session_tokens == "on"
        proxied = urlsplit(self.session_url).hostname
        return not (is_loopback(self.bind_address) and (proxied is None or is_loopback(proxied)))

    @property
    def api_locked(self) -> bool:
        """Whether calls of the API need a token."""
        if self.api_tokens != "auto":
            return self.api_tokens == "on"
        return self.reached_by_others and not self.insecure

    @property
    def reached_by_others(self) -> bool:
        """Whether other machines reach the API, or sessions on their ports."""
        return not (self.api_alone and is_loopback(self.bind_address))

    @model_validator(mode="after")
    def _addresses_are_safe(self) -> Self:
        for name, host in (("api_host", self.api_host), ("bind_address", self.bind_address)):
            if not (is_address(host) or (host == "localhost" and name == "api_host")):
                raise clash(f"{name} cannot be '{host}': it must be {allowed_text(field_at((name,)))}", name)
            if is_loopback(host) or self.insecure:
                continue
            closed = self.api_locked or (name == "api_host" and self.api_alone)
            open_doors = [] if closed else ["api_tokens"]
            if name == "bind_address" and not self.sessions_locked:
                open_doors.append("session_tokens")
            if open_doors:
                raise clash(
                    f"{name} {host} would let other machines in without asking who they are; use a loopback address, "
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
    def _profiles_keep_the_policy(self) -> Self:
        for name, profile in self.profiles.items():
            for key, words in policy.broken_by(profile.profile, self.policy.rules):
                rule = ("policy", "images") if key == "image" else ("policy", "per_session", key)
                raise clash(f"profile {name} has {key} {words}", ("profiles", name, key), rule)
        return self


def environment_name(name: str) -> str | None:
    """The variable that sets this setting; `None` where only the file can."""
    if name in ("profiles", "policy", "session_reach", "webhooks"):
        return None
    return "DOCKER_HOST" if name == "docker_host" else f"MCM_{name.upper()}"


def field_at(path: tuple[str, ...]) -> FieldInfo:
    """The setting that a path of keys leads to; one within a profile is a field of the profile."""
    match path:
        case ("profiles" | "webhooks", _, name, *_):
            return fields_at(path)[name]
        case ("desired_state", "git", name, *_) | ("desired_state", name, *_):
            return fields_at(path)[name]
        case ("policy", "per_session" | "total", name, *_) | ("policy", name, *_):
            return fields_at(path)[name]
        case _:
            return Settings.model_fields[path[0]]


def fields_at(path: tuple[str, ...]) -> Mapping[str, FieldInfo]:
    """That setting and its siblings."""
    match path:
        case ("profiles", _, _, *_):
            return ProfileSettings.model_fields
        case ("webhooks", _, _, *_):
            return WebhookSettings.model_fields
        case ("desired_state", "git", _, *_):
            return GitSettings.model_fields
        case ("desired_state", _, *_):
            return ElsewhereSettings.model_fields
        case ("policy", "per_session", _, *_):
            return SessionCeilings.model_fields
        case ("policy", "total", _, *_):
            return TotalCeilings.model_fields
        case ("policy", _, *_):
            return PolicySettings.model_fields
        case _:
            return Settings.model_fields


def did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _show(ports: range) -> str:
    return f"{ports[0]} to {ports[-1]}"
