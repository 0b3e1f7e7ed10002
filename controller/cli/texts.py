"""Whole texts of the desired state: read from a file, and their faults as editors read them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from controller.cli.api import Json
from controller.cli.failures import Wrong
from controller.logs import printable
from controller.settings import Settings

STDIN = Path("-")
LIMIT = 16 * 1024**2
"""Bytes; what is longer is no file of ours."""


def read_text(file: Path) -> str:
    """The text of a file, or of standard input for `-`.

    Raises:
        Wrong: it cannot be read, or is no text.
    """
    try:
        if file == STDIN:
            raw = sys.stdin.buffer.read(LIMIT)
        else:
            with file.open("rb") as stream:
                raw = stream.read(LIMIT)
        return raw.decode()
    except OSError as error:
        raise Wrong(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Wrong(f"{file} is not text in UTF-8 (byte {error.start}).") from error


def wish_file(settings: Settings) -> Path:
    """The file of the desired state. Raises Wrong where it is kept in none."""
    if settings.desired_state_file is None:
        raise Wrong("The settings keep the desired state in no file: name a FILE.")
    return settings.desired_state_file


def problem_lines(file: Path | str | None, problems: Sequence[Json]) -> Iterable[str]:
    """`file:line:column: sentence` for each."""
    for each in problems:
        place = f"{each['line']}:{each['column']}:" if each["line"] else ""
        yield printable(f"{file or 'desired state'}:{place} {each['message']}")
