"""`matlabctl serve`: settings, log and controller, in this process."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import click

from controller import logs, main
from controller.cli.flags import load_settings, settings_flags
from controller.settings import Settings


@click.command("serve")
@settings_flags
def serve_command(config: Path | None, **flags: object) -> None:
    """Run the controller in the foreground.

    Every setting can be given in controller.yaml, in the environment or as a flag; the later wins. `matlabctl settings`
    shows what they come to. Ctrl-C stops the controller; sessions stay.

    \b
    Examples:
      matlabctl serve
      matlabctl serve --api-port 8081 --log-format json
      MCM_MAX_USERS=20 matlabctl serve --config /etc/matlab-container-manager.yaml
    """
    settings = load_settings(config, flags).settings
    logs.configure(settings.log_level, settings.log_format)
    main.serve(settings, lambda: click.echo(_banner(settings)))
    click.echo("The controller has stopped. Sessions stay; `matlabctl serve` takes them up again.")


def _banner(settings: Settings) -> str:
    return "\n".join(
        (
            f"MATLAB Container Manager {version('matlab-container-manager')}",
            f"  API            {settings.api_url}",
            f"  desired state  {settings.desired_state_text}",
            f"  user data      {settings.data_root}",
            "Ctrl-C stops the controller; sessions stay.",
        )
    )
