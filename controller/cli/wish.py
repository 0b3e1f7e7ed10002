"""The commands that work with whole desired states: `apply`, `diff`, `history`, `rollback`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from controller.cli.api import Api, Json, speaks
from controller.cli.failures import SOMETHING_TO_DO, Comparing, Refused
from controller.cli.flags import output_flag, yes_flag
from controller.cli.output import Row, can_ask, is_wide, print_data, print_lines, print_table
from controller.cli.plan import change_cells, show
from controller.cli.texts import problem_lines, read_text
from controller.cli.words import BAD, GOOD, Cell, age, hand, when

GENERATION = click.IntRange(min=1)


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--force", is_flag=True, help="Pass the brake: many sessions may end at once.")
@click.option("--dry-run", is_flag=True, help="Show what would change and be done, as `plan FILE`, and apply nothing.")
@speaks
@output_flag
def apply_command(api: Api, file: Path, force: bool, dry_run: bool, output: str) -> None:
    """Bring FILE (`-`: standard input) into force as the desired state.

    It is taken as an edit of the desired state's file would be: a text with an older `generation:` is merged with what
    happened since; one without says it all. What would end many sessions waits for `matlabctl approve`, unless --force.

    \b
    Examples:
      matlabctl apply desired_state.yaml
      matlabctl apply desired_state.yaml --dry-run
      git show HEAD:class.yaml | matlabctl apply -
    """
    text = read_text(file)
    if dry_run:
        told = api.send("POST", "/v1/plan", {"text": text}).body
        if told["problems"]:
            refuse(file, told["problems"])
        if output != "table":
            print_data(told, output)
        else:
            show(told)
        return
    bring_in(api, file, text, force, output)


def bring_in(api: Api, file: Path, text: str, force: bool, output: str) -> None:
    """Have a text taken as the desired state, and tell what that changed. `file` is where it came from."""
    before = api.get("/v1/desired-state", "generation")["generation"]
    try:
        body = api.send("PUT", "/v1/desired-state", {"text": text, **({"force": True} if force else {})}).body
    except Refused as error:
        if error.status == 422 and "problems" in error.body:
            refuse(file, error.body["problems"])
        raise
    _tell(api, before, body["generation"], output)


def refuse(file: Path, problems: Sequence[Json]) -> NoReturn:
    """Raises ClickException, after a line for each fault."""
    print_lines(*problem_lines(file, problems))
    raise click.ClickException("Nothing was changed: the text has faults.")


@click.command("rollback")
@click.argument("generation", type=GENERATION)
@yes_flag
@speaks
@output_flag
def rollback_command(api: Api, generation: int, yes: bool, output: str) -> None:
    """Bring an earlier generation's text into force again, comments and all, as a new generation.

    `matlabctl history` lists them; `matlabctl diff N` shows beforehand what that changes.

    \b
    Examples:
      matlabctl history
      matlabctl diff 12
      matlabctl rollback 12
    """
    past = api.get(f"/v1/history/{generation}", "text")
    current = api.get("/v1/desired-state", "text")
    if not yes and can_ask():
        _print_diff(current["text"], past["text"], f"generation {current['generation']}", f"generation {generation}")
        click.confirm(f"Bring generation {generation} of {when(past['at'], datetime.now(UTC))} back?", abort=True)
    body = api.send("POST", "/v1/rollback", {"generation": generation}).body
    _tell(api, current["generation"], body["generation"], output)


def _tell(api: Api, before: int, after: int, output: str) -> None:
    """What a new generation brought."""
    if output != "table":
        print_data({"generation": after, "changed": after != before}, output)
    elif after == before:
        click.echo(f"Nothing changed: generation {after} says the same.")
    else:
        print_lines((f"Generation {after} is in force.", GOOD))
        _print_changes(api.get(f"/v1/history/{after}", "changes")["changes"])
        click.echo("`matlabctl list -w` shows how it is carried out.")


@click.command("history")
@click.argument("generation", type=GENERATION, required=False)
@click.option(
    "-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many of the last ones."
)
@click.option("--text", is_flag=True, help="Print GENERATION's text and nothing else.")
@speaks
@output_flag
def history_command(api: Api, generation: int | None, limit: int, text: bool, output: str) -> None:
    """Show the generations of the desired state, newest first; or what GENERATION changed, when, and by whose hand.

    \b
    Examples:
      matlabctl history
      matlabctl history 12
      matlabctl history 12 --text > before.yaml
    """
    now = datetime.now(UTC)
    if generation is None:
        if text:
            raise click.UsageError("--text needs a generation's number.")
        answer = api.get("/v1/history", "generations", limit=limit)
        if output != "table":
            print_data(answer, output)
            return
        heads = ("GENERATION", "WHEN", "WRITER", "CHANGED", "")
        print_table(heads, [_generation_row(each, now) for each in answer["generations"]])
        return
    past = api.get(f"/v1/history/{generation}", "text")
    if text:
        click.echo(past["text"], nl=False)
    elif output != "table":
        print_data(past, output)
    else:
        print_lines(f"Generation {generation}, {when(past['at'], now)}, by {hand(past['writer'])}")
        _print_changes(past["changes"])


def _generation_row(each: Json, now: datetime) -> Row:
    mark: Cell = ("in force", GOOD) if each["in_force"] else ""
    return (
        str(each["generation"]),
        when(each["at"], now) if is_wide() else age(each["at"], now),
        hand(each["writer"]),
        each["summary"],
        mark,
    )


def _print_changes(changes: list[Json] | None) -> None:
    if changes is None:
        click.echo("What it changed is not known any more: the generation before it is gone.")
    elif changes:
        print_table(("", "", ""), [change_cells(each) for each in changes])
    else:
        click.echo("It changed nobody's session.")


# ---------------------------------------------------------------- diff


@click.command("diff", cls=Comparing)
@click.argument("old", required=False, metavar="[OLD]")
@click.argument("new", required=False, metavar="[NEW]")
@speaks
@output_flag
def diff_command(api: Api, old: str | None, new: str | None, output: str) -> None:
    """Show how two texts of the desired state differ, line by line.

    Each is a generation's number or a file (`-`: standard input); where one is left out, it is the text in force. With
    a FILE alone: what applying it would change. With nothing: what the last generation changed. The exit code is 0 if
    they are the same, 2 if they differ, 1 if something is wrong, 3 if no controller can be reached.

    \b
    Examples:
      matlabctl diff
      matlabctl diff desired_state.yaml
      matlabctl diff 12
      matlabctl diff 12 15
      matlabctl diff -o json | jq -r '.diff[]'
    """
    current = api.get("/v1/desired-state", "text")
    here = (f"generation {current['generation']}", current["text"])
    if old is None:
        sides = (_text_of(api, str(max(1, current["generation"] - 1))), here)
    elif new is None:
        there = _text_of(api, old)
        sides = (there, here) if old.isdecimal() else (here, there)
    else:
        sides = (_text_of(api, old), _text_of(api, new))
    (name, text), (other_name, other_text) = sides
    if output == "table":
        differ = _print_diff(text, other_text, name, other_name)
    else:
        lines = _diff(text, other_text, name, other_name)
        differ = bool(lines)
        print_data({"old": name, "new": other_name, "differ": differ, "diff": lines}, output)
    sys.exit(SOMETHING_TO_DO if differ else 0)


def _text_of(api: Api, word: str) -> tuple[str, str]:
    if word.isdecimal():
        return f"generation {word}", api.get(f"/v1/history/{int(word)}", "text")["text"]
    return word, read_text(Path(word))


def _print_diff(old: str, new: str, old_name: str, new_name: str) -> bool:
    """Whether there is a difference."""
    lines = _diff(old, new, old_name, new_name)
    colours = {"+": GOOD, "-": BAD, "@": "cyan"}
    for line in lines:
        title = line.startswith(("+++", "---"))
        print_lines((line, "bold" if title else colours.get(line[:1], "")), wrap=False)
    if not lines:
        click.echo(f"{old_name} and {new_name} say the same.", err=True)
    return bool(lines)


def _diff(old: str, new: str, old_name: str, new_name: str) -> list[str]:
    """The lines of a unified diff; the generation's number is no difference."""
    before, after = (_without_generation(text) for text in (old, new))
    return list(difflib.unified_diff(before, after, old_name, new_name, lineterm=""))


def _without_generation(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("generation:")]
