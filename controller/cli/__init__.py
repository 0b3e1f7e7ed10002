"""`matlabctl`: the list of commands, and what a failed one says and exits with.

A command's module is imported when that command is run, so that `--help` is quick and `serve` carries no table printer.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from controller.cli.failures import Wrong
from controller.errors import MatlabManagerError, SettingsInvalid

COMMANDS = {
    "serve": ("serve", "Run the controller in the foreground."),
    "status": ("client", "Show how the running controller is doing."),
    "list": ("client", "Show every user's session."),
    "validate": ("offline", "Check a desired state without a controller."),
    "schema": ("offline", "Print the JSON Schema of the desired state."),
    "settings": ("offline", "Show every setting and where its value comes from."),
}
"""Name: the module of this package that has it as `<name>_command`, and its line in `matlabctl --help`."""

EXIT_CODES = """\
\b
Exit codes:
  0  done
  1  refused or failed
  2  the command or a setting is wrong
  3  the controller cannot be reached"""


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"{__name__}.{COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MatlabManagerError as error:
            kind = Wrong if isinstance(error, SettingsInvalid) else click.ClickException
            raise kind("\n".join(filter(None, (str(error), error.hint)))) from error


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="matlab-container-manager", message="matlabctl %(version)s")
def main() -> None:
    """MATLAB Container Manager: a session in a container for each user.

    \b
    Examples:
      matlabctl serve              run the controller here
      matlabctl list               who has a session, and is it ready
      matlabctl validate           is desired_state.yaml right
      matlabctl COMMAND --help     what a command does and takes
    """
