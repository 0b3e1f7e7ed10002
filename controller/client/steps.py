"""What a verb is made of: steps, each of which says what is to be sent or waited for, and is told what came of it.

`calls.py` writes verbs as steps; `blocking.py` and `aio.py` take them, each in its own way. That a verb is a function
on the one and a coroutine on the other follows from that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from controller import event_shapes

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """To be sent. The step is told the `Response`, or that there is none: `Lost`."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    """The token is among them."""
    body: bytes | None
    timeout: float
    again: bool
    """It does no more when it is done twice."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    content: bytes
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    why: str
    sent: bool
    """Something may have reached the controller."""


@dataclass(frozen=True, slots=True)
class Pause:
    """To be waited. The step is told the time that it is then, in seconds since whenever."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Listen:
    """To be sent. Its answer is a stream, whose pieces come with `More`: the step is told its status, or `Lost`."""

    request: Request


@dataclass(frozen=True, slots=True)
class More:
    """The step is told the next piece of the stream, or `Lost`; an empty one is its end."""


@dataclass(frozen=True, slots=True)
class Happened:
    """For who follows."""

    event: event_shapes.HappenedEvent


Steps = Generator[Request | Pause, Any, T]
Following = Generator[Request | Pause | Listen | More | Happened, Any, T]


class Verb(Generic[P, T]):
    """A call, written as steps: a function on a `Blocking` client, a coroutine function on an `Awaiting` one."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Steps[T]]) -> None:
        self.steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Blocking | Awaiting | None, owner: type) -> Any:
        if client is None:
            return self

        @functools.wraps(self.steps)
        def call(*args: P.args, **more: P.kwargs) -> Any:
            return client.take(self.steps(client, *args, **more))

        return call


class Blocking:
    """A client whose verbs return the answer."""

    def take(self, steps: Steps[T]) -> T:
        raise NotImplementedError


class Awaiting:
    """A client whose verbs are awaited."""

    async def take(self, steps: Steps[T]) -> T:
        raise NotImplementedError
