"""`matlabctl`: the list of commands, and what a failed one says and exits with.

A command's module is imported when that command is run, so that `--help` and completion are quick and `serve` carries
no table printer.
"""

from __future__ import annotations

import difflib
import errno
import os
import shutil
import sys
import textwrap
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from controller.cli.failures import Unreachable, Wrong, usage_sentence
from controller.errors import MatlabManagerError, SettingsInvalid

COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "See": {
        "list": ("look", "Show sessions; -w follows. Also `get`."),
        "describe": ("detail", "Show all that is known of a session."),
        "why": ("detail", "Say why a session is as it is, and what is next."),
        "health": ("look", "Tell whether sessions can be used."),
        "events": ("follow", "Show what happened; -f follows."),
        "audit": ("audit", "Show who changed what, from where, and why; -f follows."),
        "logs": ("follow", "Print what a session wrote; -f follows."),
        "open": ("browse", "Open a session's page in a browser."),
        "status": ("look", "Show how the running controller is doing."),
    },
    "Change": {
        "create": ("change", "Give users a session."),
        "start": ("change", "Start stopped sessions."),
        "stop": ("change", "Stop sessions and keep their containers."),
        "restart": ("change", "Restart sessions."),
        "destroy": ("change", "Remove users and their containers; files stay."),
    },
    "Desired state": {
        "plan": ("plan", "Show what would be done, and why; offline, too."),
        "diff": ("wish", "Show how two texts of the desired state differ."),
        "apply": ("wish", "Bring a file into force."),
        "history": ("wish", "Show the generations, and what each changed."),
        "rollback": ("wish", "Bring an earlier generation back."),
        "export": ("carry", "Write the desired state in force to a file."),
        "import": ("carry", "Take a file as the whole desired state."),
        "approve": ("brake", "Let pass what the brake holds."),
        "reject": ("brake", "Drop what the brake holds."),
        "pause": ("brake", "Leave containers alone for now."),
        "resume": ("brake", "Take that back."),
        "validate": ("offline", "Check a desired state without a controller."),
        "schema": ("offline", "Print the JSON Schema of the desired state."),
    },
    "Run": {
        "serve": ("serve", "Run the controller in the foreground."),
        "service": ("service", "Run it as a systemd service."),
        "node": ("node", "Show a swarm's nodes; empty one, take it back."),
        "token": ("token", "Say who may call the API."),
        "backup": ("backup", "Write all that the controller knows to a file."),
        "restore": ("backup", "Put such a file back."),
        "migrate": ("migrate", "Take all sessions to a swarm, or back to one host."),
        "doctor": ("doctor", "Check this machine, each finding with its mend."),
        "settings": ("offline", "Show every setting and where its value comes from."),
        "completion": ("completion", "Print a shell's completion of this command."),
    },
}
"""By section of `matlabctl --help`: each name, the module that has it as `<name>_command`, and its line there."""

ERROR = "Error: "
"""What click puts before a message."""
OTHER_NAMES = {"get": "list"}

EXIT_CODES = """\
\b
Exit codes:
  0  done
  1  refused or failed
  2  the command or a setting is wrong; plan, diff: something is to be done
  3  the controller cannot be reached"""


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = OTHER_NAMES.get(cmd_name, cmd_name)
        place = next((section[name] for section in COMMANDS.values() if name in section), None)
        if place is None:
            return None
        command = getattr(import_module(f"{__name__}.{place[0]}"), f"{name}_command")
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        broad = max(map(len, self.list_commands(ctx)))  # the same in every section
        for title, section in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{broad}}", words) for name, (_, words) in section.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands' names, with no command's module loaded."""
        commands = [(name, words) for section in COMMANDS.values() for name, (_, words) in section.items()]
        found = [CompletionItem(name, help=words) for name, words in commands if name.startswith(incomplete)]
        return found + (click.Command.shell_complete(self, ctx, incomplete) if incomplete.startswith("-") else [])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], [*self.list_commands(ctx), *OTHER_NAMES], 1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean `{close[0]}`?", ctx) from error

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*args, **more)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise Wrong(_fitted(usage_sentence(error))) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MatlabManagerError as error:
            kind = Wrong if isinstance(error, SettingsInvalid) else click.ClickException
            raise kind(_fitted("\n".join(filter(None, (str(error), error.hint))))) from error
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise Wrong(_fitted(usage_sentence(error))) from error
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again at its end
            raise click.ClickException("There is no room on the disk for what was to be written.") from error
        except click.ClickException as error:
            kind = {Wrong.exit_code: Wrong, Unreachable.exit_code: Unreachable}.get(
                error.exit_code, click.ClickException
            )
            raise kind(_fitted(error.message)) from error


def _fitted(message: str) -> str:
    """Wrapped between words where a person reads it, and one line where a program does."""
    if not sys.stderr.isatty():
        return message
    width = max(20, shutil.get_terminal_size().columns - 1)
    lines = [textwrap.fill(line, width, initial_indent=ERROR) for line in message.split("\n")]
    return "\n".join(line.removeprefix(ERROR) for line in lines)


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
      matlabctl create 1-5,9       give these users a session
      matlabctl list -w            who has a session, and is it ready
      matlabctl plan FILE          what would be done, were this the desired state
      matlabctl why 7              why user 7's session is as it is
      matlabctl COMMAND --help     what a command does and takes
    """
