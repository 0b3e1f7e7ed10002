"""Two desired states compared: what two writers meant together, and what changed from one to the next, in words.

Pure. Who the writers are and which text they began from is settled in `store/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from controller.model import DesiredState, RunState, Wish
from controller.spec import changed_users, entry_text, format_instant

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two writers changed the same thing to different things; the newer one's was kept."""

    user_id: int | None
    """`None`: it is the default of all."""
    field: str
    """A key of the file, or `entry` where one of them removed the user."""
    kept: str
    lost: str


def merge(base: DesiredState, ours: DesiredState, theirs: DesiredState) -> tuple[DesiredState, tuple[Conflict, ...]]:
    """What two writers meant who both began from `base`, user by user and field by field.

    `theirs` is the newer writer, who wins where both changed the same field. The generation is `ours`.
    """
    conflicts: list[Conflict] = []

    def pick(user_id: int | None, field: str, values: tuple[T, T, T]) -> T:
        was, our, their = values
        if their in (was, our):
            return our
        if our != was:
            conflicts.append(Conflict(user_id, field, kept=shown(their), lost=shown(our)))
        return their

    default = pick(None, "profile", (base.default_profile, ours.default_profile, theirs.default_profile))
    paused = pick(None, "paused", (base.paused, ours.paused, theirs.paused))
    users: dict[int, Wish] = {}
    for user_id in sorted(ours.users.keys() | theirs.users.keys()):
        was, our, their = (state.users.get(user_id) for state in (base, ours, theirs))
        if our is None or their is None:
            entry = pick(user_id, "entry", (was, our, their))
        else:
            begun = was or Wish()
            entry = Wish(
                state=pick(user_id, "state", (begun.state, our.state, their.state)),
                profile=pick(user_id, "profile", (begun.profile, our.profile, their.profile)),
                session_id=pick(user_id, "session_id", (begun.session_id, our.session_id, their.session_id)),
                restart_at=pick(user_id, "restart_at", (begun.restart_at, our.restart_at, their.restart_at)),
                paused=pick(user_id, "paused", (begun.paused, our.paused, their.paused)),
            )
        if entry is not None:
            users[user_id] = entry
    return DesiredState(ours.generation, default, MappingProxyType(users), paused), tuple(conflicts)


def adopted(
    current: DesiredState, base: DesiredState | None, theirs: DesiredState
) -> tuple[DesiredState, tuple[Conflict, ...]]:
    """The state after an edit. Without a base the edit is a whole new text, and says it all.

    An edit that brings nothing new leaves `current` as it is; any other makes the next generation.
    """
    merged, conflicts = (theirs, ()) if base is None else merge(base, current, theirs)
    if replace(merged, generation=current.generation) == current:
        return current, conflicts
    return replace(merged, generation=current.generation + 1), conflicts


def summary(before: DesiredState, after: DesiredState) -> str:
    """What changed, in a few words: `adds 5-9; stops 2; removes 3, 4`."""
    kinds: dict[str, list[int]] = {"adds": [], "starts": [], "stops": [], "restarts": [], "changes": [], "removes": []}
    for user_id in changed_users(before, after):
        kinds[_kind(before.users.get(user_id), after.users.get(user_id))].append(user_id)
    parts = [f"{kind} {ranges(ids)}" for kind, ids in kinds.items() if ids]
    if before.default_profile != after.default_profile:
        parts.append(f"default profile: {after.default_profile or 'none'}")
    if before.paused != after.paused:
        parts.append("pauses everybody" if after.paused else "pauses everybody no more")
    return "; ".join(parts) or "no change"


def ranges(ids: Sequence[int]) -> str:
    """Ascending ids as people write them: `1-5, 9`."""
    runs: list[list[int]] = []
    for user_id in ids:
        if runs and user_id == runs[-1][-1] + 1:
            runs[-1][1:] = [user_id]
        else:
            runs.append([user_id])
    return ", ".join("-".join(map(str, run)) for run in runs)


def _kind(before: Wish | None, after: Wish | None) -> str:
    if before is None or after is None:
        return "adds" if before is None else "removes"
    if before.state is after.state:
        return "restarts" if before == replace(after, restart_at=before.restart_at) else "changes"
    return "stops" if after.state is RunState.STOPPED else "starts"


def shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case Wish():
            return entry_text(value)
        case datetime():
            return format_instant(value)
        case _:
            return str(value)
