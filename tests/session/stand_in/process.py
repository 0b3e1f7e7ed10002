"""Stands in for MATLAB's own process: runs the code after `-r`, and then what clients of the shared engine call, one
call after the other, on an Octave of its own. The line `exit` on standard input ends it as `exit` in MATLAB does, when
what runs is over; SIGTERM ends it at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from collections import deque
from pathlib import Path
from typing import Any

from matlab.engine import SHARED  # type: ignore[import-not-found]
from session_service.frames import Frame, frame_prefix  # type: ignore[import-not-found]
from session_service.interpreter import TEXT_DESCRIPTOR  # type: ignore[import-not-found]
from session_service.terminal import Terminal  # type: ignore[import-not-found]

MFILES = Path(__file__).with_name("mfiles")
AGAIN = 0.5
"""Seconds from one Ctrl-C to the next."""
OCTAVE = ("octave-cli", "--quiet", "--no-line-editing", "--interactive", "--no-history", "--no-init-file", "--persist")


class Client:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def tell(self, call: int, **content: Any) -> None:
        self._writer.write(json.dumps({"call": call, **content}).encode() + b"\n")


class Process:
    def __init__(self) -> None:
        self._terminal: Terminal
        self._socket = SHARED / f".{os.getpid()}"
        self._waiting: deque[tuple[Client, dict[str, Any]]] = deque()
        self._running: tuple[Client, dict[str, Any]] | None = None
        self._idle = self._leaving = False
        self._returned: Frame | None = None
        self._interrupted = False
        """A Ctrl-C was sent; it may not have come before its call was over, and must not hit the next."""

    async def run(self, code: str) -> int:
        SHARED.mkdir(exist_ok=True)
        prefix = frame_prefix(secrets.token_hex(8))
        environment = {
            **os.environ,
            "SESSION_FRAME": prefix,
            "SESSION_PROMPT": prefix + '{"frame":"prompt"}\a',
            "STAND_IN_CODE": code,
        }
        command = (*OCTAVE, "--path", str(MFILES), str(MFILES / "stand_in_start.m"))
        async with await asyncio.start_unix_server(self._serve, self._socket, limit=2**24):
            self._terminal = await Terminal.run(command, environment, Path.cwd(), prefix, self._hear)
            asyncio.get_running_loop().add_reader(0, self._read_standard_input)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._terminal.signal, signal.SIGKILL)
            code_of_exit: int = await self._terminal.wait()
        os._exit(code_of_exit)  # whoever is connected sees it at once

    def _hear(self, item: str | Frame) -> None:
        if isinstance(item, str):
            if self._running is not None and item:
                self._running[0].tell(self._running[1]["call"], print=item)
            return
        match item["frame"]:
            case "share":
                (SHARED / item["name"]).unlink(missing_ok=True)
                (SHARED / item["name"]).symlink_to(self._socket)
            case "returned":
                self._returned = item
            case "settled":
                self._interrupted = False
            case "prompt":
                self._on_prompt()

    def _on_prompt(self) -> None:
        if self._running is not None:
            client, request = self._running
            returned = self._returned or {"interrupted": True}
            client.tell(request["call"], **{name: value for name, value in returned.items() if name != "frame"})
            self._running = self._returned = None
        self._idle = True
        self._go_on()

    def _go_on(self) -> None:
        if not self._idle:
            return
        if self._interrupted:
            self._type('stand_in_send (struct ("frame", "settled"))')
        elif self._leaving:
            self._type("exit")
        elif self._waiting:
            self._running = self._waiting.popleft()
            self._terminal.put(json.dumps(self._running[1]))
            self._type(f'stand_in_call ("/proc/self/fd/{TEXT_DESCRIPTOR}")')

    def _type(self, line: str) -> None:
        self._idle = False
        self._terminal.type(line)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(writer)
        while line := await reader.readline():
            message = json.loads(line)
            if "cancel" not in message:
                self._waiting.append((client, message))
                self._go_on()
            elif self._running is not None and self._running[1]["call"] == message["cancel"]:
                self._interrupted = True
                self._interrupt(self._running[1])

    def _interrupt(self, request: dict[str, Any]) -> None:
        """Again and again, until its call is over: one that comes before Octave has begun with that, it forgets."""
        if self._running is not None and self._running[1] is request:
            self._terminal.signal(signal.SIGINT)
            asyncio.get_running_loop().call_later(AGAIN, self._interrupt, request)

    def _read_standard_input(self) -> None:
        if b"exit" not in os.read(0, 1024):
            asyncio.get_running_loop().remove_reader(0)
            return
        self._leaving = True
        self._go_on()


if __name__ == "__main__":
    sys.exit(asyncio.run(Process().run(sys.argv[sys.argv.index("-r") + 1])))
