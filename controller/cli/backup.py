"""`backup` and `restore`: all that a controller knows, in one file."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from controller import backup
from controller.cli.flags import USUAL, config_flag, load_settings, output_flag, settings_file
from controller.cli.output import print_data
from controller.cli.words import when


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@config_flag
@output_flag
def backup_command(file: Path, config: Path | None, output: str) -> None:
    """Write the controller's state to FILE: desired state, history and events, secrets, controller.yaml.

    While the controller runs, too. Users' files are not in it; a desired state on a branch of git stays there. FILE
    must not be there yet, and only you may read it: the secrets are those of the sessions.

    \b
    Examples:
      matlabctl backup controller-2026-11-22.tar.gz
      matlabctl backup /backup/lab-$(date +%F).tar.gz --config /etc/lab.yaml
    """
    settings = load_settings(config, {}).settings
    contents = backup.collect(settings, settings_file(config))
    backup.write(contents, file)
    manifest = contents.manifest
    if output != "table":
        print_data({"file": str(file), **asdict(manifest)}, output)
        return
    click.echo(f"Wrote {file} ({file.stat().st_size / 1000:.0f} kB): generation {manifest.generation}.")
    click.echo(f"Users' files are not in it: back up {settings.data_root} as well.")


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Set aside what is there already.")
@config_flag
@output_flag
def restore_command(file: Path, replace: bool, config: Path | None, output: str) -> None:
    """Put a backup back, to the places that the settings name; the controller must not run.

    Where there is no controller.yaml in the working folder and none is named, the one in FILE is put there first.
    Sessions that run and that the backup does not know are not ended: they wait for `approve`.

    \b
    Examples:
      matlabctl restore controller-2026-11-22.tar.gz
      matlabctl restore /backup/lab.tar.gz --replace --config /etc/lab.yaml
    """
    contents = backup.read(file)
    takes_settings = settings_file(config) is None and contents.settings is not None
    if takes_settings and contents.settings is not None:
        USUAL.write_bytes(contents.settings)
    settings = load_settings(config, {}).settings
    aside = backup.restore(contents, settings, replace=replace)
    if output != "table":
        told = {"set_aside": str(aside) if aside else None, "settings": str(USUAL) if takes_settings else None}
        print_data({**asdict(contents.manifest), **told}, output)
        return
    manifest = contents.manifest
    made = when(manifest.made_at, datetime.now(UTC))
    click.echo(f"Restored generation {manifest.generation} of {made} to {settings.state_dir}.")
    if takes_settings:
        click.echo(f"{USUAL} is that of the backup.")
    if aside:
        click.echo(f"What was there before is in {aside}.")
    click.echo(
        "Start the controller now. Sessions that the backup does not know go on, and wait for `matlabctl approve`."
    )
