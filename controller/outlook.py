"""What would be done, were a desired state in force now: every user's plan, side by side.

Pure. The loop itself plans one user at a time and looks again after each action; this is for people who ask before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from controller.errors import NameConflict, WishInvalid
from controller.model import Container, DesiredState, Retry
from controller.planner import plan
from controller.target import Site, resolve


@dataclass(frozen=True, slots=True)
class Step:
    user_id: int
    action: str
    """`create`, `start`, `stop`, …; `none` where something has to change before anything can be done."""
    reason: str


def outlook(
    state: DesiredState,
    have: Mapping[int, tuple[Container, ...]],
    site: Site,
    now: datetime,
    rested: Collection[int],
) -> tuple[Step, ...]:
    """In the order of user ids, and for each user in the order of time. Waits for a next try do not count. `rested` are
    those who were wanted stopped before."""
    return tuple(
        step
        for user_id in sorted(state.users.keys() | have.keys())
        for step in _of_user(state, user_id, have.get(user_id, ()), site, now, user_id in rested)
    )


def _of_user(
    state: DesiredState, user_id: int, have: tuple[Container, ...], site: Site, now: datetime, rested: bool
) -> tuple[Step, ...]:
    wish = state.users.get(user_id)
    try:
        want = wish if wish is None else resolve(wish, user_id, state.generation, state.default_profile, site)
    except WishInvalid as error:
        return (Step(user_id, "none", str(error)),)
    want = want and replace(want, rested=rested)
    todo = plan(want, have, Retry(), now, paused=state.pauses(user_id))
    if todo.in_the_way is not None:
        return (Step(user_id, "none", f"{todo.in_the_way.name} is not ours. {NameConflict.hint}"),)
    return tuple(Step(user_id, type(action).__name__.lower(), action.reason) for action in todo.actions)
