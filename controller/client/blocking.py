"""The client for programs without an event loop. Each call has a connection of its own, so threads may share a client.

Asked directly, whatever proxy the environment names.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TypeVar, assert_never

from controller import event_shapes
from controller.client.calls import Calls
from controller.client.steps import Blocking, Happened, Listen, Lost, More, Pause, Request, Response, Steps
from controller.events import EventKind

T = TypeVar("T")

PIECE = 64 * 1024
"""Bytes of a stream that are taken at once at most."""


class Client(Calls, Blocking):
    def take(self, steps: Steps[T]) -> T:
        told: object = None
        while True:
            try:
                step = steps.send(told)
            except StopIteration as end:
                answer: T = end.value
                return answer
            told = self._exchange(step) if isinstance(step, Request) else _pause(step)

    def follow_events(
        self, user_id: int | None = None, after: int | None = None, kinds: Sequence[EventKind] = ()
    ) -> Iterator[event_shapes.HappenedEvent]:
        """What happens, as it happens, each event once and without end: those after the id `after`, or from now on.

        After 0 are all that are kept. A stream that breaks off is taken up where it was.

        Raises Refused and Unreachable, as any call.
        """
        steps = self._following(user_id, after, kinds)
        told: object = None
        with ExitStack() as held:
            while True:
                step = steps.send(told)
                told = None
                match step:
                    case Happened():
                        yield step.event
                    case Listen():
                        held.close()
                        stream = self._open(step.request, held)
                        told = stream if isinstance(stream, Lost) else stream.status
                    case More():
                        told = _piece(stream)
                    case Request():
                        told = self._exchange(step)
                    case Pause():
                        told = _pause(step)
                    case _:
                        assert_never(step)

    def _exchange(self, request: Request) -> Response | Lost:
        with ExitStack() as held:
            response = self._open(request, held)
            if isinstance(response, Lost):
                return response
            try:
                return Response(response.status, response.read(), response.headers.get("Retry-After", ""))
            except (OSError, HTTPException) as error:
                return Lost(_why(error), sent=True)

    def _open(self, request: Request, held: ExitStack) -> HTTPResponse | Lost:
        """The response with its content still to come, for as long as `held` is."""
        sent = False
        try:
            connection = self._connection(request.timeout)
            held.callback(connection.close)
            connection.connect()
            sent = True
            connection.request(request.method, request.target, request.body, dict(request.headers))
            return held.enter_context(connection.getresponse())
        except (OSError, HTTPException) as error:
            return Lost(_why(error), sent)

    def _connection(self, timeout: float) -> HTTPConnection:
        where = self._address
        if where.socket:
            return _SocketConnection(where.socket, timeout)
        if where.trust:
            return HTTPSConnection(where.host, where.port, timeout=timeout, context=where.trust)
        return HTTPConnection(where.host, where.port, timeout=timeout)


class _SocketConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _pause(pause: Pause) -> float:
    time.sleep(pause.seconds)
    return time.monotonic()


def _piece(stream: HTTPResponse | Lost) -> bytes | Lost:
    try:
        return stream if isinstance(stream, Lost) else stream.read1(PIECE)
    except (OSError, HTTPException) as error:
        return Lost(_why(error), sent=True)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
