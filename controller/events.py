"""What happened, as values: each event is of one kind, has a reason for programs and a sentence for people.

Who keeps them, tells of them and sends them on is elsewhere (`store/journal.py`, `live.py`, `webhooks.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class EventKind(StrEnum):
    WISH = "wish"
    """The desired state changed, or what was written of it was refused."""
    CONFLICT = "conflict"
    """Two writers met in one field."""
    BRAKE = "brake"
    """A change waits for approval, or waits no longer."""
    ACTION = "action"
    """A container was changed, or could not be."""
    TOKEN = "token"  # noqa: S105 - a word for programs
    """Who may call was changed."""
    NODE = "node"
    """A node of the swarm is to be empty or takes sessions again, or a lost one is given up."""
    SESSION = "session"
    """What was found of a user's session or folder."""
    ENGINE = "engine"
    """What was found of the engine."""
    WEBHOOK = "webhook"
    """A webhook could not be told of what happened; none is told of this."""


class EventReason(StrEnum):
    """Each is of one kind, as `REASONS` has it."""

    ADDED = "Added"
    CHANGED = "Changed"
    REMOVED = "Removed"
    DEFAULT_CHANGED = "DefaultChanged"
    PAUSED = "Paused"
    RESUMED = "Resumed"
    BEGUN = "Begun"
    """The first state, in which nobody is wanted yet."""
    REFUSED = "Refused"
    MERGED = "Merged"
    HELD = "Held"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    WITHDRAWN = "Withdrawn"
    ACTION_DONE = "ActionDone"
    ACTION_FAILED = "ActionFailed"
    TOKEN_MADE = "TokenMade"  # noqa: S105
    TOKEN_REVOKED = "TokenRevoked"  # noqa: S105
    DRAINING = "Draining"
    ACTIVATED = "Activated"
    FENCED = "Fenced"
    """A lost node was switched off, and given up."""
    NOT_FENCED = "NotFenced"
    """A lost node is not given up, and its sessions wait."""
    READY = "Ready"
    NOT_READY = "NotReady"
    OVER_QUOTA = "OverQuota"
    WITHIN_QUOTA = "WithinQuota"
    LOST = "Lost"
    REACHED = "Reached"
    OPEN = "Open"
    """Sessions may reach through the network what they should not."""
    ENCLOSED = "Enclosed"
    GAVE_UP = "GaveUp"


_R = EventReason
REASONS: Mapping[EventKind, tuple[EventReason, ...]] = MappingProxyType(
    {
        EventKind.WISH: (
            *(_R.ADDED, _R.CHANGED, _R.REMOVED, _R.DEFAULT_CHANGED),
            *(_R.PAUSED, _R.RESUMED, _R.BEGUN, _R.REFUSED),
        ),
        EventKind.CONFLICT: (_R.MERGED,),
        EventKind.BRAKE: (_R.HELD, _R.APPROVED, _R.REJECTED, _R.WITHDRAWN),
        EventKind.ACTION: (_R.ACTION_DONE, _R.ACTION_FAILED),
        EventKind.TOKEN: (_R.TOKEN_MADE, _R.TOKEN_REVOKED),
        EventKind.NODE: (_R.DRAINING, _R.ACTIVATED, _R.FENCED, _R.NOT_FENCED),
        EventKind.SESSION: (_R.READY, _R.NOT_READY, _R.OVER_QUOTA, _R.WITHIN_QUOTA),
        EventKind.ENGINE: (_R.LOST, _R.REACHED, _R.OPEN, _R.ENCLOSED),
        EventKind.WEBHOOK: (_R.GAVE_UP,),
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and that somebody may want to know of later."""

    kind: EventKind
    reason: EventReason
    message: str
    """A sentence for people."""
    user_id: int | None = None
    generation: int | None = None
    container: str | None = None
    writer: str = ""
    """Whose doing it was; empty: the controller's own."""
    before: int | None = None
    """The generation that was in force, where this made `generation` of it."""
    request_id: str | None = None
    """Of the API call that did it, or whose wish it carried out for the first time; `None`: no call asked for it."""


EVERY_KIND = tuple(EventKind)
AUDITED = EVERY_KIND[:6]
"""Kinds of events that are a change of the desired state, of a container by us, of who may call, or of where sessions
may be."""
