"""From values to words: conditions, the `why` sentence, and the JSON that callers get.

Pure. How fresh the knowledge is, and whether to look again first, was settled before it came here; what is too old to
be told as a fact comes out as `unknown`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, assert_never

from controller import policy, quota
from controller.model import (
    Condition,
    Container,
    DesiredState,
    DiskUse,
    EngineView,
    Phase,
    Probe,
    Progress,
    RunState,
    SessionState,
    Truth,
    Usage,
    UserView,
    Wish,
)
from controller.sizes import bytes_size
from controller.spec import container_name
from controller.store import Asked, Sync, WishHealth
from controller.target import Site

API_VERSION = "1.0"
"""Of the contract with callers, as the quick reference prints it; the program's own is in `/v1/status`."""
STARTING = timedelta(seconds=60)
"""So long a running session may leave its services' first answer before that counts as a fault."""
FRESH = timedelta(seconds=5)
"""What was seen longer ago is not told as the present."""

CONDITIONS = (
    "Ready",
    "Reconciling",
    "Stalled",
    "Degraded",
    "WebReady",
    "SessionReady",
    "Busy",
    "Enclosed",
    "WithinQuota",
)

STATES = ("ready", "starting", "stopped", "leaving", "degraded", "stalled", "unknown")

Json = dict[str, Any]


# ---------------------------------------------------------------- conditions


@dataclass(frozen=True, slots=True)
class WhoAsked:
    """Who last changed a user's entry, and what holds for all; as far as the history goes back."""

    entry: Asked | None = None
    for_all: Asked | None = None


def paused(state: DesiredState, user_id: int, asked: WhoAsked) -> str:
    """That nothing is done for this user, and by whose will; empty if that is not so."""
    if not state.pauses(user_id):
        return ""
    who, by = ("everybody", asked.for_all) if state.paused else ("this user", asked.entry)
    return f"Paused for {who}" + (f" by {by.writer} in generation {by.generation}" if by else "")


def conditions(wish: Wish | None, view: UserView, now: datetime, paused: str = "") -> tuple[Condition, ...]:
    """How one user stands, in the order of `CONDITIONS`; `wish` is `None` when nothing is declared."""
    standing, progress = _standing(wish, view, now), view.progress
    found: tuple[_Finding, ...] = (
        standing,
        _reconciling(progress, now, paused),
        _stalled(progress),
        _degraded(standing, progress),
        *_session(view),
        _enclosed(view),
    )
    if not view.engine.reachable:
        found = (standing,) * (len(CONDITIONS) - 1)
    return tuple(
        Condition(kind, each.status, each.reason, each.message, each.since, progress.generation)
        for kind, each in zip(CONDITIONS, (*found, _within_quota(view.disk)), strict=True)
    )


def state_of(wish: Wish | None, found: Mapping[str, Condition]) -> str:
    """A user's conditions in one of `STATES`: what somebody has to see to is told before what goes its way."""
    if found["Ready"].reason == "EngineUnreachable":
        return "unknown"
    for trouble in ("Stalled", "Degraded"):
        if found[trouble].status is Truth.TRUE:
            return trouble.lower()
    if wish is None:
        return "leaving"
    if wish.state is RunState.STOPPED:
        return "stopped"
    return "ready" if found["Ready"].status is Truth.TRUE else "starting"


def why(wish: Wish | None, view: UserView, now: datetime, paused: str = "") -> str:
    """Where this user's session stands, and what happens next and when."""
    what_next = f"{paused[0].lower()}{paused[1:]}: nothing is done" if paused else _next(wish, view, now)
    return f"{_standing(wish, view, now).message}; {what_next}."


@dataclass(frozen=True, slots=True)
class _Finding:
    status: Truth
    reason: str
    message: str
    since: datetime | None = None
    faulty: bool = False
    """This is not how a session comes or goes."""


def own(view: UserView) -> Container | None:
    """The user's container, unless it is somebody else's that only has its name."""
    return view.container if view.container is not None and view.container.ours else None


def _standing(wish: Wish | None, view: UserView, now: datetime) -> _Finding:
    """Whether the session is there to be used, and if not, what keeps it."""
    container = own(view)
    if not view.engine.reachable:
        return _Finding(Truth.UNKNOWN, "EngineUnreachable", _out_of_sight(view.engine, now), view.engine.last_seen)
    if wish is None:
        left = "has no container" if container is None else "its container is to be removed"
        return _Finding(Truth.FALSE, "NotDeclared", f"The user is not in the desired state and {left}")
    if wish.state is RunState.STOPPED:
        if container is not None and container.phase in (Phase.RUNNING, Phase.PAUSED, Phase.RESTARTING):
            return _Finding(Truth.FALSE, "Stopping", "The session is wanted stopped and its container is still there")
        return _Finding(Truth.FALSE, "Stopped", "The session is stopped, as wanted")
    if container is None:
        return _Finding(Truth.FALSE, "NoContainer", "The session is wanted running and has no container yet")
    return _run(container, view, now)


def _run(container: Container, view: UserView, now: datetime) -> _Finding:
    match container.phase:
        case Phase.RUNNING:
            return _service(container, view, now)
        case Phase.CREATED:
            return _Finding(Truth.FALSE, "NotStarted", "The container is made and not started", container.created_at)
        case Phase.PAUSED:
            return _Finding(Truth.FALSE, "Paused", "The container was paused from outside", faulty=True)
        case Phase.RESTARTING:
            return _Finding(Truth.FALSE, "Restarting", "The container is being restarted")
        case Phase.REMOVING:
            return _Finding(Truth.FALSE, "Removing", "The container is being removed")
        case Phase.EXITED | Phase.DEAD:
            if container.oom_killed:
                message = "The session ran out of memory and was killed"
                return _Finding(Truth.FALSE, "OutOfMemory", message, faulty=True)
            return _Finding(Truth.FALSE, "Exited", f"The container exited with code {container.exit_code}", faulty=True)
        case _:
            assert_never(container.phase)


def _service(container: Container, view: UserView, now: datetime) -> _Finding:
    started, probe = container.started_at, view.probe
    if probe is None:
        return _Finding(Truth.UNKNOWN, "NotProbed", "The container runs and its services were not asked yet", started)
    if probe.ready:
        return _Finding(Truth.TRUE, "ServicesAnswer", "The session runs and both its services answer", view.ready_since)
    detail = _clause(probe.detail)
    if started is not None and now - started < STARTING:
        return _Finding(Truth.FALSE, "Starting", f"The session is starting up: {detail}", started)
    return _Finding(Truth.FALSE, "ServiceSilent", f"The container runs, but {detail}", faulty=True)


def _reconciling(progress: Progress, now: datetime, paused: str) -> _Finding:
    if progress.doing:
        return _Finding(Truth.TRUE, "Acting", progress.doing)
    if paused:
        return _Finding(Truth.FALSE, "Paused", paused)
    if progress.settled:
        return _Finding(Truth.FALSE, "Settled", "Nothing is left to do")
    if progress.permanent:
        return _Finding(Truth.FALSE, "Stalled", "Only a change of the desired state or of the machine will help")
    if progress.next_try is not None:
        message = f"The next try is {_moment(progress.next_try, now)}"
        return _Finding(Truth.TRUE, "BackingOff", message, progress.failing_since)
    return _Finding(Truth.TRUE, "Queued", "A pass is due")


def _stalled(progress: Progress) -> _Finding:
    if progress.error and progress.permanent:
        return _Finding(Truth.TRUE, _camel(progress.code), _failure(progress), progress.failing_since)
    return _Finding(Truth.FALSE, "NotStalled", "Nothing that only a person can mend stands in the way")


def _degraded(standing: _Finding, progress: Progress) -> _Finding:
    if progress.error:
        return _Finding(Truth.TRUE, _camel(progress.code), _failure(progress), progress.failing_since)
    if standing.faulty:
        return _Finding(Truth.TRUE, standing.reason, standing.message, standing.since)
    if progress.failures:
        times = "once" if progress.failures == 1 else f"{progress.failures} times in a row"
        return _Finding(Truth.TRUE, "Recovering", f"The session failed {times}", progress.failing_since)
    return _Finding(Truth.FALSE, "AsDeclared", "No fault is known")


def _session(view: UserView) -> tuple[_Finding, _Finding, _Finding]:
    """What was found inside the container: its page, its interpreter, and whether that works at something."""
    container, probe = own(view), view.probe
    if container is None or container.phase is not Phase.RUNNING:
        return (_Finding(Truth.FALSE, "NotRunning", "No container of this user runs"),) * 3
    if probe is None:
        return (_Finding(Truth.UNKNOWN, "NotProbed", "The session was not asked yet", container.started_at),) * 3
    return _web(probe), _interpreter(probe), _busy(probe)


def _enclosed(view: UserView) -> _Finding:
    """Whether the session is held to its limits, and to the network that it may use."""
    container = own(view)
    if container is None or container.phase not in (Phase.RUNNING, Phase.PAUSED, Phase.RESTARTING):
        return _Finding(Truth.UNKNOWN, "NotRunning", "No container of this user runs")
    if container.loose or container.slack:
        how = ", ".join((*container.loose, *container.slack))
        if container.outdated:
            message = f"Another version of the controller made the container, and a restart makes it anew: {how}"
            return _Finding(Truth.FALSE, "MadeOtherwise", message, container.created_at)
        return _Finding(Truth.FALSE, "Changed", f"The container is not held as it was made: {how}")
    if view.engine.open:
        return _Finding(Truth.FALSE, "NetworkOpen", _clause(view.engine.open))
    return _Finding(Truth.TRUE, "Enclosed", "The container is held as declared, and its network is closed")


def _within_quota(disk: DiskUse | None) -> _Finding:
    """Whether the user's folder holds no more than its quota: the engine need not be there to tell."""
    if disk is None:
        return _Finding(Truth.UNKNOWN, "NotMeasured", "The user's folder was not measured yet")
    told = quota.told(disk)
    if disk.over_since is not None:
        return _Finding(Truth.FALSE, "DiskQuotaExceeded", told, disk.over_since)
    if disk.quota is not None and not disk.complete:
        return _Finding(Truth.UNKNOWN, "NotCounted", told)
    return _Finding(Truth.TRUE, "NoQuota" if disk.quota is None else "WithinQuota", told)


def _web(probe: Probe) -> _Finding:
    if probe.web:
        return _Finding(Truth.TRUE, "Answers", "The session's page answers", probe.web_since)
    return _Finding(Truth.FALSE, "Silent", f"The session's page is not there: {_clause(probe.detail)}", probe.web_since)


def _interpreter(probe: Probe) -> _Finding:
    since, told = probe.session_since, probe.session
    if not probe.websocket:
        return _Finding(Truth.FALSE, "Silent", f"The session takes no commands: {_clause(probe.detail)}", since)
    if told is None:
        return _Finding(
            Truth.TRUE, "Answers", "The session takes commands, and tells nothing of its interpreter", since
        )
    match told.state:
        case SessionState.STARTING:
            return _Finding(Truth.FALSE, "InterpreterStarting", "The interpreter is starting", since)
        case SessionState.DOWN:
            return _Finding(Truth.FALSE, "InterpreterDown", "The interpreter ended and waits for its next start", since)
        case SessionState.BUSY | SessionState.IDLE if told.safe_mode:
            message = "The interpreter is up, without the user's startup.m, in which it had died"
            return _Finding(Truth.TRUE, "SafeMode", message, since)
        case SessionState.BUSY | SessionState.IDLE:
            return _Finding(Truth.TRUE, "InterpreterUp", "The interpreter is up and takes commands", since)
        case _:
            assert_never(told.state)


def _busy(probe: Probe) -> _Finding:
    told = probe.session
    if told is None:
        return _Finding(Truth.UNKNOWN, "NotTold", "The session does not tell what it is doing", probe.web_since)
    match told.state:
        case SessionState.BUSY:
            return _Finding(Truth.TRUE, "Evaluating", "A command runs", told.since)
        case SessionState.IDLE:
            return _Finding(Truth.FALSE, "Idle", "No command runs", told.since)
        case SessionState.STARTING | SessionState.DOWN:
            return _Finding(Truth.FALSE, "NoInterpreter", "There is no interpreter that could be busy", told.since)
        case _:
            assert_never(told.state)


def _next(wish: Wish | None, view: UserView, now: datetime) -> str:
    progress = view.progress
    if not view.engine.reachable:
        return "nothing is done until it answers again"
    if progress.doing:
        return f"being done now: {_clause(progress.doing)}"
    if progress.error:
        again = f"the next try is {_moment(progress.next_try, now)}" if progress.next_try else "it waits for a change"
        return f"the last attempt failed ({_clause(_failure(progress))}), and {again}"
    if progress.next_try is not None and progress.failures:
        return f"the next try is {_moment(progress.next_try, now)}"
    if not progress.settled:
        return "a pass is due"
    if wish is not None and wish.restart_at is not None and wish.restart_at > now:
        return f"a restart is due {_moment(wish.restart_at, now)}"
    if _standing(wish, view, now).reason in ("NotProbed", "Starting", "ServiceSilent"):
        return "the services are asked again and again"
    return "nothing is left to do"


def _failure(progress: Progress) -> str:
    """The error with what to do about it, as sentences."""
    return " ".join(f"{_clause(part)}." for part in (progress.error, progress.hint) if part)


def _clause(sentence: str) -> str:
    return sentence.strip().rstrip(".")


def _camel(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))


def _out_of_sight(engine: EngineView, now: datetime) -> str:
    seen = "never answered" if engine.last_seen is None else f"last answered {_span(now - engine.last_seen)} ago"
    return f"The engine cannot be reached and {seen} ({_clause(engine.error)})"


def _moment(when: datetime, now: datetime) -> str:
    return "now" if when <= now else f"in {_span(when - now)}"


def _span(length: timedelta) -> str:
    """A length of time, as exact as a person wants it."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


# ---------------------------------------------------------------- the seed's shapes


def address(site: Site, user_id: int) -> Json:
    """Where a user's session is, running or not."""
    return {
        "container_id": container_name(site.container_prefix, user_id),
        "http_port": site.http_port_base + user_id,
        "ws_port": site.ws_port_base + user_id,
    }


def created_answer(site: Site, user_id: int, status: str, message: str) -> Json:
    return {**address(site, user_id), "status": status, "message": message}


def health_answer(site: Site, view: UserView, now: datetime) -> Json:
    """`GET /health`: `running` with everything, `stopped` with three keys, or `unknown` with the age of the knowledge.

    A session that is declared and has no container, or one that never started, is `stopped` with no `started_at`:
    it is known, and whoever polls for `running` should go on polling.
    """
    container = own(view)
    there = address(site, view.user_id)
    started = timestamp(container.started_at) if container is not None else None
    if not view.engine.reachable:
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
            "last_known": {"status": "absent" if container is None else container.phase.value, **_measures(view.usage)},
            "details": _clause(_out_of_sight(view.engine, now)) + ".",
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
        "http_port": there["http_port"],
        "ws_port": there["ws_port"],
    }


def list_row(site: Site, user_id: int, container: Container, local: Callable[[datetime], datetime]) -> Json:
    """One of the `containers` of `GET /list`; `local` turns a moment into local time."""
    there = address(site, user_id)
    return {
        "container_id": there["container_id"],
        "user_id": user_id,
        "status": container.phase.value,
        "created": f"{local(container.created_at):%Y-%m-%d %H:%M:%S}",
        "http_port": there["http_port"],
        "ws_port": there["ws_port"],
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
    there = address(site, view.user_id)
    wish, halted = state.users.get(view.user_id), paused(state, view.user_id, asked)
    return {
        "user_id": view.user_id,
        "container_id": there["container_id"],
        "addresses": {"host": site.bind_address, "http_port": there["http_port"], "ws_port": there["ws_port"]},
        **_opening(site, there, own(view), view.user_id),
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
    found = container and site.access.addresses(user_id, there["http_port"], there["ws_port"], check)
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
    containers = [(own(view), view.ready_since) for view in views]
    running = [ready for container, ready in containers if container and container.phase is Phase.RUNNING]
    return {
        "declared": declared,
        "containers": sum(container is not None for container, _ in containers),
        "running": len(running),
        "ready": sum(ready is not None for ready in running),
    }


def _desired(site: Site, wish: Wish, default_profile: str | None) -> Json:
    """The wish with its defaults filled in; no resources where its profile is no longer in the settings."""
    name = wish.profile or default_profile or site.default_profile
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
    container, probe = own(view), view.probe
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
    left_out = ("user_id", "ours", "pid", "token_check")
    return {name: value for name, value in plain(container).items() if name not in left_out}


# ---------------------------------------------------------------- units


def timestamp(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, as `2025-10-13T10:30:00.000Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


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


def plain(value: Any) -> Any:
    """The same as JSON has it: every moment as text, every value of ours as what it consists of."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return {name: plain(getattr(value, name)) for name in _fields(value.__class__)}


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))
