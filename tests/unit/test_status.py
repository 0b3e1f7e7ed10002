"""The words for every way that a session can stand, and the units and shapes of the answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller import status
from controller.model import (
    DesiredState,
    EngineView,
    Phase,
    Probe,
    Progress,
    RunState,
    SessionHealth,
    SessionState,
    Truth,
    Usage,
    UserView,
    Wish,
)
from controller.sizes import bytes_size
from tests.api_world import SITE
from tests.worlds import NOW, a_container

NOBODY = status.WhoAsked()
THERE = EngineView(reachable=True, version="20.10", last_seen=NOW, error="")
AWAY = EngineView(reachable=False, last_seen=NOW - timedelta(seconds=12), error="connection refused")
SETTLED = Progress(passes=3, generation=5, settled=True)
BOTH = Probe(True, True, NOW - timedelta(seconds=1), "")
SILENT = Probe(False, True, NOW - timedelta(seconds=1), "the web service does not answer yet")
SINCE = NOW - timedelta(minutes=3)
TAKEN = Progress(
    passes=3,
    generation=5,
    error="Port 30007 is already in use on this host.",
    code="port_taken",
    hint="End what listens there.",
    failures=2,
    failing_since=SINCE,
    next_try=NOW + timedelta(seconds=4),
)
RUNS = a_container()
EARLIER = NOW - timedelta(seconds=40)


def a_session(state: SessionState = SessionState.IDLE, **changes: object) -> SessionHealth:
    health = SessionHealth(state, EARLIER, EARLIER, "octave 7.3.0", 0, False, SINCE)
    return replace(health, **changes)  # type: ignore[arg-type]


def a_view(**changes: object) -> UserView:
    view = UserView(7, THERE, RUNS, NOW, BOTH, SINCE, None, SETTLED)
    return replace(view, **changes)  # type: ignore[arg-type]


def phase(name: Phase, **more: object) -> UserView:
    return a_view(container=a_container(phase=name, **more), probe=None, ready_since=None)


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
        a_view(container=a_container(ours=False), probe=None, ready_since=None, progress=TAKEN),
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
    ready, _, _, degraded, *_ = status.conditions(wish, view, NOW)
    assert (ready.status, ready.reason, degraded.reason if degraded.status == "True" else None) == words
    assert status.why(wish, view, NOW) == sentence


def test_conditions_have_a_fixed_order_and_carry_the_generation() -> None:
    found = status.conditions(Wish(), a_view(), NOW)
    assert tuple(each.type for each in found) == status.CONDITIONS
    assert {each.observed_generation for each in found} == {5}
    assert found[0].since == SINCE


@pytest.mark.parametrize(
    ("progress", "reconciling", "stalled"),
    [
        (SETTLED, ("False", "Settled", None), ("False", "NotStalled")),
        (Progress(), ("True", "Queued", None), ("False", "NotStalled")),
        (Progress(doing="create: it is not there"), ("True", "Acting", None), ("False", "NotStalled")),
        (TAKEN, ("True", "BackingOff", SINCE), ("False", "NotStalled")),
        (replace(TAKEN, permanent=True), ("False", "Stalled", None), ("True", "PortTaken")),
    ],
)
def test_whether_it_is_worked_on(
    progress: Progress, reconciling: tuple[str, str, datetime | None], stalled: tuple[str, str]
) -> None:
    _, first, second, *_ = status.conditions(Wish(), a_view(progress=progress), NOW)
    assert (first.status, first.reason, first.since) == reconciling
    assert (second.status, second.reason) == stalled


def test_a_session_that_died_often_is_degraded_though_it_runs() -> None:
    view = a_view(progress=replace(SETTLED, failures=4, failing_since=SINCE))
    degraded = status.conditions(Wish(), view, NOW)[3]
    assert (degraded.reason, degraded.message) == ("Recovering", "The session failed 4 times in a row")


@pytest.mark.parametrize(
    ("view", "web", "session", "busy"),
    [
        (a_view(container=None), ("False", "NotRunning"), ("False", "NotRunning"), ("False", "NotRunning")),
        (phase(Phase.EXITED), ("False", "NotRunning"), ("False", "NotRunning"), ("False", "NotRunning")),
        (a_view(container=a_container(ours=False)), *[("False", "NotRunning")] * 3),
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
    found = status.conditions(Wish(), view, NOW)[4:7]
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
    _, *found = status.conditions(Wish(), a_view(probe=probe), NOW)[4:7]
    assert [(each.status.value, each.reason) for each in found] == [session, busy]
    assert [each.since for each in found] == [SINCE, EARLIER]
    users = {7: Wish()}
    observed = status.user_document(SITE, DesiredState(5, None, users), a_view(probe=probe), NOW, NOBODY)["observed"]
    assert observed["session"] == {
        "state": told.state.value,
        "since": "2026-11-22T11:59:20.000Z",
        "last_activity": "2026-11-22T11:59:20.000Z",
        "interpreter": "octave 7.3.0",
        "restarts": 0,
        "safe_mode": told.safe_mode,
        "started_at": "2026-11-22T11:57:00.000Z",
    }


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
    found = status.conditions(Wish(), view, NOW)[7]
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


views = st.builds(
    UserView,
    st.integers(1, 100),
    st.sampled_from([THERE, AWAY, EngineView()]),
    st.one_of(st.none(), st.builds(lambda p, o: a_container(phase=p, ours=o), st.sampled_from(Phase), st.booleans())),
    st.sampled_from([None, NOW]),
    st.sampled_from([None, BOTH, SILENT, *(replace(BOTH, session=a_session(state)) for state in SessionState)]),
    st.sampled_from([None, SINCE]),
    st.sampled_from([None, Usage(1.0, 2, 0, NOW)]),
    st.sampled_from([SETTLED, TAKEN, Progress(), replace(TAKEN, next_try=None, permanent=True)]),
)
wishes = st.one_of(
    st.none(), st.builds(Wish, st.sampled_from([None, *RunState]), restart_at=st.sampled_from([None, NOW]))
)


@given(wishes, views)
def test_the_words_agree_with_one_another(wish: Wish | None, view: UserView) -> None:
    ready, reconciling, stalled, degraded, web, session, busy, *_ = status.conditions(wish, view, NOW)
    assert (ready.reason == "EngineUnreachable") == (not view.engine.reachable)
    if ready.status is Truth.TRUE:
        assert wish is not None
        assert view.probe is not None
        assert view.probe.ready
        assert status.own(view) is not None
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
    assert ".." not in status.why(wish, view, NOW)
    users = {} if wish is None else {view.user_id: wish}
    assert status.user_document(SITE, DesiredState(5, None, users), view, NOW, NOBODY)["user_id"] == view.user_id
    assert status.health_answer(SITE, view, NOW)["status"] in ("running", "stopped", "unknown")


# ---------------------------------------------------------------- shapes


def test_health_as_the_reference_prints_it() -> None:
    usage = Usage(2.7412, round(2.302 * 2**30), 4 * 2**30, NOW)
    container = a_container(started_at=datetime.fromisoformat("2025-10-13T10:30:00.000999Z"))
    assert status.health_answer(SITE, a_view(container=container, usage=usage), NOW) == {
        "container_id": "matlab-user-7",
        "status": "running",
        "started_at": "2025-10-13T10:30:00.000Z",
        "cpu_usage": "2.74%",
        "memory_usage": "2.302GiB / 4GiB",
        "memory_percent": "57.55%",
        "web_service": "healthy",
        "websocket_service": "healthy",
        "http_port": 30007,
        "ws_port": 31007,
    }


@pytest.mark.parametrize("name", [each for each in Phase if each is not Phase.RUNNING])
def test_what_does_not_run_is_stopped(name: Phase) -> None:
    answer = status.health_answer(SITE, phase(name), NOW)
    assert (set(answer), answer["status"]) == ({"container_id", "status", "started_at"}, "stopped")


def test_old_knowledge_is_not_told_as_the_present() -> None:
    late = NOW + timedelta(seconds=6)
    answer = status.health_answer(SITE, a_view(usage=Usage(1, 2, 3, NOW)), late)
    assert answer["status"] == "running"
    assert answer["web_service"] == answer["websocket_service"] == answer["cpu_usage"] == "unknown"


def test_the_unknown_carries_its_age_and_what_was_known() -> None:
    usage = Usage(2.5, 2**30, 2**32, NOW)
    answer = status.health_answer(SITE, a_view(engine=AWAY, usage=usage), NOW + timedelta(seconds=30))
    assert (answer["status"], answer["age_seconds"]) == ("unknown", 30)
    assert answer["last_known"] == {
        "status": "running",
        "cpu_usage": "2.50%",
        "memory_usage": "1GiB / 4GiB",
        "memory_percent": "25.00%",
    }
    assert status.health_answer(SITE, UserView(3, EngineView()), NOW)["age_seconds"] is None


def test_a_row_of_the_list_has_local_time() -> None:
    container = a_container(phase=Phase.EXITED, created_at=datetime.fromisoformat("2025-10-13T02:30:00.999Z"))
    row = status.list_row(SITE, 1, container, lambda moment: moment.astimezone(ZoneInfo("Asia/Shanghai")))
    assert row == {
        "container_id": "matlab-user-1",
        "user_id": 1,
        "status": "exited",
        "created": "2025-10-13 10:30:00",
        "http_port": 30001,
        "ws_port": 31001,
    }


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1KiB"),
        (1536, "1.5KiB"),
        (35 * 2**20 + 123456, "35.12MiB"),
        (1000 * 2**20, "1000MiB"),
        (1023.99 * 2**20, "1024MiB"),
        (4 * 2**30, "4GiB"),
        (2.302 * 2**30, "2.302GiB"),
        (123.456 * 2**30, "123.5GiB"),
        (2**80 * 5000, "5000YiB"),
    ],
)
def test_sizes_are_written_as_the_docker_cli_does(size: float, text: str) -> None:
    """Expected values: `units.BytesSize` of docker/go-units, which is `%.4g` in steps of 1024."""
    assert bytes_size(size) == text


def test_nothing_limits_the_memory() -> None:
    assert status.health_answer(SITE, a_view(usage=Usage(0, 5, 0, NOW)), NOW)["memory_percent"] == "0.00%"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")]
)
def test_spans_are_as_exact_as_a_person_wants_them(seconds: int, text: str) -> None:
    view = a_view(progress=replace(TAKEN, next_try=NOW + timedelta(seconds=seconds)))
    expected = "now" if seconds == 0 else f"in {text}"
    assert f"the next try is {expected}." in status.why(Wish(), view, NOW)
