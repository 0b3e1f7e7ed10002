"""A process on a terminal of its own: typed to, signalled, and heard, as text and frames, until all of it was said.

The text of a command never passes through the terminal: it is put into a file in memory, which the process finds as
descriptor `TEXT_DESCRIPTOR`. So it may be long, and it works while /tmp is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import tty
from collections.abc import Mapping, Sequence
from pathlib import Path

from .frames import FrameReader
from .interpreter import TEXT_DESCRIPTOR, Hearer

READ_SIZE = 64 * 1024
READS_IN_A_ROW = 32
"""Then others get their turn, however much is printed."""

TRICKLE = 16 * 1024
TRICKLES_IN_A_ROW = 32
TRICKLE_SECONDS = 0.004
"""Who prints line by line wakes us for each of them, and pays for it too. After so many times in a row of little and
nothing but text, we look only so often: 100,000 lines take a third less time, and a tenth of our work."""


class Terminal:
    """Made by `run`."""

    def __init__(
        self, process: asyncio.subprocess.Process, terminal: int, text_file: int, reader: FrameReader, hear: Hearer
    ) -> None:
        self._process = process
        self._terminal = terminal
        self._text_file = text_file
        self._reader = reader
        self._hear = hear
        self._trickles = 0
        self._next_look: asyncio.TimerHandle | None = None
        self._look_when_told()

    @classmethod
    async def run(
        cls, command: Sequence[str], environment: Mapping[str, str], folder: Path, frame_prefix: str, hear: Hearer
    ) -> Terminal:
        """Raises: OSError: no more processes, no memory."""
        terminal, inner = pty.openpty()
        text_file = _memory_file()
        try:
            tty.setraw(inner)
            os.set_blocking(terminal, False)
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=inner,
                stdout=inner,
                stderr=inner,
                cwd=folder,
                env=environment,
                pass_fds=(text_file,),
                start_new_session=True,
            )
        except BaseException:
            os.close(terminal)
            os.close(text_file)
            raise
        finally:
            os.close(inner)
        return cls(process, terminal, text_file, FrameReader(frame_prefix), hear)

    @property
    def pid(self) -> int:
        return self._process.pid

    def put(self, text: str) -> None:
        """Into the file in memory, in place of what was there."""
        os.ftruncate(self._text_file, 0)
        os.pwrite(self._text_file, text.encode(), 0)

    def type(self, line: str) -> None:
        """A line on the terminal, for whatever reads there."""
        with contextlib.suppress(OSError):  # it just died; `wait` tells
            os.write(self._terminal, line.encode() + b"\n")

    def signal(self, number: signal.Signals) -> None:
        """To the process and to what it runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def rests(self) -> bool:
        """Whether every thread waits for something, such as a line: not so one that has something to do, such as to
        hear a signal, and no processor for it."""
        try:
            return all(_sleeps(thread) for thread in Path(f"/proc/{self.pid}/task").iterdir())
        except OSError:  # it, or a thread, just died; `wait` tells
            return not Path(f"/proc/{self.pid}").exists()

    async def gone(self) -> None:
        """Wait until the process is gone; there may still be something to hear."""
        await self._process.wait()

    async def wait(self) -> int:
        """Wait until the process is gone and all that it said was heard; its exit code, or minus a signal's number.

        To be awaited to some end, if only to a cancellation: the terminal is closed then.
        """
        try:
            code = await self._process.wait()
            self._read()
            if rest := self._reader.close():
                self._hear(rest)
            return code
        finally:
            self.signal(signal.SIGKILL)  # to what it may have left running
            if self._next_look is not None:
                self._next_look.cancel()
            asyncio.get_running_loop().remove_reader(self._terminal)
            os.close(self._terminal)
            os.close(self._text_file)

    def _look_when_told(self) -> None:
        asyncio.get_running_loop().add_reader(self._terminal, self._look)

    def _look(self) -> None:
        self._trickles = self._trickles + 1 if 0 < self._read() < TRICKLE else 0
        if self._trickles > TRICKLES_IN_A_ROW:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._terminal)
            self._next_look = loop.call_later(TRICKLE_SECONDS, self._look_when_told)

    def _read(self) -> int:
        """Hear what there is; how many bytes of text, 0 if there was more than text."""
        size, text_only = 0, True
        for _ in range(READS_IN_A_ROW):
            try:
                data = os.read(self._terminal, READ_SIZE)
            except BlockingIOError:
                break
            except OSError:  # EIO: nobody holds the other end any more
                asyncio.get_running_loop().remove_reader(self._terminal)
                break
            size += len(data)
            for item in self._reader.feed(data):
                text_only = text_only and isinstance(item, str)
                self._hear(item)
        return size if text_only else 0


def _sleeps(thread: Path) -> bool:
    """Raises: OSError: it is gone."""
    return (thread / "stat").read_bytes().rpartition(b")")[2].split()[0] == b"S"


def _memory_file() -> int:
    file = os.memfd_create("command")
    if file != TEXT_DESCRIPTOR:
        os.dup2(file, TEXT_DESCRIPTOR)
        os.close(file)
    return TEXT_DESCRIPTOR
