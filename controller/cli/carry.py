"""`export` and `import`: carry a desired state, comments and all, from one controller or one home to another."""

from __future__ import annotations

from pathlib import Path

import click

from controller import yamltext
from controller.cli.api import Api, speaks
from controller.cli.failures import Wrong
from controller.cli.flags import output_flag
from controller.cli.output import print_data
from controller.cli.texts import read_text
from controller.cli.wish import bring_in, refuse


@click.command("export")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@speaks
@output_flag
def export_command(api: Api, file: Path | None, output: str) -> None:
    """Write the desired state in force, as it is kept, to FILE or to standard output.

    FILE must not be there yet. Whatever the state lives in, this is the text that `import` takes. With `-o json` or
    `yaml` it is told together with its generation.

    \b
    Examples:
      matlabctl export backup.yaml
      matlabctl export --server http://old:8080 | matlabctl import -
    """
    told = api.get("/v1/desired-state", "text")
    text = yamltext.with_end_mark(told["text"])  # a text on a branch of git has none, and a copy may be cut off
    kept = {"generation": told["generation"], "text": text}
    if file is None:
        click.echo(kept["text"], nl=False) if output == "table" else print_data(kept, output)
        return
    try:
        with file.open("x", encoding="utf-8", newline="") as stream:
            stream.write(kept["text"])
    except FileExistsError as error:
        raise Wrong(f"{file} is there already, and nothing is overwritten: take another name.") from error
    except OSError as error:
        raise Wrong(f"{file} cannot be written: {error.strerror}.") from error
    if output != "table":
        print_data({"generation": kept["generation"], "file": str(file)}, output)
    else:
        click.echo(f"Wrote {file}: generation {kept['generation']}.")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--force", is_flag=True, help="Pass the brake: many sessions may end at once.")
@speaks
@output_flag
def import_command(api: Api, file: Path, force: bool, output: str) -> None:
    """Bring FILE (`-`: standard input) into force as the whole desired state, whatever generation it was exported from.

    `apply` would merge a text that names an earlier generation; this one takes its word for everything.

    \b
    Examples:
      matlabctl import backup.yaml
      matlabctl export --server http://old:8080 | matlabctl import -
    """
    text = read_text(file)
    problems = api.send("POST", "/v1/plan", {"text": text}).body["problems"]
    if problems:
        refuse(file, problems)
    bring_in(api, file, yamltext.drop(text, ("generation",)), force, output)
