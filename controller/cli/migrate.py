"""`migrate`: all sessions, and the users' data with them, to another engine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from controller import main, sources
from controller.cli.doctor import engine_findings, folder_finding
from controller.cli.failures import Wrong
from controller.cli.flags import USUAL, config_flag, load_settings, output_flag, settings_file, yes_flag
from controller.cli.output import can_ask, print_data, print_lines, print_table
from controller.cli.service import NAME
from controller.cli.users import spelled
from controller.cli.words import GOOD, WAITING, number
from controller.errors import AlreadyRunning
from controller.migration import Migration, Prospect, switch
from controller.settings import Settings
from controller.sizes import bytes_size


@click.command("migrate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done, and do nothing.")
@yes_flag
@config_flag
@output_flag
def migrate_command(file: Path, only_plan: bool, yes: bool, config: Path | None, output: str) -> None:
    """Take all sessions to where FILE says: from one Docker host to the nodes of a swarm, or back.

    FILE is a whole controller.yaml for there, and takes the place of the one in force when all is done. Sessions are
    ended: what they have in memory is lost. Users' data is copied where `data_root` is another, and compared. The
    desired state and its history stay as they are. The controller has to be stopped, and makes the sessions anew once
    it is started. What was ended halfway goes on with the same command.

    \b
    Examples:
      matlabctl migrate swarm.yaml --plan
      sudo matlabctl migrate swarm.yaml
      sudo matlabctl migrate controller.before-20261130T091500Z.yaml   (back)
    """
    place = settings_file(config) or USUAL
    migration = Migration(load_settings(config, {}).settings, _meant(file, place))
    if migration.source == migration.target:
        _tell_end(place, None, [], output)
        return
    if only_plan:
        prospect, problems = asyncio.run(_look(migration))
        if output == "table":
            print_table(("", ""), _rows(migration, prospect, place))
            print_lines(*((each, WAITING) for each in problems))
        else:
            print_data(_data(migration, prospect, problems), output)
        sys.exit(1 if problems else 0)
    with _alone(migration.source) as lock:
        text = file.read_bytes()
        prospect, problems = asyncio.run(_look(migration))
        if output == "table":
            print_table(("", ""), _rows(migration, prospect, place))
        _refuse(problems)
        if output == "table" and not yes and can_ask():
            click.confirm("Do it?", abort=True)
        _refuse(asyncio.run(migration.tried()))
        done: list[str] = []
        asyncio.run(_carry_out(migration, lock, done.append if output != "table" else print_lines))
        _tell_end(place, switch(place, text), done, output)


def _meant(file: Path, place: Path) -> Settings:
    """The settings of a file that is to take the place of another.

    Raises:
        Wrong: it cannot.
    """
    if os.path.abspath(file) == os.path.abspath(place):
        raise Wrong(f"{file} is in force already: write the settings for there to another file beside it.")
    if os.path.abspath(file.parent) != os.path.abspath(place.parent):
        raise Wrong(f"{file} has to lie beside {place}, whose place it takes: paths in it begin where it lies.")
    meant = sources.load(file, os.environ, {})
    outvoted = [name for name in sources.named_in(file) if meant.origins[name].startswith("environment")]
    if outvoted:
        why = ", ".join(f"{name} ({meant.origins[name]})" for name in outvoted)
        raise Wrong(f"{file} would not be heeded in {why}: take that away, or leave it out of {file}.")
    return meant.settings


@contextmanager
def _alone(settings: Settings) -> Iterator[int]:
    try:
        with main.only_one(settings.state_dir) as lock:
            yield lock
    except AlreadyRunning as error:
        raise click.ClickException(f"{error} Stop it (`systemctl stop {NAME}`): sessions go on meanwhile.") from error


async def _look(migration: Migration) -> tuple[Prospect, Sequence[str]]:
    """What would be done, and all that keeps it from being done."""
    engine, another = main.engine_of(migration.source), main.engine_of(migration.target)
    try:
        prospect = await migration.look(engine, another)
    finally:
        await engine.close()
        await another.close()
    findings = await engine_findings(migration.target, prospect.running)
    findings.append(folder_finding("user data", migration.target.data_root))
    faults = [f"{each.what}: {each.found}. {each.mend}" for each in findings if each.level == "fault"]
    return prospect, (*prospect.problems, *faults)


async def _carry_out(migration: Migration, lock: int, tell: Callable[[str], None]) -> None:
    engine = main.engine_of(migration.source)
    try:
        await migration.carry_out(engine, lock, tell)
    finally:
        await engine.close()


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise click.ClickException("\n".join(("Nothing was done.", *problems)))


def _rows(migration: Migration, prospect: Prospect, place: Path) -> list[tuple[str, str]]:
    copied = (
        f"{bytes_size(prospect.amount.size)} to copy, in {number(prospect.amount.files, 'file')} of "
        f"{number(len(prospect.folders), 'user')}; {bytes_size(prospect.free)} are free there"
    )
    ended = f"{spelled(prospect.running)} are ended; what they have in memory is lost"
    return [
        ("from", _where(migration.source)),
        ("to", _where(migration.target)),
        ("sessions", ended if prospect.running else "none runs"),
        ("data", copied if migration.moves_data else "stays where it is"),
        ("settings", f"{place} is replaced, and kept beside the new one"),
    ]


def _where(settings: Settings) -> str:
    engine = "the nodes of a swarm" if settings.engine == "swarm" else "one Docker host"
    return f"{engine}{f' ({settings.docker_host})' if settings.docker_host else ''}, data in {settings.data_root}"


def _data(migration: Migration, prospect: Prospect, problems: Sequence[str]) -> dict[str, Any]:
    def told(settings: Settings) -> dict[str, str]:
        return {name: str(getattr(settings, name)) for name in ("engine", "docker_host", "data_root")}

    return {
        "from": told(migration.source),
        "to": told(migration.target),
        "running": prospect.running,
        "copied": {"users": prospect.folders, "files": prospect.amount.files, "bytes": prospect.amount.size},
        "free": prospect.free,
        "problems": problems,
    }


def _tell_end(place: Path, before: Path | None, done: Sequence[str], output: str) -> None:
    if output != "table":
        print_data({"settings": str(place), "before": str(before) if before else None, "done": [*done]}, output)
    elif not done and before is None:
        print_lines((f"{place} says that already: there is nothing to migrate.", GOOD))
    else:
        back = f"; the way back is `matlabctl migrate {before}`" if before else ""
        print_lines((f"{place} is replaced{back}.", GOOD), "Start the controller now: it makes the sessions there.")
