"""How a command ends that did not do what was asked: a sentence, and an exit code that scripts can tell apart.

`click.ClickException` itself is exit code 1: refused or failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from controller.errors import SettingsInvalid

SOMETHING_TO_DO = 2
"""Exit code of `plan` and `diff` where there is a difference; what is wrong with the command is 1 there."""


class Wrong(click.ClickException):
    """The command, a setting or a file that it names cannot be used."""

    exit_code = 2


class Unreachable(click.ClickException):
    """No controller answers."""

    exit_code = 3


class Another(Unreachable):
    """What answers is not this controller, and will not be however often it is asked."""


class Refused(click.ClickException):
    """The controller answered, and said no."""

    def __init__(self, message: str, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


def usage_sentence(error: click.UsageError) -> str:
    """What is wrong with the words that were typed, and where the right ones stand: in place of click's three lines."""
    said = error.format_message()
    where = error.ctx.command_path if error.ctx else "matlabctl"
    return f"{said if said.endswith(('.', '!', '?')) else f'{said}.'} `{where} --help` tells how it is used."


class Comparing(click.Command):
    """A command whose exit code 2 is its answer, so that whatever is wrong has to be another: 1."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*args, **more)
        except click.UsageError as error:
            raise click.ClickException(usage_sentence(error)) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, SettingsInvalid) as error:
            if isinstance(error, click.ClickException) and error.exit_code != SOMETHING_TO_DO:
                raise
            words = error.format_message() if isinstance(error, click.ClickException) else str(error)
            raise click.ClickException(words) from error
