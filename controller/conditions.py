"""How a user stands: the conditions, one word for all of them, and the sentence that says why and what comes next.

Pure. How fresh the knowledge is was settled before it came here; in which JSON callers get it is left to `status.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from controller import quota
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
    UserView,
    Wish,
)
from controller.store import Asked

STARTING = timedelta(seconds=60)
"""So long a running session may leave its services' first answer before that counts as a fault."""

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
    if found["Ready"].reason in ("EngineUnreachable", "NodeLost"):
        return "unknown"
    for trouble in ("Stalled", "Degraded"):
        if found[trouble].status is Truth.TRUE:
            return trouble.lower()
    if wish is None:
        return "leaving"
    if wish.state is RunState.STOPPED:
        return "stopped"
    return "ready" if found["Ready"].status is Truth.TRUE else "starting"


def unknown(view: UserView, now: datetime) -> str:
    """Why nobody knows whether the session runs, in a sentence; empty where it is known."""
    cause = _lost(view.container) if view.engine.reachable else _unreachable(view.engine, now)
    return f"{_clause(cause)}." if cause else ""


def why(wish: Wish | None, view: UserView, now: datetime, paused: str = "") -> str:
    """Where this user's session stands, and what happens next and when."""
    what_next = f"{paused[0].lower() + paused[1:]}: nothing is done" if paused else _next(wish, view, now)
    standing, container = _standing(wish, view, now), view.container
    if container is not None and container.node is not None and standing.reason != "NodeLost":
        return f"{standing.message}, on {container.node.name}; {what_next}."
    return f"{standing.message}; {what_next}."


@dataclass(frozen=True, slots=True)
class _Finding:
    status: Truth
    reason: str
    message: str
    since: datetime | None = None
    faulty: bool = False
    """This is not how a session comes or goes."""


def _standing(wish: Wish | None, view: UserView, now: datetime) -> _Finding:
    """Whether the session is there to be used, and if not, what keeps it."""
    container = view.container
    if not view.engine.reachable:
        return _Finding(Truth.UNKNOWN, "EngineUnreachable", _unreachable(view.engine, now), view.engine.last_seen)
    if lost := _lost(container):
        return _Finding(Truth.UNKNOWN, "NodeLost", _clause(lost))
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


def _lost(container: Container | None) -> str:
    """Why it is not known whether it runs, though the engine answers; empty where it is."""
    return container.node.lost if container is not None and container.node is not None else ""


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
    if progress.waiting and not progress.failures:
        return _Finding(Truth.TRUE, "Waiting", f"It waits for {_clause(progress.waiting)}")
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
    container, probe = view.container, view.probe
    if container is None or container.phase is not Phase.RUNNING:
        return (_Finding(Truth.FALSE, "NotRunning", "No container of this user runs"),) * 3
    if lost := _lost(container):
        return (_Finding(Truth.UNKNOWN, "NodeLost", _clause(lost)),) * 3
    if probe is None:
        return (_Finding(Truth.UNKNOWN, "NotProbed", "The session was not asked yet", container.started_at),) * 3
    return _web(probe), _interpreter(probe), _busy(probe)


def _enclosed(view: UserView) -> _Finding:
    """Whether the session is held to its limits, and to the network that it may use."""
    container = view.container
    if container is None or container.phase not in (Phase.RUNNING, Phase.PAUSED, Phase.RESTARTING):
        return _Finding(Truth.UNKNOWN, "NotRunning", "No container of this user runs")
    if container.loose or container.slack:
        how = ", ".join((*container.loose, *container.slack))
        if container.outdated:
            message = f"Another version of the controller made the container, and a restart makes it anew: {how}"
            return _Finding(Truth.FALSE, "MadeOtherwise", message, container.created_at)
        return _Finding(Truth.FALSE, "Changed", f"The container is not held as it was made: {how}")
    if container.deferred:
        message = f"From its next start or restart on the session has {', '.join(container.deferred)}"
        return _Finding(Truth.FALSE, "Deferred", message)
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
    if _lost(view.container):
        return "nothing is done as long as that is not known (what becomes of the node: `matlabctl events --kind node`)"
    if progress.waiting:
        return f"it waits for {_clause(progress.waiting)}"
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


def _unreachable(engine: EngineView, now: datetime) -> str:
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
