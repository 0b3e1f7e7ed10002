"""The operator's settings: what they are, where each value came from, and what is wrong with one, in a sentence.

A later source wins: built-in default < `controller.yaml` < environment (`MCM_*` and `DOCKER_HOST`) < flags. The model
below is the only description of a setting: error sentences, `matlabctl settings`, the flags of `matlabctl serve` and
docs/settings.md are all derived from it.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from controller.errors import SettingsInvalid

SIZE_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def parse_size(value: object) -> int:
    """`512m`, `1.5g` or a number of bytes, as bytes.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([bkmg]?)", str(value).lower())
    if match is None or isinstance(value, bool):
        raise ValueError(value)
    return int(float(match[1]) * SIZE_UNITS[match[2]])


def show_size(size: int) -> str:
    """The shortest text that `parse_size` reads as exactly this many bytes."""
    for unit in ("g", "m", "k"):
        if size and size % SIZE_UNITS[unit] == 0:
            return f"{size // SIZE_UNITS[unit]}{unit}"
    return str(size)


def _number_only(value: object) -> object:
    """YAML's `yes` is not the number 1."""
    if isinstance(value, bool):
        raise ValueError(value)
    return value


def _on_or_off(value: object) -> object:
    """YAML reads `on` and `off` as true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _page_address(value: object) -> str:
    """With something in it that tells one user from another."""
    text = str(value)
    page = text.replace("{user_id}", "1").replace("{http_port}", "1")
    form = r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/([\w.~/-]*/)?"
    if text and (page == text or re.fullmatch(form, page, re.ASCII) is None):
        raise ValueError(value)
    return text


def _absolute_path(value: object) -> Path:
    text = os.path.abspath(os.path.expanduser(value)) if isinstance(value, str | Path) and str(value) else "/"
    if text == "/" or not text.isprintable():
        raise ValueError(value)
    return Path(text)


Whole = Annotated[int, BeforeValidator(_number_only)]
Number = Annotated[float, BeforeValidator(_number_only)]
Folder = Annotated[Path, BeforeValidator(_absolute_path)]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(show_size, when_used="json")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\p{C}]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")]

NAME_RULE = "1 to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"


def _setting(default: Any, words: str, allowed: str, **rules: Any) -> Any:
    facts: JsonDict = {"allowed": allowed, "default": json.dumps(default)}
    return Field(default, description=words, json_schema_extra=facts, **rules)


def _whole(default: int, words: str, low: int, high: int) -> Any:
    return _setting(default, words, f"a whole number from {low} to {high}", ge=low, le=high)


def _seconds(default: float, words: str, low: float, high: float) -> Any:
    return _setting(default, words, f"a number of seconds from {low:g} to {high:g}", ge=low, le=high)


class ProfileSettings(BaseModel):
    """What a session gets: one entry of `profiles`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    image: str = _setting(
        "matlab-session:octave",
        "Image that the container is made from; it must be on the engine already.",
        "an image's name, with a tag or digest",
        pattern=r"^[a-z0-9][A-Za-z0-9_./:@-]{0,254}$",
    )
    cpus: Number = _setting(
        2, "Cores that the session may use; 1.5 is one and a half.", "a number from 0.01 to 1024", ge=0.01, le=1024
    )
    memory: Size = _setting(
        "4g",
        "Memory that the session may use; there is no swap beyond it.",
        "a size from 6m, such as 4g",
        ge=6 * 1024**2,
    )
    shm: Size = _setting(
        "4g", "Size of `/dev/shm`, which counts as memory when it is used.", "a size from 1m, such as 4g", ge=1024**2
    )
    env: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Line] = _setting(
        {},
        "Environment variables in the container, beside those that every session has. No secrets: anyone who may "
        "inspect the container can read them.",
        "a mapping of variable names to text (quote numbers and yes/no)",
    )
    licence: Line | None = _setting(
        None,
        "MATLAB's licence server, given to the session as `MLM_LICENSE_FILE`.",
        'text such as "27000@licence.example.org"',
    )
    processes: Whole | None = _setting(
        None,
        "Processes and threads that the session may have; MATLAB wants 2048. `null` stands for 256.",
        "a whole number from 16 to 65536, or null",
        ge=16,
        le=65536,
    )
    stop_grace_seconds: Whole | None = _setting(
        None,
        "Time in seconds that the session has to end by itself; MATLAB wants 60, to give its licence back. `null` "
        "stands for the setting of that name.",
        "a whole number from 0 to 600, or null",
        ge=0,
        le=600,
    )


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
    branch: Annotated[str, BeforeValidator(_branch_name)] = _setting(
        "main", "Branch whose newest commit is in force.", "the name of a branch"
    )
    path: Annotated[str, BeforeValidator(_path_within)] = _setting(
        "desired_state.yaml", "File in the repository.", "a relative path with `/` between its parts and no `..`"
    )
    interval: Number = _seconds(30, "Time between two fetches; `POST /v1/refresh` asks for one at once.", 1, 86400)
    write: bool = _setting(
        False,
        "Whether API calls are written as commits and pushed to the branch. Else calls that change anything are "
        "refused with 409: who may push says who has a session.",
        "true or false",
    )


class ElsewhereSettings(BaseModel):
    """Another home of the desired state than a file: `desired_state` as a mapping with one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    git: GitSettings | None = _setting(
        None, "A branch of git: see below.", "a mapping with `url` and perhaps `branch`, `path`, `interval`, `write`"
    )
    sqlite: Annotated[Path, BeforeValidator(_absolute_path)] | None = _setting(
        None, "A database with the text in it; made if it is not there.", "a path"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.git is None) == (self.sqlite is None):
            raise _clash(f"desired_state must be {allowed_text(_field(('desired_state',)))}", "desired_state")
        return self


def _file_or_elsewhere(value: object) -> object:
    return value if isinstance(value, Mapping | ElsewhereSettings) else _absolute_path(value)


class Settings(BaseModel):
    """Every operator setting, valid as a whole. Paths are absolute."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    api_host: str = _setting("127.0.0.1", "Address that the API listens on.", "`localhost` or an IP address")
    api_port: Whole = _whole(8080, "TCP port that the API listens on.", 1, 65535)
    insecure: bool = _setting(
        False,
        "Allow what other machines can reach to ask nobody who they are: the API on such an `api_host`, sessions on "
        "such a `bind_address` without `session_tokens`.",
        "true or false",
    )
    desired_state: Annotated[
        Annotated[Path, Tag("[file]")] | Annotated[ElsewhereSettings, Tag("[elsewhere]")],
        Discriminator(lambda value: "[file]" if isinstance(value, Path) else "[elsewhere]"),
        BeforeValidator(_file_or_elsewhere),
    ] = _setting(
        "desired_state.yaml",
        "File with the desired state; made with a commented example if it is not there. Or, in the file only, another "
        "home of it: a branch of git or a database (see below).",
        "a path, or a mapping with either `git` or `sqlite`",
    )
    state_dir: Folder = _setting(
        "~/.local/state/matlab-container-manager",
        "Folder for what the controller keeps for itself, and for its lock. `$XDG_STATE_HOME` moves the default.",
        "a path",
    )
    data_root: Folder = _setting(
        "~/matlab_data", "Folder on the engine's host that holds each user's data as `user_<id>`.", "a path"
    )
    http_port_base: Whole = _whole(30000, "A session's page is published on this number plus the user id.", 1023, 65534)
    ws_port_base: Whole = _whole(
        31000, "A session's WebSocket is published on this number plus the user id.", 1023, 65534
    )
    bind_address: str = _setting(
        "127.0.0.1", "Address of the engine's host that session ports are published on.", "an IP address"
    )
    session_tokens: Annotated[Literal["auto", "on", "off"], BeforeValidator(_on_or_off)] = _setting(
        "auto",
        "Whether a session opens only with a token of its own, which `GET /v1/users/<n>` tells: `auto` is on where "
        "`bind_address` or `session_url` leads other machines there. It holds for containers made from then on.",
        "`auto`, `on` or `off`",
    )
    session_url: Annotated[str, BeforeValidator(_page_address)] = _setting(
        "",
        "Where browsers find a session's page if not on its port: the address under which a proxy passes on all of "
        "that port, its WebSocket `ws` included. A change makes sessions anew.",
        "empty, or an address such as `https://lab.example.org/{user_id}/` or `http://lab.example.org:{http_port}/`",
    )
    frame_ancestors: str = _setting(
        "",
        "Sites that may show a session's page in a frame, as in `frame-ancestors` of a Content-Security-Policy; empty "
        "means any. A change makes sessions anew.",
        "empty, or sources with spaces between them, such as `'self' https://platform.example.org`",
        pattern=r"^[^\p{C},;]*$",
    )
    container_prefix: str = _setting(
        "matlab-user-",
        "A container's name is this and the user id.",
        "2 to 40 letters, digits, `-`, `_` and `.`, starting with a letter or digit and not ending in a digit",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,38}[A-Za-z_.-]$",
    )
    instance: Name = _setting(
        "default",
        "Label of the containers that are this controller's; it never touches any others.",
        NAME_RULE,
    )
    max_users: Whole = _whole(100, "Highest user id.", 1, 999)
    max_concurrent_starts: Whole = _whole(10, "How many sessions may be starting at the same time.", 1, 999)
    resync_seconds: Number = _seconds(30, "Time between two looks at every container, events or not.", 1, 3600)
    create_timeout_seconds: Number = _seconds(
        25, "How long `POST /create` waits for the session to run before it answers 202 `pending`.", 0, 300
    )
    stop_grace_seconds: Whole = _whole(
        10, "Time in seconds that a session has to end by itself before the engine ends it.", 0, 600
    )
    settle_seconds: Number = _seconds(
        0.1, "How long the desired state's file must be left alone before it is read.", 0, 10
    )
    brake_sessions: Whole = _whole(
        3, "So many sessions one change of the whole text may end unasked: by removing, stopping or remaking.", 0, 999
    )
    brake_percent: Number = _setting(
        20,
        "Or so large a share of all that run. A change that would end more than both waits for `matlabctl approve`.",
        "a number of percent from 0 to 100",
        ge=0,
        le=100,
    )
    allow_empty: bool = _setting(
        False,
        "Take a text that names nobody, where users were wanted before, as a change like any other; else it waits for "
        "`matlabctl approve`.",
        "true or false",
    )
    probe_starting_seconds: Number = _seconds(
        0.5, "Time between the first probes of a session that is not ready; then longer, the longer it is not.", 0.1, 60
    )
    probe_ready_seconds: Number = _seconds(10, "Time between two probes of a session that is ready.", 0.1, 3600)
    session_user: str = Field(
        default_factory=lambda: f"{os.getuid()}:{os.getgid()}" if os.getuid() else "1000:1000",
        description="User and group that sessions run as and that own the users' data folders.",
        json_schema_extra={
            "allowed": "`uid:gid` in numbers, neither of them 0 (quote it in the file)",
            "default": "the controller's own; 1000:1000 where that is root",
        },
        pattern=r"^[1-9][0-9]{0,8}:[1-9][0-9]{0,8}$",
    )
    docker_host: str = _setting(
        "",
        "Address of the Docker engine; empty means the Docker SDK's own default.",
        "empty, or an address such as `unix:///var/run/docker.sock` or `tcp://10.0.0.5:2376`",
        pattern=r"^((unix|tcp|ssh|http|https|npipe)://[^\p{C}\s]+)?$",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "Least important kind of log line that is written.", "`debug`, `info`, `warning` or `error`"
    )
    log_format: Literal["text", "json"] = _setting(
        "text", "How a log line is written: for people, or as one JSON object.", "`text` or `json`"
    )
    default_profile: str = _setting(
        "standard", "Profile of the users whose wish names none.", "the name of one of `profiles`"
    )
    profiles: dict[Name, ProfileSettings] = _setting(
        {"standard": {}, "large": {"cpus": 4, "memory": "8g"}},
        "What sessions may be given, by name. Set in the file only; what is there replaces the built-in profiles.",
        f"a mapping of at least one name ({NAME_RULE}) to a profile",
        min_length=1,
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
    def api_url(self) -> str:
        """Where a client on this machine finds the API."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.api_host, self.api_host)  # noqa: S104
        return f"http://[{host}]:{self.api_port}" if ":" in host else f"http://{host}:{self.api_port}"

    @property
    def sessions_locked(self) -> bool:
        """Whether sessions that are made now ask for a token."""
        if self.session_tokens != "auto":
            return self.session_tokens == "on"
        proxied = urlsplit(self.session_url).hostname
        return not (_is_loopback(self.bind_address) and (proxied is None or _is_loopback(proxied)))

    @model_validator(mode="after")
    def _addresses_are_safe(self) -> Self:
        for name, host in (("api_host", self.api_host), ("bind_address", self.bind_address)):
            if not (_is_address(host) or (host == "localhost" and name == "api_host")):
                raise _clash(f"{name} cannot be '{host}': it must be {allowed_text(_field((name,)))}", name)
            if _is_loopback(host) or self.insecure or (name == "bind_address" and self.sessions_locked):
                continue
            tokens = ", session_tokens" if name == "bind_address" else ""
            raise _clash(
                f"{name} {host} would let other machines in without asking who they are; "
                f"use a loopback address{tokens}, or set insecure if that is what you want",
                name,
            )
        return self

    @model_validator(mode="after")
    def _ports_do_not_meet(self) -> Self:
        http, ws = (range(base + 1, base + self.max_users + 1) for base in (self.http_port_base, self.ws_port_base))
        for name, ports in (("http_port_base", http), ("ws_port_base", ws)):
            if ports[-1] > 65535:
                raise _clash(f"{name} leaves no ports for {self.max_users} users: the last would be {ports[-1]}", name)
            if self.api_port in ports:
                raise _clash(
                    f"api_port {self.api_port} lies among the session ports {_show(ports)} "
                    f"({name} plus 1 to max_users); move one of them",
                    "api_port",
                    name,
                )
        if max(http[0], ws[0]) <= min(http[-1], ws[-1]):
            raise _clash(
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
            hint = _did_you_mean(self.default_profile, self.profiles)
            raise _clash(
                f"default_profile '{self.default_profile}' is not one of the profiles ({names}){hint}",
                "default_profile",
            )
        return self


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    settings: Settings
    origins: Mapping[str, str]
    """Where each came from: `default`, `controller.yaml line 3`, `environment MCM_API_PORT` or `flag --api-port`."""


def environment_name(name: str) -> str | None:
    """The variable that sets this setting; `None` where only the file can."""
    return {"profiles": None, "docker_host": "DOCKER_HOST"}.get(name, f"MCM_{name.upper()}")


def default_text(field: FieldInfo) -> str:
    """A setting's default as it would be written in the file; the same on every machine."""
    return str(_extra(field)["default"])


def allowed_text(field: FieldInfo) -> str:
    """What a setting may be, in words that follow "it must be"."""
    return str(_extra(field)["allowed"])


def load(file: Path | None, env: Mapping[str, str], flags: Mapping[str, object]) -> LoadedSettings:
    """Merge all sources and check the result. `flags` has setting names as keys; `None` is a flag that was not given.

    A relative path in the file starts at the file's folder, any other at the working folder.

    Raises:
        SettingsInvalid: something in them cannot be used; one sentence a fault, each on its own line.
    """
    values, lines = _read_file(file) if file else ({}, {})
    origins = dict.fromkeys(Settings.model_fields, "default")
    origins |= {name: _in_file(file, lines, (name,)) for name in values}
    variables = {variable: name for name in Settings.model_fields if (variable := environment_name(name))}
    strangers = [name for name in env if name.startswith("MCM_") and not name.startswith("MCM_TEST_")]
    faults = [
        f"environment: {name} is not a setting{_did_you_mean(name, variables)}"
        for name in sorted(set(strangers) - set(variables))
    ]
    if env.get("XDG_STATE_HOME") and "state_dir" not in values:
        values["state_dir"] = os.path.join(env["XDG_STATE_HOME"], "matlab-container-manager")
        origins["state_dir"] = "environment XDG_STATE_HOME"
    for variable, name in variables.items():
        if variable in env:
            values[name], origins[name] = env[variable], f"environment {variable}"
    for name, value in flags.items():
        if value is not None:
            values[name], origins[name] = value, f"flag --{name.replace('_', '-')}"
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        faults += [_sentence(fault, origins, file, lines) for fault in error.errors()]
    if faults:
        raise SettingsInvalid("\n".join(faults))
    return LoadedSettings(settings, origins)


Lines = Mapping[tuple[str, ...], int]
"""Line of each key of the file, by the path of keys that leads to it."""


def _read_file(file: Path) -> tuple[dict[str, Any], Lines]:
    try:
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsInvalid(f"{file} line {line}: this is not YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:  # a control character; a date such as 2026-99-99
        raise SettingsInvalid(f"{file}: this is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        raise SettingsInvalid(f"{file} line 1: a mapping of settings to values is expected here")
    lines: dict[tuple[str, ...], int] = {}
    for path, line in _keys(node):
        if path in lines:
            raise SettingsInvalid(f"{file} line {line}: {'.'.join(path)} was already given in line {lines[path]}")
        lines[path] = line
    for name, field in Settings.model_fields.items():
        if field.annotation is Path and isinstance(content.get(name), str):
            content[name] = os.path.join(file.parent, os.path.expanduser(content[name]))
    match content.get("desired_state"):
        case str() as name:
            content["desired_state"] = os.path.join(file.parent, os.path.expanduser(name))
        case {"sqlite": str() as name} as home:
            content["desired_state"] = {**home, "sqlite": os.path.join(file.parent, os.path.expanduser(name))}
    return {str(name): value for name, value in content.items()}, lines


def _keys(node: yaml.Node, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode) and len(above) < 4:  # profiles, a name, env, a variable
        for key, value in node.value:
            path = (*above, str(key.value))
            yield path, key.start_mark.line + 1
            yield from _keys(value, path)


def _sentence(fault: ErrorDetails, origins: Mapping[str, str], file: Path | None, lines: Lines) -> str:
    if fault["type"] == "clash":
        named = [name for name in fault["ctx"]["settings"] if origins[name] != "default"] or fault["ctx"]["settings"]
        return f"{'; '.join(dict.fromkeys(origins[name] for name in named))}: {fault['msg']}"
    path = tuple(str(part) for part in fault["loc"] if part not in ("[key]", "[file]", "[elsewhere]"))
    origin = origins[path[0]]
    if origin.startswith(str(file)):
        origin = _in_file(file, lines, path)
    name = ".".join(path)
    if fault["type"] == "extra_forbidden":
        return f"{origin}: {name} is not a setting{_did_you_mean(path[-1], _fields(path))}"
    if fault["type"] == "missing":
        return f"{origin}: {name} is missing: it must be {allowed_text(_field(path))}"
    return f"{origin}: {name} cannot be {_quote(fault['input'])}: it must be {allowed_text(_field(path))}"


def _in_file(file: Path | None, lines: Lines, path: tuple[str, ...]) -> str:
    """The line of the nearest key on the way to `path`; YAML can also make keys that stand on no line (`<<`)."""
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    return f"{file} line {line}" if line else str(file)


def _field(path: tuple[str, ...]) -> FieldInfo:
    """The setting that a path of keys leads to; one within a profile is a field of the profile."""
    match path:
        case ("profiles", _, name, *_) | ("desired_state", "git", name, *_) | ("desired_state", name, *_):
            return _fields(path)[name]
        case _:
            return Settings.model_fields[path[0]]


def _fields(path: tuple[str, ...]) -> Mapping[str, FieldInfo]:
    """That setting and its siblings."""
    match path:
        case ("profiles", _, _, *_):
            return ProfileSettings.model_fields
        case ("desired_state", "git", _, *_):
            return GitSettings.model_fields
        case ("desired_state", _, *_):
            return ElsewhereSettings.model_fields
        case _:
            return Settings.model_fields


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _clash(sentence: str, *settings: str) -> PydanticCustomError:
    """A fault in how settings stand to one another; the sentence says it all."""
    return PydanticCustomError("clash", "{sentence}", {"sentence": sentence, "settings": settings})


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback if _is_address(host) else host == "localhost"


def _quote(value: object) -> str:
    text = f"'{value}'" if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _show(ports: range) -> str:
    return f"{ports[0]} to {ports[-1]}"
