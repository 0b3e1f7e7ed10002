"""As much of `matlab.engine` as the session's link uses, with the behaviour that MathWorks documents:
https://www.mathworks.com/help/matlab/matlab-engine-for-python.html

What a call prints goes to the process's standard output while it runs, or all at once into `stdout` at its end. A
future that was cancelled is done when MATLAB has stopped, and its result is a `CancelledError`. A session that is gone
is noticed by the next call. One difference: nothing here is made for numbers; text goes in, and text comes out.
"""

from __future__ import annotations

import io
import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

SHARED = Path("/tmp/stand-in-engines")


class EngineError(Exception):
    """MATLAB cannot be started or connected to."""


class MatlabExecutionError(Exception):
    """The function failed in MATLAB."""


class RejectedExecutionError(Exception):
    """The engine is terminated."""


class CancelledError(Exception):
    """The call was cancelled."""


class InterruptedError(Exception):  # noqa: A001 - its name there
    """The call was interrupted."""


class TimeoutError(Exception):  # noqa: A001 - its name there
    """The result is not there in time."""


def find_matlab() -> tuple[str, ...]:
    return tuple(sorted(file.name for file in SHARED.glob("*") if _connected(file.name) is not None))


def connect_matlab(name: str) -> MatlabEngine:
    connection = _connected(name)
    if connection is None:
        raise EngineError(f"Unable to connect to MATLAB session '{name}'.")
    return MatlabEngine(connection)


def _connected(name: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(SHARED / name))
    except OSError:
        connection.close()
        return None
    return connection


class MatlabEngine:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._calls: dict[int, FutureResult] = {}
        self._alive = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: object, **options: Any) -> Any:
            return self.feval(name, *arguments, **options)

        return call

    def feval(
        self,
        function: str,
        *arguments: object,
        nargout: int = 1,
        background: bool = False,
        stdout: io.StringIO | None = None,
    ) -> Any:
        if stdout is not None and not isinstance(stdout, io.StringIO):
            raise TypeError("stdout must be an instance of io.StringIO.")
        if not self._alive:
            raise RejectedExecutionError("MATLAB has already terminated.")
        future = FutureResult(self, len(self._calls) + 1, stdout)
        self._calls[future.number] = future
        self.send({"call": future.number, "function": function, "arguments": arguments, "nargout": nargout})
        return future if background else future.result()

    def send(self, message: dict[str, Any]) -> None:
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._die()

    def _read(self) -> None:
        try:
            for line in self._connection.makefile("rb"):
                message = json.loads(line)
                self._calls[message["call"]].hear(message)
        except OSError:
            pass
        self._die()

    def _die(self) -> None:
        self._alive = False
        for future in self._calls.values():
            future.lose()


class FutureResult:
    """Made by a call with `background=True`."""

    def __init__(self, engine: MatlabEngine, number: int, stdout: io.StringIO | None) -> None:
        self.number = number
        self._engine = engine
        self._stdout = stdout
        self._printed = ""
        self._over = threading.Event()
        self._ended: dict[str, Any] = {}
        self._cancelled = False

    def done(self) -> bool:
        return self._over.is_set()

    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> bool:
        if self.done():
            return False
        self._cancelled = True
        self._engine.send({"cancel": self.number})
        return True

    def result(self, timeout: float | None = None) -> Any:
        if not self._over.wait(timeout):
            raise TimeoutError("The result is not available in time.")
        if self._stdout is not None:
            self._stdout.write(self._printed)
        match self._ended:
            case {"lost": _}:
                raise RejectedExecutionError("MATLAB has already terminated.")
            case {"interrupted": _}:
                raise CancelledError("The MATLAB function was cancelled.")
            case {"error": message}:
                raise MatlabExecutionError(message)
        return self._ended.get("result")

    def hear(self, message: dict[str, Any]) -> None:
        if "print" in message:
            self._print(message["print"])
        else:
            self._ended = message
            self._over.set()

    def lose(self) -> None:
        if not self.done():
            self._ended = {"lost": True}
            self._over.set()

    def _print(self, text: str) -> None:
        if self._stdout is not None:
            self._printed += text
            return
        data = text.encode()
        while data:
            data = data[os.write(1, data) :]
