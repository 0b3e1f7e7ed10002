"""What a change of the wish would cost, and whether that is too much to do without asking.

Pure. An edit is a slip more often than a plan when it takes many sessions away at once, so it waits for somebody's
approval. What waits, where and for whom is `store/`'s business.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from controller.merge import ranges
from controller.model import DesiredState, RunState, Wish
from controller.target import Site, resolve


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one change may end unasked: up to so many sessions, or up to this share of them."""

    sessions: int
    percent: float
    allow_empty: bool
    """A text that names nobody is a change like any other."""


@dataclass(frozen=True, slots=True)
class Toll:
    """The sessions that a change would end, each by ascending id, of all that are wanted running."""

    removes: tuple[int, ...] = ()
    stops: tuple[int, ...] = ()
    remakes: tuple[int, ...] = ()
    """Their containers would be made anew: another image, or another environment."""
    of: frozenset[int] = frozenset()

    @property
    def ends(self) -> tuple[int, ...]:
        return tuple(sorted((*self.removes, *self.stops, *self.remakes)))


def toll(before: DesiredState, after: DesiredState, site: Site) -> Toll:
    """Pauses do not count: they end, and then it is too late to ask."""
    running = {user_id for user_id in before.users if _wants(before, user_id) is RunState.RUNNING}
    goes_on = {user_id for user_id in running if _wants(after, user_id) is RunState.RUNNING}
    names = {user_id: (_profile(before, user_id, site), _profile(after, user_id, site)) for user_id in goes_on}
    made_of = {name: _made_of(name, site) for pair in names.values() for name in pair}
    return Toll(
        removes=tuple(sorted(running - after.users.keys())),
        stops=tuple(sorted(user_id for user_id in running - goes_on if user_id in after.users)),
        remakes=tuple(sorted(i for i, (was, now) in names.items() if made_of[was] != made_of[now])),
        of=frozenset(running),
    )


def verdict(
    before: DesiredState, after: DesiredState, cost: Toll, observed: Collection[int] | None, limits: Limits
) -> str:
    """Why this change has to wait for approval; empty if it has not.

    Args:
        observed: users whose containers run, as last seen; `None` while nobody has looked. Sessions that are wanted
            and not up count as well, so that a host's reboot is no moment of weakness.
    """
    if before.users and not after.users and not limits.allow_empty:
        return f"it names nobody, and {len(before.users)} users are wanted"
    for all_of_them in (cost.of, cost.of if observed is None else cost.of & set(observed)):
        ended = [user_id for user_id in cost.ends if user_id in all_of_them]
        if len(ended) > limits.sessions and 100 * len(ended) > limits.percent * len(all_of_them):
            return (
                f"it would end {len(ended)} of {len(all_of_them)} sessions ({_told(cost)}), and more than "
                f"{limits.sessions} sessions and {limits.percent:g} % need approval"
            )
    return ""


def _told(cost: Toll) -> str:
    kinds = {"remove": cost.removes, "stop": cost.stops, "make anew": cost.remakes}
    return "; ".join(f"{verb} {ranges(ids)}" for verb, ids in kinds.items() if ids)


def _wants(state: DesiredState, user_id: int) -> RunState | None:
    wish = state.users.get(user_id)
    return None if wish is None else wish.state or RunState.RUNNING


def _profile(state: DesiredState, user_id: int, site: Site) -> str:
    return site.profile_of(state.users[user_id], state.default_profile)


def _made_of(profile: str, site: Site) -> str:
    """What a container of this profile cannot change while it lives, whoever's it is; empty if there is no such one."""
    if profile not in site.profiles:
        return ""
    return resolve(Wish(profile=profile), 1, 1, None, site).spec.spec_hash
