"""`matlabctl export` and `import`: the desired state's text out of its home and into another, to the byte."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from controller import spec
from controller.cli.failures import Wrong
from controller.cli.flags import config_flag, load_settings
from controller.cli.texts import read_text
from controller.errors import NotPersisted, WishInvalid
from controller.settings import ElsewhereSettings, Settings
from controller.store.disk import FileHome
from controller.store.home import Home, Moved
from controller.store.sqlite_home import SqliteHome

database_option = click.option(
    "--database",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The database, if not the home that the settings name.",
)


@click.command("export")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@database_option
@config_flag
def export_command(file: Path | None, database: Path | None, config: Path | None) -> None:
    """Write the desired state's text into FILE, or to standard output: comments, generation and all.

    It is read where the settings say it lives, and needs no controller. FILE must not be there yet.

    \b
    Examples:
      matlabctl export > desired_state.yaml
      matlabctl export --database wish.sqlite3 desired_state.yaml
    """
    home = _home(database, config)
    found = home.look()
    if found.raw is None:
        raise click.ClickException(f"There is nothing to export: {found.fault}.")
    if file is None:
        sys.stdout.buffer.write(found.raw)
        return
    try:
        with file.open("xb") as stream:
            stream.write(found.raw)
    except OSError as error:
        raise Wrong(f"{file} cannot be made: {error.strerror}.") from error


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@database_option
@config_flag
def import_command(file: Path, database: Path | None, config: Path | None) -> None:
    """Put the text of FILE (`-`: standard input) where the settings say that the desired state lives.

    A text with faults is refused. A controller that runs takes it as an edit: merged by its generation, and held by
    the brake where it would end many sessions.

    \b
    Examples:
      matlabctl import desired_state.yaml
      matlabctl import --database wish.sqlite3 desired_state.yaml
    """
    settings = load_settings(config, {}).settings
    home, text = _home(database, config), read_text(file)
    try:
        state = spec.parse(text, max_users=settings.max_users, profiles=settings.profiles)
    except WishInvalid as error:
        raise click.ClickException(f"{file} is not imported: {error}.") from error
    try:
        home.open(make_it=False)
        _put(home, text.encode())
    except (NotPersisted, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{home.name} has the text of {file} now: {len(state.users)} users, generation {state.generation}.")


def _put(home: Home, raw: bytes) -> None:
    """Raises NotPersisted, OSError."""
    while True:
        found = home.look()
        try:
            home.replace(raw, found, "", keep=not found.missing and found.raw != raw)
        except Moved:
            continue
        return


def _home(database: Path | None, config: Path | None) -> Home:
    """Raises Wrong where it is none that is written to from here."""
    settings: Settings = load_settings(config, {}).settings
    match settings.desired_state:
        case _ if database is not None:
            return SqliteHome(database.absolute())
        case ElsewhereSettings(sqlite=Path() as path):
            return SqliteHome(path)
        case Path() as path:
            return FileHome(path)
        case _:
            raise Wrong("The desired state lives on a branch of git: `git clone` is the way to it, or name --database.")
