"""Where the settings come from: `controller.yaml`, environment and flags become one `Settings`, or sentences.

A later source wins: built-in default < `controller.yaml` < environment (`MCM_*` and `DOCKER_HOST`) < flags. What there
is to be set stands in `settings.py`; what is wrong with a value is told here, with the place that it came from.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from controller.errors import SettingsInvalid
from controller.fields import allowed_text, is_secret
from controller.settings import Settings, did_you_mean, environment_name, field_at, fields_at

TOKEN_VARIABLE = "MCM_TOKEN"  # noqa: S105 - its name
"""No setting: what `matlabctl` shows the API where that asks for a token."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    settings: Settings
    origins: Mapping[str, str]
    """Where each came from: `default`, `controller.yaml line 3`, `environment MCM_API_PORT` or `flag --api-port`."""


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
    strangers = [name for name in strangers if name != TOKEN_VARIABLE]
    faults = [
        f"environment: {name} is not a setting{did_you_mean(name, variables)}"
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


def named_in(file: Path) -> Collection[str]:
    """The settings that a file names. Raises SettingsInvalid, as `load`."""
    return _read_file(file)[0].keys()


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
    _anchor(content, file.parent)
    return {str(name): value for name, value in content.items()}, lines


def _anchor(content: dict[str, Any], folder: Path) -> None:
    """Have relative paths start at the file's folder."""

    def anchored(path: str) -> str:
        return os.path.join(folder, os.path.expanduser(path))

    for name, field in Settings.model_fields.items():
        if field.annotation in (Path, Path | None) and isinstance(content.get(name), str) and content[name]:
            content[name] = anchored(content[name])
    match content.get("desired_state"):
        case str() as name:
            content["desired_state"] = anchored(name)
        case {"sqlite": str() as name, **rest}:
            content["desired_state"] = {**rest, "sqlite": anchored(name)}
    match content.get("swarm_nodes"):
        case dict() as files:
            for name in ("ca", "cert", "key"):
                if isinstance(files.get(name), str) and files[name]:
                    files[name] = anchored(files[name])
    match content.get("webhooks"):
        case dict() as webhooks:
            for webhook in webhooks.values():
                if isinstance(webhook, dict) and isinstance(secret := webhook.get("secret_file"), str) and secret:
                    webhook["secret_file"] = anchored(secret)


def _keys(node: yaml.Node, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode) and len(above) < 4:  # profiles, a name, env, a variable
        for key, value in node.value:
            path = (*above, str(key.value))
            yield path, key.start_mark.line + 1
            yield from _keys(value, path)


def _sentence(fault: ErrorDetails, origins: Mapping[str, str], file: Path | None, lines: Lines) -> str:
    def origin_of(path: tuple[str, ...]) -> str:
        origin = origins[path[0]]
        return _in_file(file, lines, path) if origin.startswith(str(file)) else origin

    if fault["type"] == "clash":
        paths = fault["ctx"]["paths"]
        named = [path for path in paths if origins[path[0]] != "default"] or paths
        return f"{'; '.join(dict.fromkeys(map(origin_of, named)))}: {fault['msg']}"
    path = tuple(str(part) for part in fault["loc"] if part not in ("[key]", "[file]", "[elsewhere]"))
    origin, name = origin_of(path), ".".join(path)
    if fault["type"] == "extra_forbidden":
        return f"{origin}: {name} is not a setting{did_you_mean(path[-1], fields_at(path))}"
    if fault["type"] == "missing":
        return f"{origin}: {name} is missing: it must be {allowed_text(field_at(path))}"
    given = "be used as it is" if is_secret(field_at(path)) else f"be {_quote(fault['input'])}"
    return f"{origin}: {name} cannot {given}: it must be {allowed_text(field_at(path))}"


def _in_file(file: Path | None, lines: Lines, path: tuple[str, ...]) -> str:
    """The line of the nearest key on the way to `path`; YAML can also make keys that stand on no line (`<<`)."""
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    return f"{file} line {line}" if line else str(file)


def _quote(value: object) -> str:
    """Without a password: an address that cannot be taken may well have one that can."""
    text = re.sub("://.*@", "://***@", f"'{value}'" if isinstance(value, str) else repr(value), flags=re.DOTALL)
    return text if len(text) <= 60 else f"{text[:57]}..."
