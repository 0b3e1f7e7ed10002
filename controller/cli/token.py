"""`token`: who may call the API, where it asks. Works on the state folder, so it needs no controller and no token."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from controller.caller import Scope
from controller.cli.flags import config_flag, load_settings, output_flag
from controller.cli.output import print_data, print_lines, print_table
from controller.cli.words import BAD, WAITING, Cell, when
from controller.settings import Settings
from controller.spec import format_instant, parse_instant
from controller.tokens import LOCAL, Token, TokenFile

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
CENTURY = timedelta(days=36_500)


@click.group("token")
def token_command() -> None:
    """Make, list and revoke the tokens that open the API, where it asks for one (setting `api_tokens`).

    Run it as the controller's user, or as root. What it changes holds at once, for a running controller, too.

    \b
    Examples:
      matlabctl token create --name platform
      matlabctl token create --name monitoring --scope read --expires 90d
      matlabctl token list
      matlabctl token revoke platform
    """


def _name(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value) is None:
        raise click.BadParameter("A name is 1 to 63 letters, digits, `-`, `_` and `.`, with a letter or digit first.")
    if value == LOCAL:
        raise click.BadParameter(f"{LOCAL} is the name of this machine's own token, which the controller makes.")
    return value


def _moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    now = datetime.now(UTC)
    span = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", value)
    moment = now + int(span[1]) * UNITS[span[2]] if span else parse_instant(value)
    if moment is None or not now < moment < now + CENTURY:
        raise click.BadParameter("It must be such as 12h, 90d, 8w, or a moment to come: 2027-07-31T00:00:00Z.")
    return moment


@token_command.command("create")
@click.option("--name", callback=_name, help="Who will use it; stands in the audit.  [default: made up]")
@click.option(
    "--scope",
    type=click.Choice([each.value for each in Scope]),
    default=Scope.WRITE.value,
    show_default=True,
    help="`write` changes things and opens sessions, `read` only looks.",
)
@click.option("--expires", callback=_moment, metavar="WHEN", help="12h, 90d, 8w, or a moment.  [default: never]")
@config_flag
@output_flag
def create(name: str | None, scope: str, expires: datetime | None, config: Path | None, output: str) -> None:
    """Make a token and print it, this once: only its digest is kept.

    \b
    Examples:
      matlabctl token create --name platform
      matlabctl token create --name ci --scope read --expires 90d
      TOKEN=$(matlabctl token create --name script -o json | jq -r .token)
      curl -H "Authorization: Bearer $TOKEN" http://lab.example.org:8080/list
    """
    settings = load_settings(config, {}).settings
    named = name or f"token-{secrets.token_hex(3)}"
    given = _file(settings).add(named, Scope(scope), expires)
    if output != "table":
        until = format_instant(expires) if expires else None
        print_data({"name": named, "scope": scope, "expires": until, "token": given}, output)
        return
    click.echo(given)
    click.echo(f"This is the token {named}, to {scope}: keep it now, it is shown once.", err=True)
    _say_if_off(settings)


@token_command.command("list")
@config_flag
@output_flag
def list_tokens(config: Path | None, output: str) -> None:
    """Show the tokens: their names, what they allow, until when. The tokens themselves are not kept.

    \b
    Examples:
      matlabctl token list
      matlabctl token list -o json | jq -r '.tokens[].name'
    """
    settings = load_settings(config, {}).settings
    tokens, now = _file(settings).kept(), datetime.now(UTC)
    if output != "table":
        print_data({"asked_for": settings.api_locked, "tokens": [_told(each) for each in tokens]}, output)
        return
    if tokens:
        print_table(("NAME", "SCOPE", "MADE", "EXPIRES"), [_row(each, now) for each in tokens])
    else:
        click.echo("There is no token.")
    _say_if_off(settings)


@token_command.command("revoke")
@click.argument("name")
@config_flag
@output_flag
def revoke(name: str, config: Path | None, output: str) -> None:
    """Take a token back: the next call with it is refused.

    \b
    Example:
      matlabctl token revoke platform
    """
    settings = load_settings(config, {}).settings
    _file(settings).remove(name)
    if output != "table":
        print_data({"name": name, "revoked": True}, output)
        return
    click.echo(f"The token {name} opens nothing any more.")
    if name == LOCAL:
        print_lines(("It was this machine's own; the controller makes another when it starts again.", WAITING))


def _file(settings: Settings) -> TokenFile:
    return TokenFile(settings.state_dir)


def _told(token: Token) -> dict[str, str | None]:
    until = format_instant(token.expires) if token.expires else None
    return {"name": token.name, "scope": token.scope.value, "made": format_instant(token.made), "expires": until}


def _row(token: Token, now: datetime) -> tuple[Cell, ...]:
    until = when(format_instant(token.expires), now) if token.expires else "never"
    return (
        token.name,
        token.scope.value,
        when(format_instant(token.made), now),
        until if token.lives(now) else (until, BAD),
    )


def _say_if_off(settings: Settings) -> None:
    if not settings.api_locked:
        click.echo("As the settings stand here, the API asks for no token (api_tokens).", err=True)
