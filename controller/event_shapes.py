"""What is told of what happened and of what changes, as types: events, the audit, and the messages of the streams.

As `shapes.py` has the rest: pure, and nothing but declarations.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import GetPydanticSchema, ValidationError
from pydantic_core import core_schema
from typing_extensions import TypedDict

from controller.events import EventKind, EventReason
from controller.shapes import User, UserNumber, described


def _or_newer(known: type[StrEnum]) -> GetPydanticSchema:
    """One of `known` to all who read the schema; who reads an answer takes a newer controller's word as it stands."""

    def read(value: Any, as_known: core_schema.ValidatorFunctionWrapHandler) -> Any:
        try:
            return as_known(value)
        except ValidationError:
            if isinstance(value, str):
                return value
            raise

    return GetPydanticSchema(lambda _, of: core_schema.no_info_wrap_validator_function(read, of(known)))


Kind = Annotated[EventKind | str, _or_newer(EventKind)]
Reason = Annotated[EventReason | str, _or_newer(EventReason)]


@described
class HappenedEvent(TypedDict):
    id: int
    at: datetime
    kind: Kind
    reason: Reason
    message: str
    user_id: int | None
    generation: int | None
    container: str | None
    writer: str
    """Whose doing it was; empty: the controller's own."""
    before: int | None
    """The generation that was in force, where this made `generation` of it."""
    request_id: str | None
    """Of the API call that did it, or whose wish it carried out; null: no call asked for it."""


@described
class Gap(TypedDict):
    """More happened than a stream goes back: `GET /v1/events` has what follows this event and is not told here."""

    after: int


@described
class WatchedUsers(TypedDict):
    """Who changed in more than in use and in when they were looked at."""

    all: bool
    """Everybody: nobody else is there."""
    users: list[User]
    gone: list[int]
    """Neither declared nor there any more."""


@described
class UsageSample(TypedDict):
    at: datetime
    users: dict[UserNumber, tuple[float, int]]
    """Of each whose session runs: percent of one core, and bytes of memory."""


@described
class WatchedUsage(TypedDict):
    """What sessions use: first the last samples, then each as it is taken."""

    samples: list[UsageSample]
    """Oldest first."""


@described
class Events(TypedDict):
    events: list[HappenedEvent]
    """Oldest first."""


@described
class AuditRecord(TypedDict):
    id: int
    at: datetime
    who: str
    """`controller`, or the writer: an API call with its token or user, `file`, a commit with its author, a user."""
    where: str
    """An address, `this machine`, or `git`."""
    kind: Kind
    """`wish`, `conflict` or `brake`: the desired state; `action`: a call of the engine; `token`: who may call."""
    what: Reason
    why: str
    """From what to what, or for what reason."""
    user_id: int | None
    container: str | None
    before: int | None
    """The generation that was in force, where this made another one."""
    generation: int | None
    """The one that it made, or that it was done for."""
    request_id: str | None
    """Of the API call that did it, or whose wish it carried out; null: no call asked for it."""


@described
class Audit(TypedDict):
    records: list[AuditRecord]
    """Oldest first."""
