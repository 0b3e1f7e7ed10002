"""The JSON that callers get of users, of the engine and of the whole.

Pure. How a user stands is said by `conditions.py`. Whether to look again first was settled before it came here; what is
too old to be told as a fact comes out as `unknown`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from controller import policy
from controller.conditions import WhoAsked, conditions, paused, unknown, why
from controller.model import Container, DesiredState, EngineView, Phase, RunState, Usage, UserView, Wish
from controller.plain import plain, timestamp
from controller.sizes import bytes_size
from controller.spec import container_name
from controller.store import Sync, WishHealth
from controller.target import Site

API_VERSION = "1.0"
"""Of the contract with callers, as the quick reference prints it; the program's own is in `/v1/status`."""
FRESH = timedelta(seconds=5)
"""What was seen longer ago is not told as the present."""

Json = dict[str, Any]


# ---------------------------------------------------------------- what callers rely on


def address(site: Site, user_id: int, container: Container | None = None) -> Json:
    """Where a user's session is, running or not; with the host where there are several."""
    node = container.node if container is not None else None
    return {
        "container_id": container_name(site.container_prefix, user_id),
        **({} if node is None else {"host": node.address}),
        "http_port": site.http_port_base + user_id,
        "ws_port": site.ws_port_base + user_id,
    }


def created_answer(site: Site, view: UserView, status: str, message: str) -> Json:
    return {**address(site, view.user_id, view.container), "status": status, "message": message}


def health_answer(site: Site, view: UserView, now: datetime) -> Json:
    """`GET /health`: `running` with everything, `stopped` with three keys, or `unknown` with the age of the knowledge.

    A session that is declared and has no container, or one that never started, is `stopped` with no `started_at`:
    it is known, and whoever polls for `running` should go on polling.
    """
    container = view.container
    there = address(site, view.user_id, container)
    started = timestamp(container.started_at) if container is not None else None
    if details := unknown(view, now):
        return {
            "container_id": there["container_id"],
            "status": "unknown",
            "started_at": started,
            **_measures(None),
            "web_service": "unknown",
            "websocket_service": "unknown",
            "http_port": there["http_port"],
            "ws_port": there["ws_port"],
            "age_seconds": age(view.observed_at or view.engine.last_seen, now),
            "last_known": {"status": _last_known(view), **_measures(view.usage)},
            "details": details,
        }
    if container is None or container.phase is not Phase.RUNNING:
        return {"container_id": there["container_id"], "status": "stopped", "started_at": started}
    probe = view.probe if view.probe is not None and now - view.probe.checked_at <= FRESH else None
    usage = view.usage if view.usage is not None and now - view.usage.sampled_at <= FRESH else None
    return {
        "container_id": there["container_id"],
        "status": "running",
        "started_at": started,
        **_measures(usage),
        "web_service": _word(probe.web if probe else None),
        "websocket_service": _word(probe.websocket if probe else None),
        **{name: where for name, where in there.items() if name != "container_id"},
    }


def _last_known(view: UserView) -> str:
    if view.container is not None:
        return view.container.phase.value
    return "unknown" if view.observed_at is None else "absent"


def list_row(site: Site, user_id: int, container: Container, local: Callable[[datetime], datetime]) -> Json:
    """One of the `containers` of `GET /list`; `local` turns a moment into local time."""
    there = address(site, user_id, container)
    return {
        "container_id": there.pop("container_id"),
        "user_id": user_id,
        "status": container.phase.value,
        "created": f"{local(container.created_at):%Y-%m-%d %H:%M:%S}",
        **there,
    }


def staleness(engine: EngineView, now: datetime) -> Json:
    """What an answer from old knowledge has to say about itself; nothing while the engine answers."""
    return {} if engine.reachable else {"stale": True, "age_seconds": age(engine.last_seen, now)}


def service_document(endpoints: Mapping[str, str]) -> Json:
    """What this is, and what can be called."""
    return {
        "service": "MATLAB Container Manager",
        "version": API_VERSION,
        "architecture": "One container, one MATLAB session",
        "websocket_service": "Auto-started via startup.m",
        "endpoints": dict(endpoints),
    }


# ---------------------------------------------------------------- /v1


def user_document(site: Site, state: DesiredState, view: UserView, now: datetime, asked: WhoAsked) -> Json:
    """Everything about one user."""
    there = {"host": site.bind_address, **address(site, view.user_id, view.container)}
    wish, halted = state.users.get(view.user_id), paused(state, view.user_id, asked)
    return {
        "user_id": view.user_id,
        "container_id": there["container_id"],
        "addresses": {name: there[name] for name in ("host", "http_port", "ws_port")},
        **_opening(site, there, view.container, view.user_id),
        "desired": None if wish is None else _desired(site, wish, state.default_profile),
        "observed": _observed(view, now),
        "progress": plain(view.progress),
        "conditions": [plain(each) for each in conditions(wish, view, now, halted)],
        "why": why(wish, view, now, halted),
        "paused": bool(halted),
        "asked": None if asked.entry is None else plain(asked.entry),
        "generation": state.generation,
    }


def _opening(site: Site, there: Json, container: Container | None, user_id: int) -> Json:
    """The addresses that open the session as its container was made, with the token where it asks for one."""
    check = container.token_check if container else ""
    node = container.node.address if container is not None and container.node is not None else ""
    found = container and site.access.addresses(user_id, there["http_port"], there["ws_port"], check, node)
    return {"access_url": found.page if found else None, "ws_url": found.websocket if found else None}


def policy_document(state: DesiredState, site: Site) -> Json:
    """What all that shall run may use together, and the most that the operator allows; null is no ceiling."""
    wanted, most = policy.load(state, site), site.policy.total
    return {
        "wanted": wanted._asdict(),
        "most": {name: None if each == math.inf else each for name, each in most._asdict().items()},
        "standing": policy.standing(wanted, most),
        "exceeded": policy.exceeded(wanted, most),
    }


def wish_document(wish: WishHealth, sync: Sync | None) -> Json:
    """`git` is null where the state follows no branch."""
    return {
        **plain(wish),
        "git": None if sync is None else {"state": _standing_of(sync), **plain(sync)},
    }


def _standing_of(sync: Sync) -> str:
    """In a word: `synced`, `not in force` (the newest commit is refused or held), `unreachable`, `never fetched`."""
    if sync.commit is None:
        return "never fetched"
    if sync.error:
        return "unreachable"
    return "synced" if sync.commit.id == sync.in_force else "not in force"


def engine_document(engine: EngineView, now: datetime) -> Json:
    return {**plain(engine), **staleness(engine, now)}


def tally(declared: int, views: Iterable[UserView]) -> dict[str, int]:
    """How many users there are of each kind."""
    there = [(view.container.phase, view.ready_since) for view in views if view.container is not None]
    running = [ready for phase, ready in there if phase is Phase.RUNNING]
    return {
        "declared": declared,
        "containers": len(there),
        "running": len(running),
        "ready": sum(ready is not None for ready in running),
    }


def _desired(site: Site, wish: Wish, default_profile: str | None) -> Json:
    """The wish with its defaults filled in; no resources where its profile is no longer in the settings."""
    name = site.profile_of(wish, default_profile)
    profile = site.profiles.get(name)
    return {
        "state": (wish.state or RunState.RUNNING).value,
        "profile": name,
        "session_id": wish.session_id,
        "restart_at": timestamp(wish.restart_at),
        "paused": wish.paused,
        "resources": profile and {"image": profile.image, "cpus": profile.cpus, "memory": profile.memory},
    }


def _observed(view: UserView, now: datetime) -> Json:
    container, probe = view.container, view.probe
    return {
        "status": container.phase.value if container else None,
        "observed_at": timestamp(view.observed_at),
        **staleness(view.engine, now),
        "container": container and _inspected(container),
        "services": {
            "web": _word(probe.web if probe else None),
            "websocket": _word(probe.websocket if probe else None),
            "checked_at": timestamp(probe.checked_at) if probe else None,
            "ready_since": timestamp(view.ready_since),
            "detail": probe.detail if probe else "",
        },
        "session": plain(probe.session) if probe and probe.session else None,
        "usage": plain(view.usage) if view.usage else None,
        "disk": plain(view.disk) if view.disk else None,
    }


def _inspected(container: Container) -> Json:
    """What a reader does not know already."""
    left_out = ("user_id", "ours", "pid", "token_check", "awaited", "end_unseen")
    return {name: value for name, value in plain(container).items() if name not in left_out}


# ---------------------------------------------------------------- units


def age(since: datetime | None, now: datetime) -> float | None:
    """Seconds; `None` of what was never seen."""
    return None if since is None else max(0.0, round((now - since).total_seconds(), 1))


def _measures(usage: Usage | None) -> dict[str, str]:
    """As `docker stats` prints them."""
    if usage is None:
        return dict.fromkeys(("cpu_usage", "memory_usage", "memory_percent"), "unknown")
    share = usage.memory / usage.memory_limit * 100 if usage.memory_limit else 0.0
    return {
        "cpu_usage": f"{usage.cpu_percent:.2f}%",
        "memory_usage": f"{bytes_size(usage.memory)} / {bytes_size(usage.memory_limit)}",
        "memory_percent": f"{share:.2f}%",
    }


def _word(answered: bool | None) -> str:
    return {True: "healthy", False: "unhealthy", None: "unknown"}[answered]
