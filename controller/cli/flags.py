"""Options that several commands share, derived from the settings so that each is described once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from controller.fields import default_text
from controller.settings import Settings, environment_name
from controller.sources import LoadedSettings, load

Command = Callable[..., Any]

USUAL = Path("controller.yaml")

config_flag = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file.  [default: controller.yaml, if it is there]",
)

output_flag = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True, help="Format."
)

server_flag = click.option(
    "--server", metavar="URL", help="Where the API is.  [default: as the settings on this machine say]"
)

yes_flag = click.option("-y", "--yes", is_flag=True, help="Do not ask. (Where there is no terminal, nobody is asked.)")


def settings_flags(command: Command) -> Command:
    """One flag for each setting that is a single value."""
    for name, field in reversed(Settings.model_fields.items()):
        variable = environment_name(name)
        if variable:
            words = f"{field.description}  [{variable}; default: {default_text(field)}]"
            kind: dict[str, Any] = (
                {"is_flag": True} if field.annotation is bool else {"metavar": _kind(field.annotation)}
            )
            command = click.option(f"--{name.replace('_', '-')}", name, default=None, help=words, **kind)(command)
    return config_flag(command)


def load_settings(config: Path | None, flags: dict[str, object]) -> LoadedSettings:
    """The settings in force for this command; `controller.yaml` of the working folder is used where it exists."""
    return load(settings_file(config), os.environ, flags)


def settings_file(config: Path | None) -> Path | None:
    """The one that was named, or the one of the working folder."""
    return config or (USUAL if USUAL.exists() else None)


def _kind(annotation: object) -> str:
    return "PATH" if annotation in (Path, Path | None) else "NUMBER" if annotation in (int, float) else "TEXT"
