"""Any world converges, and then stays quiet; judged by `satisfies`, which does not know how the planner thinks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from controller.model import (
    Action,
    Container,
    Create,
    Move,
    Node,
    Phase,
    Plan,
    Remove,
    Rename,
    Restart,
    Retry,
    RunState,
    Start,
    Stop,
    Target,
    Unpause,
    Update,
)
from controller.planner import plan
from tests.worlds import GIB, NOW, a_container, a_spec, a_target, satisfies

HERE, LEAVING = Node("n1", "10.77.0.11"), Node("n2", "10.77.0.12", leaving=True)
STILL = [Phase.CREATED, Phase.RUNNING, Phase.PAUSED, Phase.EXITED, Phase.DEAD]

targets = st.none() | st.builds(
    a_target,
    state=st.sampled_from(RunState),
    restart_at=st.none() | st.sampled_from([NOW - timedelta(minutes=5), NOW - timedelta(hours=2)]),
    spec=st.builds(
        a_spec,
        cpus=st.sampled_from([1, 2, 64]),
        memory=st.sampled_from([GIB, 4 * GIB]),
        spec_hash=st.sampled_from(["0123456789abcdef", "f" * 16]),
        image=st.sampled_from(["matlab-session:octave", "other"]),
    ),
)
containers = st.builds(
    a_container,
    id=st.uuids().map(str),
    name=st.sampled_from(["matlab-user-7", "mine", "yours"]),
    phase=st.sampled_from(STILL),
    ours=st.booleans(),
    started_at=st.none() | st.sampled_from([NOW - timedelta(hours=1), NOW - timedelta(hours=3)]),
    cpus=st.sampled_from([0.5, 1, 2, 8]),
    memory=st.sampled_from([GIB, 2 * GIB, 4 * GIB]),
    spec_hash=st.sampled_from(["0123456789abcdef", "e" * 16]),
    image=st.sampled_from(["matlab-session:octave", "other"]),
    processes=st.sampled_from([None, 256, 5000]),
    data_folder=st.sampled_from(["/srv/matlab/user_7", "/"]),
    outdated=st.booleans(),
    loose=st.sampled_from([(), ("Privileged is True",)]),
    slack=st.sampled_from([(), ("swap is unlimited",)]),
    node=st.sampled_from([None, HERE, LEAVING]),
)
worlds = st.lists(containers, max_size=4, unique_by=(lambda c: c.id, lambda c: c.name)).map(tuple)


def carried_out(action: Action, have: tuple[Container, ...]) -> tuple[Container, ...]:
    """What an obedient engine makes of it; a foreigner in the way of a name is the only refusal."""
    if isinstance(action, Create):
        assert not any(c.name == action.spec.name for c in have), "the name is taken"
        spec = action.spec
        made = a_container(
            id="new",
            name=spec.name,
            phase=Phase.CREATED,
            started_at=None,
            image=spec.image,
            cpus=min(spec.cpus, 8),
            memory=spec.memory,
            spec_hash=spec.spec_hash,
        )
        return (*have, made)
    (one,) = (c for c in have if c.id == action.container_id)
    assert one.ours, "a foreigner was touched"
    others = tuple(c for c in have if c is not one)
    match action:
        case Start() | Restart() | Move():
            assert one.phase is not Phase.DEAD
            return (*others, replace(one, phase=Phase.RUNNING, started_at=NOW, node=HERE))
        case Stop():
            assert one.phase is Phase.RUNNING
            return (*others, replace(one, phase=Phase.EXITED))
        case Remove():
            assert one.phase not in (Phase.RUNNING, Phase.PAUSED), "a session was not asked to end"
            return others
        case Unpause():
            assert one.phase is Phase.PAUSED
            return (*others, replace(one, phase=Phase.RUNNING))
        case Update():
            limits = action.limits
            cpus = min(limits.cpus, one.host_cpus)
            return (*others, replace(one, cpus=cpus, memory=limits.memory, processes=limits.processes, slack=()))
        case Rename():
            assert not any(c.name == action.name for c in others), "the name is taken"
            return (*others, replace(one, name=action.name))


@settings(max_examples=1000, deadline=None)
@given(targets, worlds)
def test_any_world_converges_and_then_stays_quiet(want: Target | None, have: tuple[Container, ...]) -> None:
    foreigner_in_the_way = any(not c.ours and c.name == "matlab-user-7" for c in have)
    assume(not (foreigner_in_the_way and want is not None))
    foreigners = {c for c in have if not c.ours}
    for _ in range(20):
        todo = plan(want, have, Retry(), NOW)
        if not todo.actions:
            break
        have = carried_out(todo.actions[0], have)
    assert todo == Plan()
    assert satisfies(want, have, NOW)
    assert {c for c in have if not c.ours} == foreigners


@settings(max_examples=300, deadline=None)
@given(targets, worlds)
def test_the_whole_plan_can_be_carried_out_as_it_was_printed(want: Target | None, have: tuple[Container, ...]) -> None:
    assume(not any(not c.ours and c.name == "matlab-user-7" for c in have))
    for action in plan(want, have, Retry(), NOW).actions:
        have = carried_out(action, have)


@settings(max_examples=300, deadline=None)
@given(targets, worlds)
def test_a_world_as_wanted_is_left_alone(want: Target | None, have: tuple[Container, ...]) -> None:
    assume(satisfies(want, have, NOW))
    assert plan(want, have, Retry(), NOW).actions == ()
