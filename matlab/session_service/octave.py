"""One Octave process on its own terminal: started, fed, interrupted, killed. What its output means is `session.py`'s.

Octave's own prompt is the loop that evaluates. The text of a command never passes through the terminal: it is put into
a file in memory that Octave sources, so that it is parsed as a whole before any of it runs, errors know their line, and
it works while /tmp is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import secrets
import signal
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import limits
from .frames import Frame, FrameReader, frame_prefix

STARTUP = Path("/opt/session/octave/startup.m")
COMMAND = ("octave-cli", "--quiet", "--no-line-editing", "--interactive", "--no-history", "--no-init-file", "--persist")

COMMAND_FILE = "/opt/session/command/__session_eval__"
"""Where Octave finds the text to run: a link in the image to `COMMAND_DESCRIPTOR`. It has the name of a function that
exists because `source` looks its file's name up first, and for an unknown one Octave scans its whole path: 3 ms."""

COMMAND_DESCRIPTOR = 100

READ_SIZE = 64 * 1024
READS_IN_A_ROW = 32
"""Then others get their turn, however much is printed."""


class Octave:
    """Made by `start`; ends by itself or by `kill`, and `wait` tells how."""

    def __init__(
        self, process: asyncio.subprocess.Process, terminal: int, command_file: int, reader: FrameReader, hear: Hearer
    ) -> None:
        self._process = process
        self._terminal = terminal
        self._command_file = command_file
        self._reader = reader
        self._hear = hear
        asyncio.get_running_loop().add_reader(terminal, self._read)

    @classmethod
    async def start(cls, folder: Path, hear: Hearer, *, safe_mode: bool) -> Octave:
        """Start in `folder`; in safe mode without the user's own startup.m. `hear` is called with all that it says."""
        terminal, inner = pty.openpty()
        command_file = _memory_file()
        prefix = frame_prefix(secrets.token_hex(8))
        try:
            tty.setraw(inner)
            os.set_blocking(terminal, False)
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                str(STARTUP),
                stdin=inner,
                stdout=inner,
                stderr=inner,
                cwd=folder,
                env=_environment(folder, prefix, safe_mode),
                pass_fds=(command_file,),
                start_new_session=True,
            )
        except BaseException:
            os.close(terminal)
            os.close(command_file)
            raise
        finally:
            os.close(inner)
        limits.prefer_as_victim(process.pid)
        limits.guard_memory(process.pid, limits.memory_limit())
        return cls(process, terminal, command_file, FrameReader(prefix), hear)

    @property
    def pid(self) -> int:
        return self._process.pid

    def evaluate(self, number: int, code: str) -> None:
        """To be called at the prompt only; ends with a frame `end` of that number, then a frame `prompt`."""
        limits.guard_memory(self.pid, limits.memory_limit())
        self._put(code)
        self.type(f"__session_eval__ ({number})")

    def ask(self, number: int, function: str, given: str, params: dict[str, Any]) -> None:
        """To be called at the prompt only; ends with a frame `answer` of that number, then a frame `prompt`."""
        self._put(json.dumps(params))
        self.type(f'__session_ask__ ({number}, "{function}"{", " if given else ""}{given})')

    def interrupt(self) -> None:
        """Ctrl-C, for Octave and for what it runs: the signal to Octave alone does not stop `system("sleep 60")`."""
        self._signal(signal.SIGINT)
        self.type("")  # where Octave waits for input it looks for a Ctrl-C only after a line

    def settle(self, number: int) -> None:
        """Use up a Ctrl-C that may have come too late, and the line typed with it, before the next command.

        Ends with a frame `settled` of that number, then a frame `prompt`; or with only the latter: try again.
        """
        self.type(f"__session_settle__ ({number})")

    def type(self, line: str) -> None:
        """A line on its terminal, for whatever reads there."""
        with contextlib.suppress(OSError):  # it just died; `wait` tells
            os.write(self._terminal, line.encode() + b"\n")

    def folder(self) -> str | None:
        """Its current folder."""
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/{self.pid}/cwd")
        return None

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait until the process is gone and all that it said was heard; its exit code, or minus a signal's number."""
        try:
            code = await self._process.wait()
            self._read()
            if rest := self._reader.close():
                self._hear(rest)
            return code
        finally:
            self.kill()  # what it may have left running
            asyncio.get_running_loop().remove_reader(self._terminal)
            os.close(self._terminal)
            os.close(self._command_file)

    def _put(self, text: str) -> None:
        os.ftruncate(self._command_file, 0)
        os.pwrite(self._command_file, text.encode(), 0)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        for _ in range(READS_IN_A_ROW):
            try:
                data = os.read(self._terminal, READ_SIZE)
            except BlockingIOError:
                return
            except OSError:  # EIO: nobody holds the other end any more
                asyncio.get_running_loop().remove_reader(self._terminal)
                return
            for item in self._reader.feed(data):
                self._hear(item)


Hearer = Callable[[str | Frame], None]


def _memory_file() -> int:
    file = os.memfd_create("command")
    if file != COMMAND_DESCRIPTOR:
        os.dup2(file, COMMAND_DESCRIPTOR)
        os.close(file)
    return COMMAND_DESCRIPTOR


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
