"""The operator's settings as the planner wants them: a `Site`. For the controller, and for plans made without one."""

from __future__ import annotations

from controller.access import Access
from controller.settings import Settings
from controller.target import Site


def site_of(settings: Settings, access: Access) -> Site:
    return Site(
        instance=settings.instance,
        container_prefix=settings.container_prefix,
        data_root=str(settings.data_root),
        http_port_base=settings.http_port_base,
        ws_port_base=settings.ws_port_base,
        bind_address=settings.bind_address,
        run_as=settings.session_user,
        default_profile=settings.default_profile,
        profiles={name: each.profile for name, each in settings.profiles.items()},
        policy=settings.policy.rules,
        access=access,
        frame_ancestors=settings.frame_ancestors,
    )
