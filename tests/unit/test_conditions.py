"""The words for every way that a session can stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given

from controller.conditions import CONDITIONS, conditions, state_of, why
from controller.model import Phase, Progress, RunState, SessionHealth, SessionState, Truth, UserView, Wish
from tests.views import (
    AWAY,
    BOTH,
    EARLIER,
    ON_A_LOST_ONE,
    SETTLED,
    SILENT,
    SINCE,
    TAKEN,
    THERE,
    a_session,
    a_view,
    phase,
    views,
    wishes,
)
from tests.worlds import NOW, a_container

STANDINGS = [
    # what is wanted, what is there → Ready (status and reason), Degraded's reason where it is so, and the sentence
    (
        Wish(),
        a_view(),
        ("True", "ServicesAnswer", None),
        "The session runs and both its services answer; nothing is left to do.",
    ),
    (
        Wish(restart_at=NOW + timedelta(minutes=5)),
        a_view(),
        ("True", "ServicesAnswer", None),
        "The session runs and both its services answer; a restart is due in 5 min.",
    ),
    (
        Wish(),
        a_view(probe=None, ready_since=None),
        ("Unknown", "NotProbed", None),
        "The container runs and its services were not asked yet; the services are asked again and again.",
    ),
    (
        Wish(),
        a_view(container=a_container(started_at=NOW - timedelta(seconds=9)), probe=SILENT, ready_since=None),
        ("False", "Starting", None),
        "The session is starting up: the web service does not answer yet; the services are asked again and again.",
    ),
    (
        Wish(),
        a_view(probe=SILENT, ready_since=None),
        ("False", "ServiceSilent", "ServiceSilent"),
        "The container runs, but the web service does not answer yet; the services are asked again and again.",
    ),
    (
        Wish(),
        a_view(container=None, probe=None, ready_since=None, progress=Progress()),
        ("False", "NoContainer", None),
        "The session is wanted running and has no container yet; a pass is due.",
    ),
    (
        Wish(),
        a_view(container=None, probe=None, ready_since=None, progress=TAKEN),
        ("False", "NoContainer", "PortTaken"),
        "The session is wanted running and has no container yet; the last attempt failed (Port 30007 is already in use "
        "on this host. End what listens there), and the next try is in 4 s.",
    ),
    (
        Wish(),
        replace(phase(Phase.CREATED), progress=Progress(doing="start: made, and not started yet")),
        ("False", "NotStarted", None),
        "The container is made and not started; being done now: start: made, and not started yet.",
    ),
    (
        Wish(),
        replace(phase(Phase.EXITED, exit_code=137), progress=Progress(passes=4, failures=3, next_try=NOW)),
        ("False", "Exited", "Exited"),
        "The container exited with code 137; the next try is now.",
    ),
    (
        Wish(),
        replace(phase(Phase.EXITED, oom_killed=True), progress=Progress()),
        ("False", "OutOfMemory", "OutOfMemory"),
        "The session ran out of memory and was killed; a pass is due.",
    ),
    (
        Wish(),
        replace(phase(Phase.PAUSED), progress=Progress()),
        ("False", "Paused", "Paused"),
        "The container was paused from outside; a pass is due.",
    ),
    (
        Wish(state=RunState.STOPPED),
        phase(Phase.EXITED),
        ("False", "Stopped", None),
        "The session is stopped, as wanted; nothing is left to do.",
    ),
    (
        Wish(state=RunState.STOPPED),
        a_view(progress=Progress(doing="stop: wanted stopped")),
        ("False", "Stopping", None),
        "The session is wanted stopped and its container is still there; being done now: stop: wanted stopped.",
    ),
    (
        None,
        a_view(progress=Progress()),
        ("False", "NotDeclared", None),
        "The user is not in the desired state and its container is to be removed; a pass is due.",
    ),
    (
        Wish(),
        a_view(engine=AWAY),
        ("Unknown", "EngineUnreachable", None),
        "The engine cannot be reached and last answered 12 s ago (connection refused); "
        "nothing is done until it answers again.",
    ),
    (
        Wish(),
        a_view(engine=replace(AWAY, last_seen=None), container=None),
        ("Unknown", "EngineUnreachable", None),
        "The engine cannot be reached and never answered (connection refused); nothing is done until it answers again.",
    ),
]


@pytest.mark.parametrize(("wish", "view", "words", "sentence"), STANDINGS, ids=[row[3][:60] for row in STANDINGS])
def test_where_it_stands(wish: Wish | None, view: UserView, words: tuple[str, str, str | None], sentence: str) -> None:
    ready, _, _, degraded, *_ = conditions(wish, view, NOW)
    assert (ready.status, ready.reason, degraded.reason if degraded.status == "True" else None) == words
    assert why(wish, view, NOW) == sentence


def test_conditions_have_a_fixed_order_and_carry_the_generation() -> None:
    found = conditions(Wish(), a_view(), NOW)
    assert tuple(each.type for each in found) == CONDITIONS
    assert {each.observed_generation for each in found} == {5}
    assert found[0].since == SINCE


@pytest.mark.parametrize(
    ("progress", "reconciling", "stalled"),
    [
        (SETTLED, ("False", "Settled", None), ("False", "NotStalled")),
        (Progress(), ("True", "Queued", None), ("False", "NotStalled")),
        (Progress(waiting="its turn"), ("True", "Waiting", None), ("False", "NotStalled")),
        (Progress(doing="create: it is not there"), ("True", "Acting", None), ("False", "NotStalled")),
        (TAKEN, ("True", "BackingOff", SINCE), ("False", "NotStalled")),
        (replace(TAKEN, permanent=True), ("False", "Stalled", None), ("True", "PortTaken")),
    ],
)
def test_whether_it_is_worked_on(
    progress: Progress, reconciling: tuple[str, str, datetime | None], stalled: tuple[str, str]
) -> None:
    _, first, second, *_ = conditions(Wish(), a_view(progress=progress), NOW)
    assert (first.status, first.reason, first.since) == reconciling
    assert (second.status, second.reason) == stalled


def test_a_session_that_died_often_is_degraded_though_it_runs() -> None:
    view = a_view(progress=replace(SETTLED, failures=4, failing_since=SINCE))
    degraded = conditions(Wish(), view, NOW)[3]
    assert (degraded.reason, degraded.message) == ("Recovering", "The session failed 4 times in a row")


@pytest.mark.parametrize(
    ("view", "web", "session", "busy"),
    [
        (a_view(container=None), ("False", "NotRunning"), ("False", "NotRunning"), ("False", "NotRunning")),
        (phase(Phase.EXITED), ("False", "NotRunning"), ("False", "NotRunning"), ("False", "NotRunning")),
        (a_view(probe=None), *[("Unknown", "NotProbed")] * 3),
        (a_view(engine=AWAY), *[("Unknown", "EngineUnreachable")] * 3),
        (a_view(), ("True", "Answers"), ("True", "Answers"), ("Unknown", "NotTold")),
        (a_view(probe=SILENT), ("False", "Silent"), ("True", "Answers"), ("Unknown", "NotTold")),
        (
            a_view(probe=replace(BOTH, websocket=False)),
            ("True", "Answers"),
            ("False", "Silent"),
            ("Unknown", "NotTold"),
        ),
    ],
)
def test_what_is_known_from_outside(
    view: UserView, web: tuple[str, str], session: tuple[str, str], busy: tuple[str, str]
) -> None:
    found = conditions(Wish(), view, NOW)[4:7]
    assert [(each.status.value, each.reason) for each in found] == [web, session, busy]


@pytest.mark.parametrize(
    ("told", "session", "busy"),
    [
        (a_session(SessionState.IDLE), ("True", "InterpreterUp"), ("False", "Idle")),
        (a_session(SessionState.BUSY), ("True", "InterpreterUp"), ("True", "Evaluating")),
        (a_session(SessionState.IDLE, safe_mode=True), ("True", "SafeMode"), ("False", "Idle")),
        (a_session(SessionState.STARTING), ("False", "InterpreterStarting"), ("False", "NoInterpreter")),
        (a_session(SessionState.DOWN), ("False", "InterpreterDown"), ("False", "NoInterpreter")),
    ],
)
def test_what_a_session_tells_of_itself(told: SessionHealth, session: tuple[str, str], busy: tuple[str, str]) -> None:
    probe = replace(BOTH, session=told, web_since=SINCE, session_since=SINCE)
    _, *found = conditions(Wish(), a_view(probe=probe), NOW)[4:7]
    assert [(each.status.value, each.reason) for each in found] == [session, busy]
    assert [each.since for each in found] == [SINCE, EARLIER]


@pytest.mark.parametrize(
    ("view", "status_and_reason", "message"),
    [
        (a_view(), ("True", "Enclosed"), "The container is held as declared, and its network is closed"),
        (a_view(container=None), ("Unknown", "NotRunning"), "No container of this user runs"),
        (a_view(engine=replace(THERE, open="Who knows.")), ("False", "NetworkOpen"), "Who knows"),
        (
            a_view(container=a_container(slack=("swap is unlimited",))),
            ("False", "Changed"),
            "The container is not held as it was made: swap is unlimited",
        ),
        (
            a_view(container=a_container(outdated=True, loose=("NetworkMode is default",))),
            ("False", "MadeOtherwise"),
            "Another version of the controller made the container, and a restart makes it anew: NetworkMode is default",
        ),
    ],
)
def test_whether_a_session_is_held(view: UserView, status_and_reason: tuple[str, str], message: str) -> None:
    found = conditions(Wish(), view, NOW)[7]
    assert (found.status.value, found.reason) == status_and_reason
    assert found.message == message


def test_a_probe_carries_on_since_when_things_are_so() -> None:
    later = NOW + timedelta(seconds=10)
    first = replace(BOTH, session=a_session(), checked_at=NOW).after(None)
    assert (first.web_since, first.session_since) == (NOW, NOW)
    busy = replace(BOTH, session=a_session(SessionState.BUSY), checked_at=later).after(first)
    assert (busy.web_since, busy.session_since) == (NOW, NOW)
    down = replace(BOTH, session=a_session(SessionState.DOWN), checked_at=later).after(first)
    assert (down.web_since, down.session_since) == (NOW, later)
    silent = replace(SILENT, checked_at=later).after(first)
    assert (silent.web_since, silent.session_since) == (later, NOW)


@given(wishes, views)
def test_the_words_agree_with_one_another(wish: Wish | None, view: UserView) -> None:
    ready, reconciling, stalled, degraded, web, session, busy, *_ = conditions(wish, view, NOW)
    assert (ready.reason == "EngineUnreachable") == (not view.engine.reachable)
    if ready.status is Truth.TRUE:
        assert wish is not None
        assert view.probe is not None
        assert view.probe.ready
        assert view.container is not None
    assert not (stalled.status is Truth.TRUE and reconciling.status is Truth.TRUE)
    assert not (stalled.status is Truth.TRUE and degraded.status is Truth.FALSE)
    if ready.status is Truth.TRUE:
        assert web.status is Truth.TRUE
    if busy.status is Truth.TRUE and web.status is Truth.TRUE:
        assert view.probe is not None
        assert session.status is (Truth.TRUE if view.probe.websocket else Truth.FALSE)
    assert all(
        each.reason.isalnum() and each.message for each in (ready, reconciling, stalled, degraded, web, session, busy)
    )
    assert ".." not in why(wish, view, NOW)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")]
)
def test_spans_are_as_exact_as_a_person_wants_them(seconds: int, text: str) -> None:
    view = a_view(progress=replace(TAKEN, next_try=NOW + timedelta(seconds=seconds)))
    expected = "now" if seconds == 0 else f"in {text}"
    assert f"the next try is {expected}." in why(Wish(), view, NOW)


def test_of_a_session_on_a_lost_node_nothing_is_claimed() -> None:
    view = a_view(container=ON_A_LOST_ONE)
    found = {each.type: each for each in conditions(Wish(), view, NOW)}
    for name in ("Ready", "WebReady", "SessionReady", "Busy"):
        assert (found[name].status, found[name].reason) == (Truth.UNKNOWN, "NodeLost")
    assert state_of(Wish(), found) == "unknown"
    waits = replace(view, progress=replace(SETTLED, settled=False, waiting="The node n2 is down."))
    assert "; nothing is done as long as that is not known (" in why(Wish(), waits, NOW)


def test_limits_that_wait_for_the_next_start_are_told() -> None:
    view = a_view(container=a_container(deferred=("cpus 4 instead of 2",)))
    found = {each.type: each for each in conditions(Wish(), view, NOW)}["Enclosed"]
    assert (found.status, found.reason) == (Truth.FALSE, "Deferred")
    assert found.message == "From its next start or restart on the session has cpus 4 instead of 2"
