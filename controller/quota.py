"""How much of the disk a user may fill, and whether that is passed. It is soft: it is told, and nothing is done.

Pure. What a folder holds is counted by `disk_usage.py`.
"""

from __future__ import annotations

from datetime import datetime

from controller.model import DesiredState, DiskUse
from controller.sizes import bytes_size
from controller.target import Site

ENOUGH_ROOM = 0.95
"""Share of the quota that a folder over it has to come down to: one at the brim is not told of again and again."""


def quota_of(state: DesiredState, user_id: int, site: Site) -> int | None:
    """Bytes; `None` where the user's profile has no quota, or is no longer in the settings."""
    profile = site.profiles.get(site.profile_of(state.users.get(user_id), state.default_profile))
    return None if profile is None else profile.disk


def judged(size: int, complete: bool, quota: int | None, before: DiskUse | None, now: datetime) -> DiskUse:
    """What was counted, against the quota; `before` is what was said last."""
    since = before.over_since if before else None
    return DiskUse(size, complete, now, quota, (since or now) if _over(size, complete, quota, since) else None)


def told(use: DiskUse) -> str:
    """How it stands, and what to do about it, without the last full stop."""
    holds = f"The user's folder holds {'' if use.complete else 'at least '}{bytes_size(use.size)}"
    if use.quota is None:
        return f"{holds}, and the profile has no quota"
    if use.over_since is not None:
        return (
            f"{holds} of {bytes_size(use.quota)}: delete or move away what is not needed, or ask for a profile with "
            "more; nothing is stopped or deleted for it"
        )
    if not use.complete:
        return f"{holds} of {bytes_size(use.quota)}: it is too much to be counted, or cannot all be read"
    return f"{holds} of {bytes_size(use.quota)}"


def _over(size: int, complete: bool, quota: int | None, since: datetime | None) -> bool:
    if quota is None:
        return False
    if size > quota or since is None:
        return size > quota
    return not complete or size > quota * ENOUGH_ROOM
