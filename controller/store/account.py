"""What a change comes to, as values: the record of a generation, its events, and what is said of a text that waits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from controller import merge, spec
from controller.brake import Toll
from controller.caller import request_of
from controller.events import Event, EventKind, EventReason
from controller.model import DesiredState, RunState, Wish
from controller.store import Generation, Pending
from controller.store.history import Offer


def record(before: DesiredState, after: DesiredState, writer: str, text: str, at: datetime) -> Generation:
    users = spec.changed_users(before, after)
    for_all = (before.default_profile, before.paused) != (after.default_profile, after.paused)
    return Generation(
        after.generation,
        at,
        writer,
        text,
        merge.summary(before, after),
        (*([0] if for_all else []), *users),
        request_of(writer),
    )


def changes(before: DesiredState, after: DesiredState, writer: str) -> Iterator[Event]:
    """One event for each entry that changed; of a new generation at least one: the first may name nobody."""
    said = [
        *_entries(before, after),
        *([_default(before, after)] if before.default_profile != after.default_profile else []),
        *([_for_all(after)] if before.paused != after.paused else []),
    ]
    if not said and after.generation > before.generation:
        said = [Event(EventKind.WISH, EventReason.BEGUN, "nobody is wanted yet")]
    for each in said:
        yield replace(
            each,
            message=f"{writer}: {each.message}",
            generation=after.generation,
            before=before.generation or None,
            writer=writer,
            request_id=request_of(writer),
        )


def _entries(before: DesiredState, after: DesiredState) -> Iterator[Event]:
    for user_id in spec.changed_users(before, after):
        was, now = before.users.get(user_id), after.users.get(user_id)
        reason = EventReason.CHANGED
        if was is None or now is None:
            reason = EventReason.REMOVED if now is None else EventReason.ADDED
        yield Event(EventKind.WISH, reason, f"{merge.shown(was)} → {merge.shown(now)}", user_id)


def _default(before: DesiredState, after: DesiredState) -> Event:
    told = f"the default profile: {merge.shown(before.default_profile)} → {after.default_profile}"
    return Event(EventKind.WISH, EventReason.DEFAULT_CHANGED, told)


def _for_all(after: DesiredState) -> Event:
    return Event(EventKind.WISH, EventReason.PAUSED if after.paused else EventReason.RESUMED, "for everybody")


def note(before: DesiredState, after: DesiredState, writer: str) -> str:
    """A change as a commit tells of it: `create user 7 (session abc-123)`, and below who asked for it."""
    changed = spec.changed_users(before, after)
    if len(changed) == 1 and (before.default_profile, before.paused) == (after.default_profile, after.paused):
        [user_id] = changed
        subject = _deed(user_id, before.users.get(user_id), after.users.get(user_id))
    else:
        subject = merge.summary(before, after)
    return f"{subject}\n\nAsked-by: {writer}\nGeneration: {after.generation}\n"


def _deed(user_id: int, was: Wish | None, now: Wish | None) -> str:
    if now is None:
        return f"destroy user {user_id}"
    if was is None:
        return f"create user {user_id}" + (f" (session {now.session_id})" if now.session_id else "")
    if was.restart_at != now.restart_at:
        return f"restart user {user_id}"
    if was.paused != now.paused:
        return f"{'pause' if now.paused else 'resume'} user {user_id}"
    if was.state is not now.state:
        return f"{'stop' if now.state is RunState.STOPPED else 'start'} user {user_id}"
    return f"change user {user_id}" + (f" (session {now.session_id})" if now.session_id else "")


def met(conflict: merge.Conflict, writer: str, generation: int) -> Event:
    """Two writers in one field: both values, lest the lost one be lost without a word."""
    what = "default" if conflict.user_id is None else "entry" if conflict.field == "entry" else "field"
    message = (
        f"{writer} and an earlier change met in the {what} `{conflict.field}`: "
        f"kept {conflict.kept}, lost {conflict.lost}"
    )
    return Event(
        EventKind.CONFLICT,
        EventReason.MERGED,
        message,
        conflict.user_id,
        generation,
        writer=writer,
        request_id=request_of(writer),
    )


def pending(offer: Offer, cost: Toll) -> Pending:
    said = f"{cost.removes} {cost.stops} {cost.remakes} {offer.text}"
    return Pending(
        id=hashlib.sha256(said.encode()).hexdigest()[:12],
        since=offer.since,
        source=offer.source,
        writer=offer.writer,
        removes=cost.removes,
        stops=cost.stops,
        remakes=cost.remakes,
        why=offer.why,
    )


def exact(wish: Wish | None) -> Wish | None:
    """As the file can say it."""
    if wish is None or wish.restart_at is None:
        return wish
    return replace(wish, restart_at=spec.to_the_millisecond(wish.restart_at))


def declared(state: DesiredState, running: Mapping[int, str | None]) -> DesiredState:
    """The same, with everybody wanted running who does, and left alone where that is new."""
    for user_id, session_id in sorted(running.items()):
        wish = state.users.get(user_id)
        if wish is None or wish.state is RunState.STOPPED:
            had = wish or Wish(session_id=session_id)
            state = state.with_entry(user_id, replace(had, state=None, paused=True))
    return state


def now() -> datetime:
    """As exact as it is kept."""
    return spec.to_the_millisecond(datetime.now(UTC))
