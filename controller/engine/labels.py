"""By what a session is known as ours and its user's, whichever engine runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from controller.model import Container
from controller.spec import MAX_USER_ID, user_id_of

LABEL_INSTANCE = "mcm.instance"
LABEL_USER = "mcm.user-id"
LABEL_SPEC = "mcm.spec-hash"
LABEL_SESSION = "mcm.session-id"
LABEL_HARDENING = "mcm.hardening"
LABEL_TOKEN = "mcm.token-check"  # noqa: S105 - no secret: what a token is known by

LABEL_LEAVING = "mcm.leaving-since"
"""Of a node: since when its sessions are to move to others."""

HTTP_PORT = 8888
WS_PORT = 8889
"""In the container."""


def user_of(labels: Mapping[str, str], name: str, instance: str, prefix: str) -> int | None:
    """Whose it is: by our label, or by its name where it carries none of ours; `None`: nobody's."""
    labelled = labels.get(LABEL_USER, "") if labels.get(LABEL_INSTANCE) == instance else ""
    return user_id_of("", labelled, MAX_USER_ID) or user_id_of(prefix, name, MAX_USER_ID)


def by_user(containers: Iterable[Container]) -> dict[int, tuple[Container, ...]]:
    """Those that are ours."""
    found: dict[int, tuple[Container, ...]] = {}
    for container in containers:
        if container.ours and container.user_id is not None:
            found[container.user_id] = (*found.get(container.user_id, ()), container)
    return found


def as_seen_by(user_id: int, containers: Sequence[Container]) -> tuple[Container, ...]:
    """A hand may have given another user's container this one's name: that user's it stays, and to this one it is
    none of ours."""
    return tuple(c if c.user_id == user_id else replace(c, ours=False) for c in containers)
