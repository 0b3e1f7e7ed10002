"""What is said of the desired state as a whole, as types: its text, plans, approval, pauses, and its generations.

As `shapes.py` has the rest: pure, and nothing but declarations.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from controller.errors import Problem
from controller.outlook import Step
from controller.shapes import closed, described
from controller.spec import MAX_USER_ID


@described
class InForce(TypedDict):
    generation: Annotated[int, Field(description="Of the state in force now.")]


@described
class TextInForce(InForce):
    text: str
    """The desired state as YAML."""
    refused: str | None
    """The text as it lies there, where that is not in force: `problems` of `GET /v1/status` have their places in it."""
    waiting: str | None
    """The text that waits for approval."""


@closed
class TextToPlan(TypedDict):
    text: str
    """The desired state as YAML. The `generation` in it says what it was edited from."""
    generation: NotRequired[Annotated[int, Field(ge=1, lt=10**15)]]
    """What it was edited from, where the text lies on a branch of git and has no `generation`."""


@closed
class TextToApply(TextToPlan):
    force: NotRequired[bool]
    """Pass the brake."""


@described
class EntryChange(TypedDict):
    """One entry as the file has it; null is none. `user_id` null is what holds for all."""

    user_id: int | None
    before: str | None
    after: str | None


@described
class Planned(InForce):
    actions: list[Step]


@described
class TextPlanned(Planned):
    changes: list[EntryChange]
    problems: list[Problem]
    """Where the text is wrong; then there is nothing to plan."""
    held: str
    """Why the brake would hold it, or empty."""


@closed
class PendingChoice(TypedDict):
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
    """Of `pending` in `GET /v1/status`."""


@closed
class UsersMeant(TypedDict):
    user_ids: NotRequired[Annotated[list[Annotated[int, Field(ge=1, le=MAX_USER_ID)]], Field(min_length=1)]]
    """Left out: everybody."""


@described
class PausedNow(InForce):
    paused: bool
    """Everybody."""
    paused_users: list[int]


@described
class GenerationTold(TypedDict):
    generation: int
    at: datetime
    writer: str
    summary: str
    """What it changed, in a few words."""
    request_id: str | None
    """Of the API call that brought it; null: another writer did."""
    in_force: bool


@described
class Generations(TypedDict):
    generations: list[GenerationTold]
    """Newest first."""


@described
class OneGeneration(GenerationTold):
    text: str
    changes: list[EntryChange] | None
    """Against the one before; null: that is not kept."""


@closed
class Rollback(TypedDict):
    generation: Annotated[int, Field(ge=1, lt=10**15)]
