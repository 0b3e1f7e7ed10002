"""The process that speaks for MATLAB: it holds the one connection to the shared engine, and says on its terminal what
Octave says on its own.

A process of its own, because MATLAB's engine writes what a command prints to this process's standard output, while the
command runs, and to nothing else that could be read before its end; because it is native code, whose crash should not
be the service's; and because it is not made for threads. So there is one thread, which looks now and then whether
the command is over and whether somebody wants it to be.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import sys
from typing import Any

import matlab.engine

from .interpreter import TEXT_DESCRIPTOR

FUNCTIONS = "/opt/session/mfiles"
"""Folder of the package `mcm`, MATLAB's side of this."""

CONNECT_SECONDS = 0.5
"""Between two looks for the engine: MATLAB takes half a minute to start, and may wait for a licence."""

LOOK_SECONDS = 2.0
"""Between two looks whether the engine is still there, while nothing runs."""

FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05
"""Seconds between two looks whether a command is over."""

ENDED = (matlab.engine.EngineError, matlab.engine.RejectedExecutionError, SystemError)
"""What the engine raises when MATLAB is gone."""

BROKEN = (matlab.engine.MatlabExecutionError, SyntaxError)
STOPPED = (matlab.engine.CancelledError, matlab.engine.InterruptedError)

Json = dict[str, Any]


class Left(Exception):
    """The service wants nothing more."""


class Typed:
    """The lines that the service types."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []

    def next(self, seconds: float) -> str | None:
        """The next line, waiting for it so long.

        Raises:
            Left: the service is gone.
        """
        if not self._lines and select.select([0], [], [], seconds)[0]:
            try:
                data = os.read(0, 65536)
            except OSError as error:
                raise Left from error
            if not data:
                raise Left
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines += [line.decode() for line in lines]
        return self._lines.pop(0) if self._lines else None


class Link:
    def __init__(self, engine: Any, frame_prefix: str, typed: Typed) -> None:
        self._engine = engine
        self._prefix = frame_prefix
        self._typed = typed

    def speak(self, *, safe_mode: bool) -> None:
        """Raises: one of ENDED, when MATLAB is gone; Left."""
        self._say("ready", version=self._engine.version(), **self._state())
        self._evaluate(0, "startup", "" if safe_mode else os.environ["SESSION_FOLDER"])
        while True:
            line = self._typed.next(LOOK_SECONDS)
            match line.split() if line is not None else ["look"]:
                case ["evaluate", number]:
                    self._evaluate(int(number), "evaluate", _text())
                case ["ask", number, question]:
                    self._ask(int(number), question, _text())
                case ["settle", number]:
                    self._say("settled", number=int(number))
                    self._say("prompt")
                case ["leave"]:
                    raise Left
                case ["look"]:
                    self._look()

    def _evaluate(self, number: int, function: str, argument: str) -> None:
        try:
            outcome = json.loads(self._run(f"mcm.{function}", argument))
        except STOPPED:
            outcome = {"status": "interrupted"}
        except BROKEN as error:
            outcome = {"status": "error", "error": {"message": self._mend(error)}}
        self._say("end", id=number, **outcome, **self._state())
        self._say("prompt")

    def _ask(self, number: int, question: str, params: str) -> None:
        try:
            answer = json.loads(self._engine.feval("mcm.answer", question, params))
        except BROKEN as error:
            answer = {"error": self._mend(error)}
        self._say("answer", id=number, **answer)
        self._say("prompt")

    def _run(self, function: str, argument: str) -> Any:
        """What it returns, with a Ctrl-C passed on while it runs."""
        future = self._engine.feval(function, argument, background=True)
        pause = FIRST_PAUSE
        while not future.done():
            match self._typed.next(pause):
                case "interrupt":
                    future.cancel()
                case "leave":
                    future.cancel()
                    raise Left
            pause = min(2 * pause, LONGEST_PAUSE)
            _flush()
        return future.result()

    def _state(self) -> Json:
        """The current folder and the figures."""
        try:
            state: Json = json.loads(self._engine.feval("mcm.state"))
        except BROKEN as error:
            self._mend(error)
            return {}
        return state

    def _mend(self, error: Exception) -> str:
        """Errors of a user's code never come this far, but `restoredefaultpath` takes our own functions away."""
        self._engine.addpath(FUNCTIONS, nargout=0)
        return str(error)

    def _look(self) -> None:
        """A MATLAB that ended while nothing ran tells nobody."""
        if os.environ["SESSION_ENGINE"] not in matlab.engine.find_matlab():
            raise matlab.engine.EngineError("MATLAB is gone.")

    def _say(self, frame: str, **content: Any) -> None:
        _flush()
        data = f"{self._prefix}{json.dumps({'frame': frame, **content})}\a".encode()
        while data:
            data = data[os.write(1, data) :]


def connect(name: str, typed: Typed) -> Any:
    """Wait until MATLAB shares its engine under this name. MATLAB's start-up code does, when all is ready.

    Raises:
        Left: nobody waits any more.
    """
    while True:
        if name in matlab.engine.find_matlab():
            try:
                return matlab.engine.connect_matlab(name)
            except matlab.engine.EngineError:
                pass  # it just ended
        if typed.next(CONNECT_SECONDS) == "leave":
            raise Left


def main() -> int:
    typed = Typed()
    try:
        engine = connect(os.environ["SESSION_ENGINE"], typed)
        Link(engine, os.environ["SESSION_FRAME"], typed).speak(safe_mode=bool(os.environ["SESSION_SAFE_MODE"]))
    except Left:
        return 0
    except ENDED:
        return os.EX_UNAVAILABLE
    return 0


def _text() -> str:
    """What the service has put there for us."""
    return os.pread(TEXT_DESCRIPTOR, os.fstat(TEXT_DESCRIPTOR).st_size, 0).decode()


def _flush() -> None:
    """What the engine printed into C's own buffers."""
    ctypes.CDLL(None).fflush(None)


if __name__ == "__main__":
    sys.exit(main())
