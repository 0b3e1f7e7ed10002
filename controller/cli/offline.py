"""The commands that need no controller: `validate`, `schema`, `settings`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from controller import spec
from controller.cli.api import Json
from controller.cli.failures import Wrong
from controller.cli.flags import config_flag, load_settings, output_flag, settings_flags
from controller.cli.output import is_wide, print_data, print_lines, print_table
from controller.cli.reference import reference_page
from controller.cli.texts import problem_lines, wish_file
from controller.cli.words import number
from controller.errors import WishInvalid
from controller.model import DesiredState, RunState
from controller.settings import Settings, environment_name
from controller.sites import read_wish

# ---------------------------------------------------------------- the wish


@click.command("validate")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_flag
@output_flag
def validate_command(file: Path | None, config: Path | None, output: str) -> None:
    """Check a desired state (FILE, or the one that the settings name) without a controller.

    Each fault is one line, `file:line:column: sentence`, as editors read it. The exit code is 0 for a good file, 1 for
    one with faults, 2 for one that cannot be read. Profiles, policy and highest user id are those of the settings.

    \b
    Examples:
      matlabctl validate
      matlabctl validate desired_state.yaml && git commit desired_state.yaml
      matlabctl validate -o json | jq '.problems[].line'
    """
    settings = load_settings(config, {}).settings
    file = file or wish_file(settings)
    try:
        with file.open("rb") as stream:
            raw = stream.read(spec.MAX_BYTES + 1)
    except OSError as error:
        raise Wrong(f"{file} cannot be read: {error.strerror}.") from error
    problems: Sequence[Json] = ()
    summary = ""
    try:
        summary = _summary(read_wish(raw, settings))
    except WishInvalid as error:
        problems = [asdict(problem) for problem in error.problems]
    if output != "table":
        print_data({"file": str(file), "valid": not problems, "problems": list(problems)}, output)
    elif problems:
        print_lines(*problem_lines(file, problems))
    else:
        print_lines(f"{file} is good: {summary}.")
    sys.exit(1 if problems else 0)


def _summary(state: DesiredState) -> str:
    stopped = sum(wish.state is RunState.STOPPED for wish in state.users.values())
    users = number(len(state.users), "user")
    return f"{users}, {stopped} of them stopped" if stopped else users


@click.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the desired state, for editors and other checkers.

    \b
    Example:
      matlabctl schema > desired_state.schema.json
    """
    print_data(spec.json_schema(), "json")


# ---------------------------------------------------------------- the settings


@click.command("settings")
@settings_flags
@output_flag
@click.option(
    "--reference",
    type=click.Choice(["en", "zh"]),
    is_flag=False,
    flag_value="en",
    help="Print docs/settings.md instead, or settings.zh-CN.md.",
)
def settings_command(config: Path | None, output: str, reference: Literal["en", "zh"] | None, **flags: object) -> None:
    """Show every setting: its value, where that comes from, and what it means.

    Takes the same flags as `serve`, so that one can see beforehand what they come to.

    \b
    Examples:
      matlabctl settings
      matlabctl settings --config /etc/matlab-container-manager.yaml
      MCM_API_PORT=8081 matlabctl settings -o json | jq .api_port
    """
    if reference:
        click.echo(reference_page(reference), nl=False)
        return
    loaded = load_settings(config, flags)
    values = loaded.settings.model_dump(mode="json")
    if output == "table":
        _print_settings(values, loaded.origins)
        return
    described = {
        name: {
            "value": values[name],
            "origin": loaded.origins[name],
            "environment": environment_name(name),
            "description": field.description,
        }
        for name, field in Settings.model_fields.items()
    }
    print_data(described, output)


def _print_settings(values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    rows = [
        (name, _shown(values[name]), origins[name], environment_name(name) or "", str(field.description))
        for name, field in Settings.model_fields.items()
    ]
    if is_wide():
        print_table(("SETTING", "VALUE", "FROM", "ENVIRONMENT", "MEANING"), rows)
    else:
        narrow = [
            (f"{name}\n{variable}", f"{value}\n({origin})", words) for name, value, origin, variable, words in rows
        ]
        print_table(("SETTING", "VALUE", "MEANING"), narrow)


def _shown(value: Any) -> str:
    """A value in a table's cell; `-o json` has what is left out of the profiles here."""
    match value:
        case bool():
            return str(value).lower()
        case {"git": _, "sqlite": _}:
            return "; ".join(f"{name}: {told}" for name, told in value.items() if told is not None)
        case {"images": images, "per_session": each, "total": all_of_them}:
            return f"images: {', '.join(images)}; per session: {_ceilings(each)}; total: {_ceilings(all_of_them)}"
        case dict() if all("url" in each for each in value.values()):
            return "; ".join(f"{name}: {webhook['url']}" for name, webhook in value.items())
        case dict():
            return "; ".join(
                f"{name}: {profile['image']} {profile['cpus']:g} cpus {profile['memory']}"
                for name, profile in value.items()
            )
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _ceilings(most: Mapping[str, Any]) -> str:
    """`no ceiling`, or `4 cpus, 16g memory`."""
    given = [f"{_shown(value)} {name}" for name, value in most.items() if value is not None]
    return ", ".join(given) or "no ceiling"
