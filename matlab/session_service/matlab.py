"""MATLAB, as an interpreter of the session: a link to its shared engine (`matlab_link.py`), and its life and death by
way of its desktop (`matlab_desktop.py`).

What Octave's interpreter can do and this one cannot: nobody can answer `input` or `keyboard`, since the engine has no
way to; and figures are pictures.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

from .frames import Frame, frame_prefix
from .interpreter import Hearer
from .matlab_desktop import Desktop
from .terminal import Terminal

log = logging.getLogger(__name__)

LINK = "session_service.matlab_link"
OURS_ONLY = ("-P", "-s")
"""Flags of Python: it runs in the user's folder, and takes no modules from there."""
LEAVE_SECONDS = 2.0
"""Time for the link to stop what runs and to leave, before it is made to."""


class Matlabs:
    """Each is the only one of its time: MATLAB ends with the link to it, and starts anew for the next."""

    name = "matlab"
    command_file = None

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop

    async def start(self, folder: Path, hear: Hearer, *, safe_mode: bool) -> Matlab:
        await self._desktop.begin_matlab()
        prefix = frame_prefix(secrets.token_hex(8))
        environment = {
            **self._desktop.environment,
            "SESSION_FRAME": prefix,
            "SESSION_SAFE_MODE": "1" if safe_mode else "",
            "LD_LIBRARY_PATH": os.environ.get("SESSION_LIBRARIES", ""),  # for the link alone: MATLAB has its own of all
        }
        heard = _Heard(hear)
        terminal = await Terminal.run((sys.executable, *OURS_ONLY, "-m", LINK), environment, folder, prefix, heard)
        return Matlab(terminal, heard, self._desktop)


class Matlab:
    """Made by `Matlabs.start`."""

    def __init__(self, terminal: Terminal, heard: _Heard, desktop: Desktop) -> None:
        self._terminal = terminal
        self._heard = heard
        self._desktop = desktop
        self._last_resort: asyncio.TimerHandle | None = None
        """Set once it is to end."""

    @property
    def pid(self) -> int:
        """Of the link."""
        return self._terminal.pid

    def evaluate(self, number: int, code: str) -> None:
        self._terminal.put(code)
        self.type(f"evaluate {number}")

    def ask(self, number: int, question: str, params: dict[str, Any]) -> None:
        self._terminal.put(json.dumps(params))
        self.type(f"ask {number} {question}")

    def type(self, line: str) -> None:
        self._terminal.type(line)

    def interrupt(self) -> None:
        self.type("interrupt")

    def settle(self, number: int) -> None:
        self.type(f"settle {number}")

    def folder(self) -> str | None:
        return self._heard.folder

    def kill(self) -> None:
        self.type("leave")
        loop = asyncio.get_running_loop()
        self._last_resort = loop.call_later(LEAVE_SECONDS, self._terminal.signal, signal.SIGKILL)

    async def wait(self) -> int:
        """MATLAB is given its time to end properly, so that finish.m runs and the licence is given back.

        It goes on where the link ended by itself before it was one: then MATLAB is not to blame, and may be starting.
        """
        matlab_ends = True
        try:
            await self._terminal.gone()
            matlab_ends = self._heard.linked or self._last_resort is not None
        finally:
            if self._last_resort is not None:
                self._last_resort.cancel()
            if matlab_ends:
                self.interrupt()  # what runs would keep MATLAB from ending
                await self._desktop.end_matlab()
            self._terminal.signal(signal.SIGKILL)
            code = await self._terminal.wait()
        if not self._heard.linked:
            last_words = self._heard.before.strip().rpartition("\n")[2]
            log.error("no link to MATLAB", extra={"exit_code": code, "reason": last_words})
        return code


class _Heard:
    """Passes on what is heard, and remembers MATLAB's current folder, which frames tell."""

    def __init__(self, hear: Hearer) -> None:
        self._hear = hear
        self.linked = False
        self.before = ""
        """What was printed before the first frame: no command's output, but the link's own trouble."""
        self.folder: str | None = None

    def __call__(self, item: str | Frame) -> None:
        if isinstance(item, str):
            if not self.linked:
                self.before += item
                return
        else:
            self.linked = True
            self.folder = item.get("folder", self.folder)
        self._hear(item)
