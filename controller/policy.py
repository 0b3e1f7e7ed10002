"""What the operator allows: which images, how much for one session, and how much for all that shall run.

Pure. A profile that breaks the policy is a fault of the settings, told before anything starts. A wish can only break
the ceilings of all sessions together, and is refused where it asks for more than was asked before: so a ceiling that
was lowered under what runs ends nothing, and stands in the way of no change for the better.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from controller import spec
from controller.errors import PolicyBroken, WishInvalid
from controller.model import DesiredState, RunState
from controller.sizes import show_size
from controller.target import Load, Policy, Profile, Site

NOTHING = Load(0, 0, 0)
UNITS = Load._fields


# ---------------------------------------------------------------- one session


def broken_by(profile: Profile, policy: Policy) -> Iterator[tuple[str, str]]:
    """Names of the profile's fields that break the policy, each with what it says and what is allowed, in words."""
    if not any(matches(profile.image, pattern) for pattern in policy.images):
        yield "image", f"{profile.image}, and the policy allows {', '.join(policy.images)}"
    if profile.cpus > policy.cpus:
        yield "cpus", f"{profile.cpus:g}, and the policy allows a session at most {policy.cpus:g}"
    for name, size, most in (("memory", profile.memory, policy.memory), ("shm", profile.shm, policy.shm)):
        if size > most:
            yield name, f"{show_size(size)}, and the policy allows a session at most {show_size(int(most))}"


def matches(image: str, pattern: str) -> bool:
    """Whether the pattern means this image. `*` stands for any characters but `/`, a lone one for any at all.

    Without tag or digest a name means `:latest`, as Docker reads it.
    """
    if pattern == "*":
        return True
    parts = (re.escape(part) for part in _tagged(pattern).split("*"))
    return re.fullmatch("[^/]*".join(parts), _tagged(image)) is not None


def _tagged(name: str) -> str:
    return name if re.search(r"[:@*][^/]*$", name) else f"{name}:latest"


# ---------------------------------------------------------------- all sessions together


@dataclass(frozen=True, slots=True)
class Excess:
    """A change asks for more than the policy allows, and for more than was asked before."""

    user_id: int
    """The first with whom it is too much, of those who ask for more than before."""
    words: str

    def __str__(self) -> str:
        return f"with user {self.user_id} more would run than the operator's policy allows: {self.words}"


def load(state: DesiredState, site: Site) -> Load:
    """What all sessions that shall run may use, whether they run or not."""
    return _sum(_loads(state, site).values())


def standing(asked: Load, most: Load) -> str:
    """How that stands to each ceiling, in words; empty where there is none."""
    return _words(asked, most, [n for n in range(len(most)) if most[n] < math.inf])


def exceeded(asked: Load, most: Load) -> str:
    """The ceilings among these that it passes."""
    return _words(asked, most, [n for n in range(len(most)) if asked[n] > most[n]])


def excess(before: DesiredState, after: DesiredState, site: Site) -> Excess | None:
    """What a change asks for too much; `None` if it may be made."""
    was, now, most = _loads(before, site), _loads(after, site), site.policy.total
    had, asked = _sum(was.values()), _sum(now.values())
    broken = [n for n in range(len(most)) if asked[n] > max(most[n], had[n])]
    if not broken:
        return None
    more = [user_id for user_id in now if any(now[user_id][n] > was.get(user_id, NOTHING)[n] for n in broken)]
    so_far = _sum(now[user_id] for user_id in now.keys() - more)
    for user_id in more:
        so_far = _sum((so_far, now[user_id]))
        if any(so_far[n] > most[n] for n in broken):
            break
    return Excess(user_id, _words(asked, most, broken))


def check(before: DesiredState, after: DesiredState, site: Site) -> None:
    """Raises PolicyBroken where `after` may not follow on `before`."""
    found = excess(before, after, site)
    if found is not None:
        raise PolicyBroken(f"Refused: {found}.")


def check_text(text: str, before: DesiredState, after: DesiredState, site: Site) -> None:
    """As `check`, but raises WishInvalid with the place in the text that `after` comes from."""
    found = excess(before, after, site)
    if found is not None:
        raise WishInvalid((spec.problem_with(text, found.user_id, str(found)),))


def _loads(state: DesiredState, site: Site) -> Mapping[int, Load]:
    """By user. One whose profile the settings no longer have counts as a session, of a size that nobody knows."""
    loads: dict[int, Load] = {}
    for user_id, wish in state.users.items():
        if wish.state is not RunState.STOPPED:
            profile = site.profiles.get(site.profile_of(wish, state.default_profile))
            loads[user_id] = Load(1, profile.cpus, profile.memory) if profile else Load(1, 0, 0)
    return loads


def _sum(loads: Iterable[Load]) -> Load:
    sessions, cpus, memory = (sum(each) for each in zip(NOTHING, *loads, strict=True))
    return Load(sessions, round(cpus, 6), memory)


def _words(asked: Load, most: Load, which: Iterable[int]) -> str:
    return ", ".join(f"{_shown(n, asked)} of at most {_shown(n, most)} {UNITS[n]}" for n in which)


def _shown(n: int, load: Load) -> str:
    return show_size(int(load.memory)) if UNITS[n] == "memory" else f"{load[n]:g}"
