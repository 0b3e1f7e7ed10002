"""Where the desired state lives. `wish_store.py` keeps what it means, `home.py` says where its text lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.errors import Problem
from controller.events import EVERY_KIND, Event
from controller.model import DesiredState, Wish


@dataclass(frozen=True, slots=True)
class WishHealth:
    """Whether the text as it stands now is in force, and if not, what is wrong with it."""

    source: str
    """Path of the file."""
    valid: bool
    problems: tuple[Problem, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """A good text that the brake holds until somebody approves it or rejects it."""

    id: str
    """Of this text against this state: another one after either changed."""
    since: datetime
    source: str
    """Where the text came from: `file`, `api`, or `start`, where nobody wrote it."""
    writer: str
    removes: tuple[int, ...]
    stops: tuple[int, ...]
    remakes: tuple[int, ...]
    """Users whose sessions it would end, and how."""
    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Who last changed an entry."""

    generation: int
    at: datetime
    writer: str
    request_id: str | None = None
    """Of the API call that did; `None`: another writer did."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One state as it came into force."""

    number: int
    at: datetime
    writer: str
    """Who brought it: `api <request id>`, `file` for an edit by hand, `start` for sessions that were found running."""
    text: str
    summary: str = ""
    """What it changed, in a few words."""
    users: tuple[int, ...] = ()
    """Whose entries it changed; 0 for what holds for all."""
    request_id: str | None = None
    """Of the API call that brought it; `None`: another writer did."""


@dataclass(frozen=True, slots=True)
class Commit:
    id: str
    author: str
    date: datetime
    subject: str


@dataclass(frozen=True, slots=True)
class Sync:
    """How the state stands to the branch of git that it follows."""

    url: str
    """Without a password."""
    branch: str
    path: str
    write: bool
    commit: Commit | None
    """The branch's newest, as last fetched; `None`: never."""
    in_force: str | None
    """Id of the last commit whose text came into force."""
    fetched_at: datetime | None
    error: str
    """Why the last fetch failed, or empty."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a text would make of the state in force."""

    state: DesiredState
    held: str
    """Why the brake would hold it, or empty."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it is kept."""

    id: int
    at: datetime
    event: Event


Change = Callable[[Wish | None], Wish | None]
"""Given a user's entry as it is (`None`: not there), the entry as it shall be (`None`: removed)."""


class Store(Protocol):
    """What the loop and the callers of single users need."""

    @property
    def current(self) -> DesiredState:
        """The last good state: the one in force. Generation 0: there was none yet, so nothing may be concluded."""
        ...

    @property
    def health(self) -> WishHealth: ...

    @property
    def pending(self) -> Pending | None: ...

    @property
    def sync(self) -> Sync | None:
        """Where the text is kept elsewhere: how that stands."""
        ...

    @property
    def founded(self) -> bool:
        """Where there was no history, what ran then is taken into account: who is not wanted may be removed."""
        ...

    def asked(self, user_id: int) -> Asked | None:
        """Who last changed this user's entry (0: what holds for all), as far as the history goes back."""
        ...

    def subscribe(self, listener: Callable[[frozenset[int]], None]) -> None:
        """`listener(ids)` is called on the event loop after each change, with the ids whose entry changed."""
        ...

    async def change(self, user_id: int, change: Change, writer: str) -> DesiredState:
        """Change one user's entry; returns the state in force afterwards, durable on disk.

        `change` runs under the store's lock and may raise to refuse; an entry left as it was writes nothing. It runs
        once more when somebody else wrote meanwhile.

        Raises:
            NotPersisted: it could not be written; nothing changed.
            PolicyBroken: it asks for more than the operator allows.
            WishInvalid: there was no good state yet, so there is none that could be changed.
        """
        ...

    async def surveyed(self, running: Mapping[int, str | None]) -> None:
        """All users whose containers of ours run now, each with the session id that it was made for."""
        ...

    def record(self, event: Event) -> None:
        """Keep what happened. Never blocks and never fails."""
        ...

    def follow(self, listener: Callable[[], None]) -> None:
        """`listener()` is called on the event loop when events were written down."""
        ...

    async def run(self) -> None:
        """Watch for other writers until cancelled."""
        ...


class Texts(Protocol):
    """What whoever works with whole texts needs besides."""

    @property
    def text(self) -> str:
        """The text in force."""
        ...

    @property
    def refused(self) -> str | None:
        """The text as it lies there, where that is not in force; `None` also where it is no text at all."""
        ...

    @property
    def waiting(self) -> str | None:
        """The text of what is `pending`."""
        ...

    async def amend(
        self, amend: Callable[[DesiredState], DesiredState], writer: str, *, braked: bool = False
    ) -> DesiredState:
        """As `change`, for more than one entry.

        Raises:
            NeedsApproval: `braked`, and it would end more sessions than the brake lets pass; nothing changed.
        """
        ...

    async def apply(self, text: str, writer: str, *, base: int | None = None, force: bool = False) -> DesiredState:
        """Take a whole text as an edit of the file would be taken; `force` passes the brake.

        Args:
            base: the generation that it was edited from, where its home has texts that do not say so themselves;
                `None` is the one in force.

        Raises:
            WishInvalid: it is no good.
            NeedsApproval: the brake holds it; it is `pending` now.
            NotPersisted: it could not be written; nothing changed.
        """
        ...

    def refresh(self) -> None:
        """Look now for what others wrote."""
        ...

    async def weigh(self, text: str, base: int | None = None) -> Weighed:
        """What `apply` would do with this text. Raises WishInvalid."""
        ...

    async def approve(self, pending_id: str, writer: str) -> DesiredState:
        """Bring what waits into force.

        Raises:
            NotPending: nothing waits under this id, or no longer.
        """
        ...

    async def reject(self, pending_id: str, writer: str) -> None:
        """Drop what waits; a file that says it is set aside, and the text in force put in its place.

        Raises:
            NotPending: nothing waits under this id, or no longer.
        """
        ...

    async def rollback(self, generation: int, writer: str) -> DesiredState:
        """Bring an earlier text into force again, as a new generation.

        Raises:
            NoSuchGeneration: the history does not have it; and whatever `apply` raises.
        """
        ...

    async def history(self, limit: int) -> Sequence[Generation]:
        """The last generations, newest first."""
        ...

    async def generation(self, number: int) -> tuple[Generation, Generation | None]:
        """One of them, and the one before it. Raises NoSuchGeneration."""
        ...

    async def events(
        self, user_id: int | None, after: int, limit: int, kinds: Sequence[str] = EVERY_KIND
    ) -> Sequence[Recorded]:
        """What happened, oldest first: the first `limit` after that id, or the last ones where `after` is 0."""
        ...
