"""What a text would make of the state in force: read, joined with what came since it was begun, and weighed.

Nothing is written and nobody is told: that is done by `wish_store.py`, with what comes out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller import brake, merge, spec
from controller.errors import Problem, WishInvalid
from controller.model import DesiredState
from controller.store.history import Offer
from controller.target import Site

ABSURD = 10**9
"""No count of changes: a generation so high, in a file that comes to us without history, is not gone on from."""


@dataclass(frozen=True, slots=True)
class WishTerms:
    """What the operator's settings say about the wish."""

    site: Site
    max_users: int
    settle_seconds: float
    limits: brake.Limits


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a text would make of the state in force."""

    theirs: DesiredState
    """What it asks for by itself, with the generation that it was begun from."""
    after: DesiredState
    conflicts: tuple[merge.Conflict, ...]
    cost: brake.Toll
    held: str
    """Why it has to wait, or empty."""


def read(offer: Offer, current: DesiredState, terms: WishTerms, *, numbered: bool) -> DesiredState:
    """What a text asks for by itself, with the generation that it was begun from.

    Args:
        numbered: as its home has it.

    Raises:
        WishInvalid: it is no good.
    """
    spec.decode(offer.text.encode("utf-8", "surrogatepass"))  # a caller's text must fit into a file, too
    theirs = spec.parse(offer.text, max_users=terms.max_users, profiles=terms.site.profiles)
    if not numbered:
        return replace(theirs, generation=offer.base)
    if current.generation > 0 or theirs.generation > 0 or not offer.text.endswith("\n"):
        # A text that names a generation went through our hands, and those end it in `...`. Of a first one nobody can
        # ask more than that its last line has an end: few that are cut off anywhere have.
        spec.parse(offer.text, max_users=terms.max_users, profiles=None, end_mark=True)
    return theirs


def weigh(
    theirs: DesiredState,
    current: DesiredState,
    base: DesiredState | None,
    terms: WishTerms,
    running: Mapping[int, str | None] | None,
) -> Outcome:
    """
    Args:
        base: the earlier state that `theirs` was begun from, where it was an earlier one and is remembered.
        running: whose containers ran at the last survey; `None`: there was none yet.
    """
    if current.generation == 0:
        first = theirs.generation if 0 < theirs.generation < ABSURD else 1
        return Outcome(theirs, replace(theirs, generation=first), (), brake.Toll(), "")
    after, conflicts = merge.adopted(current, base, theirs)
    cost = brake.toll(current, after, terms.site)
    return Outcome(theirs, after, conflicts, cost, brake.verdict(current, after, cost, running, terms.limits))


def edited(text: str, before: DesiredState, after: DesiredState, *, numbered: bool) -> str:
    """The text, changed to say `after`. Raises spec.EditFailed."""
    if not numbered:
        said = spec.stored(text).generation
        before, after = replace(before, generation=said), replace(after, generation=said)
        if before == after:
            return text
    return spec.edit(text, before, after)


def faults(text: str, terms: WishTerms) -> tuple[Problem, ...]:
    """What the operator's settings have against a text."""
    try:
        spec.parse(text, max_users=terms.max_users, profiles=terms.site.profiles)
    except WishInvalid as error:
        return error.problems
    return ()
