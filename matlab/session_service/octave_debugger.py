"""PURE. What Octave's debugger prints, in MATLAB's words: with its prompt, and without the places in our own functions.

Octave prints it piece by piece, so from where the debugger begins until the command ends, text goes on line by line.
"""

from __future__ import annotations

import re

from .interpreter import DEBUGGER_PROMPT

BEGINS = "stopped in "
PROMPT = re.compile(r"(?:\[\d+\])?(?:debug|keyboard)> \Z")
COMMAND = "/opt/session/command/__session_eval__"
OUR_PLACE = re.compile(rf"stopped in {COMMAND}|\s*(?:-->)?\s*(?:{COMMAND}|__session_\w+__) at line \d")
PADDED = re.compile(r"^(  --> |      ) *(\S+ at line \d)")
LISTED = re.compile(r"\d+: ")
HEADING = "stopped in:\n"


class Debugger:
    """Reads the text of one terminal."""

    def __init__(self) -> None:
        self._on = False
        self._rest = ""
        self._left_out = False
        """The last line was."""

    def read(self, text: str) -> str:
        """What is to be shown by now."""
        begins = 0 if self._on else text.find(BEGINS)
        if begins < 0:
            return PROMPT.sub(DEBUGGER_PROMPT, text) if text.endswith("> ") else text
        self._on = True
        before, text = text[:begins], text[begins:]
        *lines, self._rest = (self._rest + text).split("\n")
        shown = before + "".join(self._line(f"{line}\n") for line in lines)
        if PROMPT.search(self._rest):
            shown += PROMPT.sub(DEBUGGER_PROMPT, self._rest)
            self._rest, self._left_out = "", False
        return shown

    def rest(self, *, over: bool) -> str:
        """What was kept back: the interpreter says something else now. `over`: its command has ended."""
        rest, self._rest = self._rest, ""
        if over:
            self._on = self._left_out = False
        return rest

    def _line(self, line: str) -> str:
        listed = LISTED.match(line) or line == "\n"
        self._left_out = line == HEADING or bool(OUR_PLACE.match(line)) or bool(self._left_out and listed)
        return "" if self._left_out else PADDED.sub(r"\1\2", line)
