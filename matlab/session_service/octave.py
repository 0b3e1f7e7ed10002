"""Octave, on its own terminal: started, fed, interrupted, killed. What its output means is `session.py`'s.

A function of ours, `__session_serve__`, is the loop that evaluates. A Ctrl-C throws Octave out of it to its own
prompt, which takes the same lines, only more slowly; the next command enters the loop again. The text of a command is a
file that Octave sources, so that it is parsed as a whole before any of it runs, and errors know their line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import limits
from .frames import Frame, frame_prefix
from .interpreter import DEBUGGER_PROMPT, Hearer
from .octave_debugger import Debugger
from .terminal import Terminal

STARTUP = Path("/opt/session/octave/startup.m")
COMMAND = ("octave-cli", "--quiet", "--no-line-editing", "--interactive", "--no-history", "--no-init-file", "--persist")

COMMAND_FILE = "/opt/session/command/__session_eval__"
"""Where Octave finds the text to run: a link in the image to the terminal's file in memory. It has the name of a
function that exists because `source` looks its file's name up first, and for an unknown one Octave scans its whole
path: 3 ms."""

GIVEN = {
    "whos": ', builtin ("whos")',
    "value": ', builtin ("who")',
    "complete": ', completion_matches ("{word}")',
}
"""Evaluated for a question at the prompt, where the user's variables are: Octave's code of further arguments."""
LINE_SOON, LINE_LATE = 0.05, 0.3
"""Seconds from a Ctrl-C to the line that makes Octave look for it: where it waits for one, and where it may without
telling."""

TURN_BEFORE, TURN_AFTER = 0.1, 0.02
"""Seconds before and after the turn of one second to the next in which Octave is not to read a folder, as
`__session_serve__` has it: the first is for what it takes Octave to come to that."""


class Octave:
    """Made by `start`; ends by itself or by `kill`, and `wait` tells how."""

    name = "octave"
    command_file = COMMAND_FILE

    def __init__(self, terminal: Terminal, heard: _Heard) -> None:
        self._terminal = terminal
        self._heard = heard
        self._line: asyncio.TimerHandle | None = None
        self._settle: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls, folder: Path, hear: Hearer, *, safe_mode: bool) -> Octave:
        prefix = frame_prefix(secrets.token_hex(8))
        environment = _environment(folder, prefix, safe_mode)
        heard = _Heard(hear)
        terminal = await Terminal.run((*COMMAND, str(STARTUP)), environment, folder, prefix, heard)
        limits.prefer_as_victim(terminal.pid)
        limits.guard_memory(terminal.pid, limits.memory_limit())
        return cls(terminal, heard)

    @property
    def pid(self) -> int:
        return self._terminal.pid

    def evaluate(self, number: int, code: str) -> None:
        limits.guard_memory(self.pid, limits.memory_limit())
        self._terminal.put(code)
        self._carry_out(f"__session_eval__ ({number})")

    def ask(self, number: int, question: str, params: dict[str, Any]) -> None:
        self._terminal.put(json.dumps(params))
        given = GIVEN.get(question, "").format(**params)
        self._carry_out(f'__session_ask__ ({number}, "__session_{question}__"{given})')

    def type(self, line: str) -> None:
        self._heard.waits = False
        self._terminal.type(line)

    def interrupt(self) -> None:
        """For Octave and for what it runs: the signal to Octave alone does not stop `system("sleep 60")`.

        Where Octave waits for input it looks for a Ctrl-C only after a line. One that comes just before it waits, it
        forgets, and would take the line for the answer: so both come again once it is sure to wait. What it says comes
        first, and then, on a busy machine, it may get no processor for a long time. Nor may the line overtake the
        signal, which a thread of its own hears.
        """
        again = self._heard.interrupting is not None
        self._heard.interrupting = self._type_line_soon
        self._terminal.signal(signal.SIGINT)
        if self._line is None or not again:
            self._type_line_in(LINE_SOON if self._heard.waits else LINE_LATE)

    def settle(self, number: int) -> None:
        """Uses up the line typed with the Ctrl-C, too. Octave's own prompt reads the folders when it has a line."""
        if self._settle is not None:
            self._settle.cancel()
        delay, line = until_turned(time.time()), f"__session_settle__ ({number})"
        self._settle = asyncio.get_running_loop().call_later(delay, self.type, line)

    def folder(self) -> str | None:
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/{self.pid}/cwd")
        return None

    def kill(self) -> None:
        self._terminal.signal(signal.SIGKILL)

    async def wait(self) -> int:
        try:
            return await self._terminal.wait()
        finally:
            for timer in (self._line, self._settle):
                if timer is not None:
                    timer.cancel()

    def _type_line_soon(self) -> None:
        self._type_line_in(LINE_SOON)

    def _type_line_in(self, seconds: float, *, sent_again: bool = False) -> None:
        if self._line is not None:
            self._line.cancel()
        self._line = asyncio.get_running_loop().call_later(seconds, self._type_line, sent_again)

    def _type_line(self, sent_again: bool) -> None:
        self._line = None
        if self._heard.interrupting is None:
            return
        if not self._terminal.rests():  # it may come to wait, and take the line for the answer
            self._type_line_in(LINE_SOON, sent_again=sent_again)
        elif self._heard.waits and not sent_again:
            self._terminal.signal(signal.SIGINT)
            self._type_line_in(LINE_SOON, sent_again=True)
        else:
            self.type("")

    def _carry_out(self, line: str) -> None:
        self.type(line if self._heard.served else f"__session_serve__ ('{line}')")


class _Heard:
    """Passes on what Octave says, its debugger in MATLAB's words, and knows which of its two prompts it waits at."""

    def __init__(self, hear: Hearer) -> None:
        self._hear = hear
        self._debugger = Debugger()
        self.served = False
        """In our loop."""
        self.waits = False
        """For a line of input; the prompt is none."""
        self.interrupting: Callable[[], None] | None = None
        """A Ctrl-C was sent and has led to no prompt yet; to be called when Octave comes to wait."""

    def __call__(self, item: str | Frame) -> None:
        if isinstance(item, str):
            if shown := self._debugger.read(item):
                self._hear(shown)
                if shown.endswith(DEBUGGER_PROMPT):
                    self.waits = True
            return
        at_prompt = item.get("frame") == "prompt"
        if at_prompt:
            self.served = item.get("served") is True
            self.waits, self.interrupting = False, None
        elif item.get("frame") == "input":
            self.waits = True
            if self.interrupting is not None:
                self.interrupting()
        if rest := self._debugger.rest(over=at_prompt):
            self._hear(rest)
        self._hear(item)


def until_turned(moment: float) -> float:
    """Seconds from there until Octave may read a folder; 0 but about the turn of a second."""
    since = (moment + TURN_BEFORE) % 1
    return TURN_BEFORE + TURN_AFTER - since if since < TURN_BEFORE + TURN_AFTER else 0.0


def _environment(folder: Path, prefix: str, safe_mode: bool) -> dict[str, str]:
    threads = str(limits.cpus())
    return {
        **os.environ,
        "SESSION_FOLDER": str(folder),
        "SESSION_COMMAND": COMMAND_FILE,
        "SESSION_FRAME": prefix,
        "SESSION_PROMPT": prefix + '{"frame":"prompt"}\a',
        "SESSION_SAFE_MODE": "1" if safe_mode else "",
        "OPENBLAS_NUM_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "OCTAVE_HISTFILE": "/dev/null",
        "TERM": "dumb",
    }
