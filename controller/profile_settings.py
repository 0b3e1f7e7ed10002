"""Settings of what a session may be given: profiles, and the policy that they keep. A part of `settings.py`."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from controller.fields import Line, Number, Size, Whole, setting
from controller.target import Load, Policy, Profile

LabelWord = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class ProfileSettings(BaseModel):
    """What a session gets: one entry of `profiles`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    image: str = setting(
        "matlab-session:octave",
        "Image that the container is made from; it must be on the engine already.",
        "an image's name, with a tag or digest",
        pattern=r"^[a-z0-9][A-Za-z0-9_./:@-]{0,254}$",
    )
    cpus: Number = setting(
        2, "Cores that the session may use; 1.5 is one and a half.", "a number from 0.01 to 1024", ge=0.01, le=1024
    )
    memory: Size = setting(
        "4g",
        "Memory that the session may use; there is no swap beyond it.",
        "a size from 6m, such as 4g",
        ge=6 * 1024**2,
    )
    shm: Size = setting(
        "4g", "Size of `/dev/shm`, which counts as memory when it is used.", "a size from 1m, such as 4g", ge=1024**2
    )
    env: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Line] = setting(
        {},
        "Environment variables in the container, beside those that every session has. No secrets: anyone who may "
        "inspect the container can read them.",
        "a mapping of variable names to text (quote numbers and yes/no)",
    )
    licence: Line | None = setting(
        None,
        "MATLAB's licence server, given to the session as `MLM_LICENSE_FILE`.",
        'text such as "27000@licence.example.org"',
    )
    processes: Whole | None = setting(
        None,
        "Processes and threads that the session may have; MATLAB wants 2048. `null` stands for 256.",
        "a whole number from 16 to 65536, or null",
        ge=16,
        le=65536,
    )
    stop_grace_seconds: Whole | None = setting(
        None,
        "Time in seconds that the session has to end by itself; MATLAB wants 60, to give its licence back. `null` "
        "stands for the setting of that name.",
        "a whole number from 0 to 600, or null",
        ge=0,
        le=600,
    )
    disk: Size | None = setting(
        "10g",
        "What the user's folder may hold before the condition `WithinQuota` says that it is too much. It is only told: "
        "nothing is refused, stopped or deleted. `null` is no quota.",
        "a size from 1m, such as 10g, or null",
        ge=1024**2,
    )
    node_labels: dict[LabelWord, LabelWord] = setting(
        {},
        "Labels that a node of a swarm has to carry (`docker node update --label-add pool=gpu NODE`) to take such a "
        "session. A change makes sessions anew. Only where `engine` is `swarm`.",
        "a mapping of labels to values, both 1 to 63 letters, digits, `-`, `_` and `.`, with a letter or digit first",
    )

    @property
    def profile(self) -> Profile:
        return Profile(**dict(self))


class SessionCeilings(BaseModel):
    """The most that a profile may give one session: `per_session` of `policy`. `None` is no ceiling."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    cpus: Number | None = setting(None, "Cores.", "a number from 0.01 to 1024, or null", ge=0.01, le=1024)
    memory: Size | None = setting(None, "Memory.", "a size from 6m, such as 4g, or null", ge=6 * 1024**2)
    shm: Size | None = setting(None, "`/dev/shm`.", "a size from 1m, such as 4g, or null", ge=1024**2)


class TotalCeilings(BaseModel):
    """The most that all sessions which shall run may come to: `total` of `policy`. `None` is no ceiling."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    sessions: Whole | None = setting(None, "Sessions.", "a whole number from 0 to 999, or null", ge=0, le=999)
    cpus: Number | None = setting(
        None, "Cores, as their profiles have them.", "a number from 0 to 1000000, or null", ge=0, le=1e6
    )
    memory: Size | None = setting(None, "Memory, as their profiles have it.", "a size such as 160g, or null", ge=0)


class PolicySettings(BaseModel):
    """What the operator allows: `policy`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    images: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_./:@*-]{1,255}$")]] = setting(
        ["*"],
        "Images that profiles may name. `*` stands for any characters but `/`, and alone for every image; a name "
        "without tag or digest means `:latest`.",
        "a list of at least one image's name, such as `matlab-session:*`",
        min_length=1,
    )
    per_session: SessionCeilings = setting(
        {}, "The most that a profile may give one session: see below.", "a mapping with any of `cpus`, `memory`, `shm`"
    )
    total: TotalCeilings = setting(
        {},
        "The most that all sessions which shall run may come to: see below.",
        "a mapping with any of `sessions`, `cpus`, `memory`",
    )

    @property
    def rules(self) -> Policy:
        each, all_of_them = self.per_session, self.total
        return Policy(
            images=tuple(self.images),
            cpus=_or_any(each.cpus),
            memory=_or_any(each.memory),
            shm=_or_any(each.shm),
            total=Load(*(_or_any(most) for most in (all_of_them.sessions, all_of_them.cpus, all_of_them.memory))),
        )


def _or_any(most: float | None) -> float:
    return math.inf if most is None else most
