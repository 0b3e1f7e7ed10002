"""What may be known of a user's session at one moment: some of it to be told about, and all of it by chance."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from controller.model import (
    EngineView,
    Node,
    Phase,
    Probe,
    Progress,
    RunState,
    SessionHealth,
    SessionState,
    Usage,
    UserView,
    Wish,
)
from tests.worlds import NOW, a_container

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
ON_A_NODE = a_container(node=Node("n2", "10.0.0.2"))
ON_A_LOST_ONE = a_container(node=Node("n2", "10.0.0.2", "The node n2 is down, and the session may go on there."))


def a_session(state: SessionState = SessionState.IDLE, **changes: object) -> SessionHealth:
    health = SessionHealth(state, EARLIER, EARLIER, "octave 7.3.0", 0, False, SINCE)
    return replace(health, **changes)  # type: ignore[arg-type]


def a_view(**changes: object) -> UserView:
    view = UserView(7, THERE, RUNS, NOW, BOTH, SINCE, None, SETTLED)
    return replace(view, **changes)  # type: ignore[arg-type]


def phase(name: Phase, **more: object) -> UserView:
    return a_view(container=a_container(phase=name, **more), probe=None, ready_since=None)


views = st.builds(
    UserView,
    st.integers(1, 100),
    st.sampled_from([THERE, AWAY, EngineView()]),
    st.one_of(st.none(), st.builds(lambda each: a_container(phase=each), st.sampled_from(Phase))),
    st.sampled_from([None, NOW]),
    st.sampled_from([None, BOTH, SILENT, *(replace(BOTH, session=a_session(state)) for state in SessionState)]),
    st.sampled_from([None, SINCE]),
    st.sampled_from([None, Usage(1.0, 2, 0, NOW)]),
    st.sampled_from([SETTLED, TAKEN, Progress(), replace(TAKEN, next_try=None, permanent=True)]),
)
wishes = st.one_of(
    st.none(), st.builds(Wish, st.sampled_from([None, *RunState]), restart_at=st.sampled_from([None, NOW]))
)
