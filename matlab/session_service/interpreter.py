"""What the session asks of an interpreter, whichever it is: Octave (`octave.py`), or MATLAB (`matlab.py`).

An interpreter is told one thing at a time, and says what it prints as text and what it means as frames, in order:
`ready` once, `end` of an evaluation, `answer` to a question, `input` when it asks its users, `settled`, and `prompt`
when it waits for the next thing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from .frames import Frame

Hearer = Callable[[str | Frame], None]

TEXT_DESCRIPTOR = 100
"""Where an interpreter finds the text that it is told about: a file in memory, open as this."""

DEBUGGER_PROMPT = "K>> "
"""What `keyboard` and breakpoints print before they wait for a line."""


class Interpreter(Protocol):
    """One that was started; ends by itself or by `kill`, and `wait` tells how."""

    @property
    def pid(self) -> int: ...

    def evaluate(self, number: int, code: str) -> None:
        """To be called at the prompt only; ends with a frame `end` of that number, then a frame `prompt`."""

    def ask(self, number: int, question: str, params: dict[str, Any]) -> None:
        """To be called at the prompt only; ends with a frame `answer` of that number, then a frame `prompt`."""

    def type(self, line: str) -> None:
        """A line for whatever reads in it."""

    def interrupt(self) -> None:
        """Ctrl-C."""

    def settle(self, number: int) -> None:
        """Use up a Ctrl-C that may have come too late, before the next command.

        Ends with a frame `settled` of that number, then a frame `prompt`; or with only the latter: try again.
        """

    def folder(self) -> str | None:
        """Its current folder."""

    def kill(self) -> None:
        """End it, whatever it does."""

    async def wait(self) -> int:
        """Wait until it is gone and all that it said was heard; its exit code, or minus a signal's number.

        However this ends, by cancellation too, nothing of it is left running that would hear another word.
        """


class Interpreters(Protocol):
    """Where interpreters of one kind come from."""

    @property
    def name(self) -> str: ...

    @property
    def command_file(self) -> str | None:
        """The file that errors name where they mean the text of the command."""

    async def start(self, folder: Path, hear: Hearer, *, safe_mode: bool) -> Interpreter:
        """Start one in `folder`; in safe mode without the user's own startup.m. `hear` is called with all it says.

        Raises:
            OSError: it cannot be started now.
        """
