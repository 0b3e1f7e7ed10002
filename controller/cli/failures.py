"""How a command ends that did not do what was asked: a sentence, and an exit code that scripts can tell apart.

`click.ClickException` itself is exit code 1: refused or failed.
"""

from __future__ import annotations

import click


class Wrong(click.ClickException):
    """The command, a setting or a file that it names cannot be used."""

    exit_code = 2


class Unreachable(click.ClickException):
    """No controller answers."""

    exit_code = 3
