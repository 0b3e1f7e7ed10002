"""PURE. How an evaluation ended, in the words of the protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Ending(StrEnum):
    OK = "ok"
    ERROR = "error"
    INTERRUPTED = "interrupted"
    DIED = "died"
    """The interpreter ended while it ran."""
    ABORTED = "aborted"
    """The interpreter ended before it ran."""


@dataclass(frozen=True, slots=True)
class StackFrame:
    file: str | None
    """`None` for the text of the command itself."""
    name: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class CodeError:
    identifier: str
    message: str
    stack: tuple[StackFrame, ...] = ()

    def as_json(self) -> dict[str, Any]:
        stack = [{"file": f.file, "name": f.name, "line": f.line, "column": f.column} for f in self.stack]
        return {"identifier": self.identifier, "message": self.message, "stack": stack}


def read_error(raw: Mapping[str, Any], command_file: str | None) -> CodeError:
    """From what the interpreter sent; our own frames and file names are taken out."""
    stack = raw.get("stack") or []
    frames = [stack] if isinstance(stack, dict) else stack  # jsonencode writes an array of one without its brackets
    message = str(raw.get("message", ""))
    if command_file is not None:
        message = re.sub(rf" of file {re.escape(command_file)}", "", message)
    return CodeError(
        str(raw.get("identifier", "")),
        message.strip("\n"),
        tuple(_frame(f, command_file) for f in frames if not _is_ours(f)),
    )


def _frame(raw: Mapping[str, Any], command_file: str | None) -> StackFrame:
    file, name = str(raw.get("file", "")), str(raw.get("name", ""))
    in_command = file in ("", command_file)
    return StackFrame(
        None if in_command else file, "" if name == file else name, int(raw.get("line", 0)), int(raw.get("column", 0))
    )


def _is_ours(raw: Mapping[str, Any]) -> bool:
    return str(raw.get("name", "")).startswith("__session_")
