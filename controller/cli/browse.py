"""`open`: a session's page in a browser; where there is none, its address."""

from __future__ import annotations

import os
import sys
import webbrowser

import click

from controller.cli.api import Api, speaks
from controller.cli.flags import output_flag
from controller.cli.output import print_data
from controller.cli.words import condition


@click.command("open")
@click.argument("user", type=click.IntRange(1, 999))
@click.option("-p", "--print", "only_print", is_flag=True, help="Print the address and open nothing.")
@speaks
@output_flag
def open_command(api: Api, user: int, only_print: bool, output: str) -> None:
    """Open a session's page in a browser. Where there is no screen, print the address that opens it.

    The address holds the session's token where it asks for one: who has it can use the session.

    \b
    Examples:
      matlabctl open 7
      firefox "$(matlabctl open 7 --print)"
      matlabctl open 7 -o json | jq -r .url    (opens nothing)
    """
    document = api.get(f"/v1/users/{user}", "conditions")
    address = document["access_url"]
    if address is None:
        raise click.ClickException(f"There is no page to open: {document['why']}")
    answers = condition(document, "WebReady")["status"] == "True"
    if output != "table":
        print_data({"user_id": user, "url": address, "answers": answers, "why": document["why"]}, output)
        return
    if not answers:
        click.echo(f"The page does not answer yet: {document['why']}", err=True)
    if only_print or not _has_screen() or not webbrowser.open(address):
        click.echo(address)
    else:
        click.echo(f"Opened {document['container_id']} in the browser.")


def _has_screen() -> bool:
    """A browser in this terminal would be the last thing one wants."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
