"""The operator's settings as deciders want them: a `Site`. For the controller, and for judging a text without one."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from controller import policy, spec
from controller.access import ON_THIS_MACHINE, Access
from controller.model import DesiredState
from controller.settings import Settings
from controller.target import Site


def site_of(settings: Settings, access: Access) -> Site:
    return Site(
        instance=settings.instance,
        container_prefix=settings.container_prefix,
        data_root=str(settings.data_root),
        http_port_base=settings.http_port_base,
        ws_port_base=settings.ws_port_base,
        bind_address=settings.published_on,
        run_as=settings.session_user,
        default_profile=settings.default_profile,
        profiles={name: each.profile for name, each in settings.profiles.items()},
        policy=settings.policy.rules,
        access=access,
        frame_ancestors=settings.frame_ancestors,
        export=None if settings.swarm_volume is None else settings.swarm_volume.export,
        data_elsewhere=far_engine(settings) != "",
    )


def far_engine(settings: Settings) -> str:
    """The host of an engine that is not this machine's own; empty if it is."""
    address = urlsplit(settings.docker_host or os.environ.get("DOCKER_HOST", ""))
    return (address.hostname or "") if address.scheme in ("tcp", "ssh", "http", "https") else ""


def read_wish(raw: bytes, settings: Settings) -> DesiredState:
    """What a text asks for, read as strictly as a controller would that knows of no state before it.

    Raises:
        WishInvalid: it is no good, or asks for more than the policy allows.
    """
    text = spec.decode(raw)
    state = spec.parse(text, max_users=settings.max_users, profiles=settings.profiles)
    policy.check_text(text, DesiredState(), state, site_of(settings, ON_THIS_MACHINE))
    return state
