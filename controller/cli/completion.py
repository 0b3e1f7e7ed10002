"""`completion`: what makes a shell complete `matlabctl`'s commands and flags."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print what makes SHELL complete matlabctl's commands and flags.

    \b
    Examples:
      source <(matlabctl completion bash)
      matlabctl completion bash > /etc/bash_completion.d/matlabctl
      matlabctl completion zsh > ~/.zfunc/_matlabctl
      matlabctl completion fish > ~/.config/fish/completions/matlabctl.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101
    click.echo(kind(click.get_current_context().find_root().command, {}, "matlabctl", "_MATLABCTL_COMPLETE").source())
