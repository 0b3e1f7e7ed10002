"""Values to plan about, and an independent judge of whether a world is as wanted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from controller.model import Container, Phase, RunState, SessionSpec, Target

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GIB = 2**30


def a_spec(user_id: int = 7, **changes: object) -> SessionSpec:
    spec = SessionSpec(
        user_id=user_id,
        name=f"matlab-user-{user_id}",
        image="matlab-session:octave",
        cpus=2,
        memory=4 * GIB,
        shm=4 * GIB,
        env=(("MCM_USER_ID", str(user_id)),),
        data_folder=f"/srv/matlab/user_{user_id}",
        run_as="1000:1000",
        bind_address="127.0.0.1",
        http_port=30000 + user_id,
        ws_port=31000 + user_id,
        spec_hash="0123456789abcdef",
        profile="standard",
        session_id=None,
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def a_target(
    state: RunState = RunState.RUNNING, restart_at: datetime | None = None, spec: SessionSpec | None = None
) -> Target:
    return Target(spec=spec or a_spec(), state=state, restart_at=restart_at, generation=3)


def a_container(**changes: object) -> Container:
    container = Container(
        id="c1",
        name="matlab-user-7",
        phase=Phase.RUNNING,
        ours=True,
        user_id=7,
        created_at=NOW - timedelta(hours=1),
        started_at=NOW - timedelta(hours=1),
        exit_code=0,
        oom_killed=False,
        error="",
        pid=4711,
        image="matlab-session:octave",
        cpus=2,
        host_cpus=8,
        memory=4 * GIB,
        spec_hash="0123456789abcdef",
        session_id=None,
        processes=256,
        data_folder="/srv/matlab/user_7",
    )
    return replace(container, **changes)  # type: ignore[arg-type]


def satisfies(want: Target | None, have: tuple[Container, ...], now: datetime) -> bool:
    """Whether this is what was asked for, said without a look at how the planner thinks."""
    ours = [c for c in have if c.ours]
    if want is None:
        return not ours
    if want.state is RunState.STOPPED:
        return len(ours) <= 1 and all(c.phase in (Phase.CREATED, Phase.EXITED, Phase.DEAD) for c in ours)
    if len(ours) != 1:
        return False
    (one,) = ours
    due = want.restart_at is not None and want.restart_at <= now
    return (
        one.phase is Phase.RUNNING
        and one.name == want.spec.name
        and (one.image, one.spec_hash) == (want.spec.image, want.spec.spec_hash)
        and one.cpus == min(want.spec.cpus, one.host_cpus)
        and one.memory == want.spec.memory
        and one.processes in (None, want.spec.processes or 256)
        and one.data_folder == want.spec.data_folder
        and not one.slack
        and not (one.node is not None and one.node.leaving)
        and not (due and want.restart_at is not None and (one.started_at is None or one.started_at < want.restart_at))
    )
