"""The planner's table: what is wanted, what there is, and the plan as a person would print it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from controller.errors import EngineError, LeftBehind, NameConflict, PortTaken
from controller.model import Container, Node, Phase, Plan, Remove, Retry, RunState, Start, Target, Volume
from controller.planner import LONGEST_WAIT, after_crash, after_failure, plan
from tests.worlds import GIB, NOW, a_container, a_spec, a_target

RUNNING = a_target()
STOPPED = a_target(RunState.STOPPED)
HOUR = timedelta(hours=1)


def printed(todo: Plan) -> str:
    steps = [f"{type(action).__name__}: {action.reason}" for action in todo.actions]
    if todo.in_the_way:
        steps.append(f"in the way: {todo.in_the_way.name}")
    if todo.waiting_for:
        steps.append(f"wait for: {todo.waiting_for}")
    if todo.look_again_at:
        steps.append(f"look again in {(todo.look_again_at - NOW).total_seconds():g} s")
    return "\n".join(steps) or "nothing"


FOREIGN = a_container(id="f1", ours=False, user_id=None)
RENAMED = a_container(name="my-octave")
LOST = Node("n2", "10.0.0.2", "The node n2 is down, and the session may go on there.")
VOLUME = Volume("mcm-v", "nfs", "addr=10.0.0.9", ":/export/user_7")
LEAVING = Node("n2", "10.0.0.2", leaving=True)
UNTIL_IT_IS_BACK = f"wait for: {LOST.lost}\nlook again in 10 s"

TABLE: list[tuple[str, Target | None, tuple[Container, ...], str]] = [
    ("nothing wanted, nothing there", None, (), "nothing"),
    (
        "on a node that is lost",
        RUNNING,
        (a_container(phase=Phase.EXITED, node=LOST),),
        UNTIL_IT_IS_BACK,
    ),
    (
        "not wanted, on a node that is lost",
        None,
        (a_container(node=LOST),),
        UNTIL_IT_IS_BACK,
    ),
    ("on a node that is emptied", RUNNING, (a_container(node=LEAVING),), "Move: the node n2 is being emptied"),
    (
        "on a node that is emptied, to be restarted",
        a_target(restart_at=NOW),
        (a_container(node=LEAVING),),
        "Restart: a restart was asked for at 2026-11-22 12:00:00",
    ),
    ("on a node that is emptied, wanted stopped", STOPPED, (a_container(node=LEAVING),), "Stop: wanted stopped"),
    (
        "on a node that is emptied, and ended",
        RUNNING,
        (a_container(phase=Phase.EXITED, exit_code=1, node=LEAVING),),
        "Start: exited with code 1",
    ),
    (
        "on a node that is emptied and lost",
        RUNNING,
        (a_container(node=replace(LOST, leaving=True)),),
        UNTIL_IT_IS_BACK,
    ),
    (
        "with its data from a volume, as wanted",
        a_target(spec=a_spec(volume=VOLUME)),
        (a_container(data_folder=VOLUME.name),),
        "nothing",
    ),
    (
        "with its data from the folder, where a volume is wanted",
        a_target(spec=a_spec(volume=VOLUME)),
        (a_container(phase=Phase.EXITED),),
        "Remove: the folder /srv/matlab/user_7 is mounted, and not mcm-v\n"
        "Create: the folder /srv/matlab/user_7 is mounted, and not mcm-v",
    ),
    (
        "waits for a node that takes it",
        RUNNING,
        (a_container(phase=Phase.EXITED, awaited=True),),
        "Start: begun, and it waits for a node",
    ),
    ("on a node that is there", STOPPED, (a_container(node=Node("n1", "10.0.0.1")),), "Stop: wanted stopped"),
    ("wanted, nothing there", RUNNING, (), "Create: wanted running, and there is no container"),
    ("wanted and running", RUNNING, (a_container(),), "nothing"),
    ("wanted stopped, nothing there", STOPPED, (), "nothing"),
    ("wanted stopped, and is", STOPPED, (a_container(phase=Phase.EXITED),), "nothing"),
    (
        "wanted stopped, and nobody waited until it was",
        STOPPED,
        (a_container(phase=Phase.EXITED, end_unseen=True),),
        "Stop: wanted stopped, and its end was not seen",
    ),
    ("wanted stopped, runs", STOPPED, (a_container(),), "Stop: wanted stopped"),
    (
        "wanted stopped, paused",
        STOPPED,
        (a_container(phase=Phase.PAUSED),),
        "Unpause: a paused container cannot end\nStop: wanted stopped",
    ),
    ("half made", RUNNING, (a_container(phase=Phase.CREATED),), "Start: made, and not started yet"),
    ("killed", RUNNING, (a_container(phase=Phase.EXITED, exit_code=137),), "Start: exited with code 137"),
    (
        "stopped, and wanted again",
        replace(RUNNING, rested=True),
        (a_container(phase=Phase.EXITED, exit_code=143),),
        "Start: wanted running, and it was stopped",
    ),
    (
        "out of memory",
        RUNNING,
        (a_container(phase=Phase.EXITED, exit_code=137, oom_killed=True),),
        "Start: the session ran out of memory and was killed",
    ),
    ("paused", RUNNING, (a_container(phase=Phase.PAUSED),), "Unpause: paused from outside"),
    ("dead", RUNNING, (a_container(phase=Phase.DEAD),), "Remove: the engine calls it dead"),
    (
        "being removed",
        RUNNING,
        (a_container(phase=Phase.REMOVING),),
        "wait for: the engine to finish removing a container\nlook again in 1 s",
    ),
    (
        "more memory",
        a_target(spec=a_spec(memory=8 * GIB)),
        (a_container(),),
        "Update: limits differ: memory from 4096 MiB to 8192 MiB",
    ),
    (
        "limits changed by hand",
        RUNNING,
        (a_container(cpus=0.5),),
        "Update: limits differ: cpus from 0.5 to 2",
    ),
    (
        "processes and swap changed by hand",
        RUNNING,
        (a_container(processes=5000, slack=("swap is unlimited",)),),
        "Update: limits differ: processes from 5000 to 256, swap is unlimited",
    ),
    ("processes that the engine cannot limit", RUNNING, (a_container(processes=None),), "nothing"),
    ("made by another version, runs", RUNNING, (a_container(outdated=True, loose=("Init is None",)),), "nothing"),
    (
        "made by another version, ended",
        RUNNING,
        (a_container(outdated=True, phase=Phase.EXITED),),
        "Remove: a version of the controller made it that held sessions otherwise\n"
        "Create: a version of the controller made it that held sessions otherwise",
    ),
    (
        "made by another version, and a restart is due",
        a_target(restart_at=NOW - HOUR / 2),
        (a_container(outdated=True),),
        "Stop: a restart was asked for at 2026-11-22 11:30:00, and a version of the controller made it that held "
        "sessions otherwise\n"
        "Remove: a restart was asked for at 2026-11-22 11:30:00, and a version of the controller made it that held "
        "sessions otherwise\n"
        "Create: a version of the controller made it that held sessions otherwise",
    ),
    ("no longer held as it was made, runs", RUNNING, (a_container(loose=("Privileged is True",)),), "nothing"),
    (
        "no longer held as it was made, ended",
        RUNNING,
        (a_container(phase=Phase.EXITED, loose=("Privileged is True",)),),
        "Remove: it is not held as it was made: Privileged is True\n"
        "Create: it is not held as it was made: Privileged is True",
    ),
    (
        "told of otherwise than it was made a moment ago",
        RUNNING,
        (a_container(phase=Phase.CREATED, started_at=None, loose=("Init is None",)),),
        "Start: made, and not started yet",
    ),
    (
        "another folder than the user's",
        RUNNING,
        (a_container(phase=Phase.EXITED, data_folder="/"),),
        "Remove: the folder / is mounted, and not /srv/matlab/user_7\n"
        "Create: the folder / is mounted, and not /srv/matlab/user_7",
    ),
    (
        "more digits than the engine counts",
        a_target(spec=a_spec(cpus=1 / 3)),
        (a_container(cpus=0.333333333),),
        "nothing",
    ),
    ("more cpus than the host has", a_target(spec=a_spec(cpus=64)), (a_container(cpus=8),), "nothing"),
    (
        "another image",
        a_target(spec=a_spec(image="matlab-session:matlab", spec_hash="f" * 16)),
        (a_container(),),
        "\n".join(
            f"{step}: the image changed from matlab-session:octave to matlab-session:matlab"
            for step in ("Stop", "Remove", "Create")
        ),
    ),
    (
        "another environment",
        a_target(spec=a_spec(spec_hash="f" * 16)),
        (a_container(phase=Phase.EXITED),),
        "\n".join(f"{step}: environment, mounts, ports or shared memory changed" for step in ("Remove", "Create")),
    ),
    (
        "another image, but wanted stopped: time enough when it is to run",
        a_target(RunState.STOPPED, spec=a_spec(spec_hash="f" * 16)),
        (a_container(phase=Phase.EXITED),),
        "nothing",
    ),
    ("renamed by hand", RUNNING, (RENAMED,), "Rename: it was renamed to my-octave"),
    (
        "two of ours: the one with the right name stays",
        RUNNING,
        (a_container(id="c2", name="copy"), a_container()),
        "Stop: a second container of the same user\nRemove: a second container of the same user",
    ),
    ("a foreigner under our name", RUNNING, (FOREIGN,), "in the way: matlab-user-7"),
    ("a foreigner under a name we no longer want", None, (FOREIGN,), "nothing"),
    (
        "not wanted, runs",
        None,
        (a_container(),),
        "Stop: the user is not in the desired state\nRemove: the user is not in the desired state",
    ),
    (
        "not wanted, exited",
        None,
        (a_container(phase=Phase.EXITED),),
        "Remove: the user is not in the desired state",
    ),
    (
        "restart asked for after it started",
        a_target(restart_at=NOW - timedelta(seconds=1)),
        (a_container(),),
        "Restart: a restart was asked for at 2026-11-22 11:59:59",
    ),
    (
        "the engine has kept something of its last run",
        RUNNING,
        (a_container(phase=Phase.EXITED, exit_code=128, left_behind=True),),
        "Start: exited with code 128",
    ),
    ("restart asked for, and done", a_target(restart_at=NOW - 2 * HOUR), (a_container(),), "nothing"),
    (
        "restart asked for of a run that began in the engine's future",
        replace(a_target(restart_at=NOW - timedelta(seconds=1)), restart_of=(a_container().id, NOW + HOUR)),
        (a_container(started_at=NOW + HOUR),),
        "Restart: a restart was asked for at 2026-11-22 11:59:59",
    ),
    (
        "restart asked for of such a run, and done",
        replace(a_target(restart_at=NOW - timedelta(seconds=1)), restart_of=(a_container().id, NOW + HOUR)),
        (a_container(started_at=NOW),),
        "nothing",
    ),
    ("restart in the future", a_target(restart_at=NOW + HOUR), (a_container(),), "look again in 3600 s"),
    (
        "restart asked for of one that exited: a start does",
        a_target(restart_at=NOW),
        (a_container(phase=Phase.EXITED, exit_code=1),),
        "Start: exited with code 1",
    ),
]


@pytest.mark.parametrize(("want", "have", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_plan(want: Target | None, have: tuple[Container, ...], expected: str) -> None:
    assert printed(plan(want, have, Retry(), NOW)) == expected


def test_a_failing_user_waits() -> None:
    retry = Retry(failures=2, not_before=NOW + timedelta(seconds=2))
    assert printed(plan(RUNNING, (), retry, NOW)) == (
        "wait for: wanted running, and there is no container\nlook again in 2 s"
    )
    assert plan(RUNNING, (), retry, NOW + timedelta(seconds=2)).actions


def test_a_clock_set_back_by_a_day_does_not_make_a_user_wait_for_a_day() -> None:
    retry = Retry(failures=1, not_before=NOW + timedelta(days=1))
    assert plan(RUNNING, (), retry, NOW).actions


def test_what_is_as_wanted_does_not_wait() -> None:
    retry = Retry(failures=5, not_before=NOW + timedelta(seconds=30))
    assert plan(RUNNING, (a_container(),), retry, NOW) == Plan()


def test_failures_back_off_from_one_second_to_five_minutes() -> None:
    retry, waits = Retry(), []
    for _ in range(12):
        retry = after_failure(retry, NOW, chance=0, code="engine_refused", ceiling=300)
        waits.append(_wait(retry, NOW).total_seconds())
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_chance_takes_at_most_half_of_a_wait() -> None:
    retry = after_failure(Retry(), NOW, chance=0.999, code="engine_refused", ceiling=300)
    assert _wait(retry, NOW) > timedelta(seconds=0.5)


def test_an_error_may_set_a_lower_ceiling() -> None:
    retry = Retry(failures=20, of_kind={"port_taken": 20})
    assert _wait(after_failure(retry, NOW, chance=0, code="port_taken", ceiling=5), NOW) == timedelta(seconds=5)


def test_the_first_deaths_are_answered_at_once_and_a_loop_is_not() -> None:
    retry, waits = Retry(), []
    for _ in range(6):
        retry = after_crash(retry, NOW, chance=0)
        waits.append(0.0 if retry.not_before is None else _wait(retry, NOW).total_seconds())
    assert waits == [0, 0, 1, 2, 4, 8]


def test_what_failed_often_says_nothing_of_another_kind_of_failure() -> None:
    """A port that was held for an hour, and then the first refusal or death: no 5 min for that."""
    retry = Retry()
    for _ in range(700):
        retry = after_failure(retry, NOW, chance=0, code="port_taken", ceiling=5)
    other = after_failure(retry, NOW, chance=0, code="engine_refused", ceiling=300)
    assert _wait(other, NOW) == timedelta(seconds=1)
    assert after_crash(retry, NOW, chance=0).not_before is None
    assert other.failures == 701


def test_kinds_of_failure_that_take_turns_are_no_hot_loop() -> None:
    retry, waits = Retry(), []
    for n in range(8):
        retry = after_failure(retry, NOW, chance=0, code=("engine_refused", "name_conflict")[n % 2], ceiling=300)
        waits.append(_wait(retry, NOW).total_seconds())
    assert waits == [1, 1, 2, 2, 4, 4, 8, 8]


def test_no_number_of_failures_overflows() -> None:
    retry = Retry(failures=10_000, of_kind={"engine_refused": 10_000})
    retry = after_failure(retry, NOW, chance=0, code="engine_refused", ceiling=10_000)
    assert _wait(retry, NOW) == LONGEST_WAIT


@pytest.mark.parametrize("ended_elsewhere", [NameConflict, PortTaken])
def test_what_ends_without_us_is_noticed_within_the_promised_30_seconds(ended_elsewhere: type[EngineError]) -> None:
    """Found by `make faults`: a name that became free was waited for up to 30 s, and then the session had to start."""
    retry = Retry(failures=10_000, of_kind={ended_elsewhere.code: 10_000})
    retry = after_failure(retry, NOW, chance=0, code=ended_elsewhere.code, ceiling=ended_elsewhere.retry_ceiling)
    assert _wait(retry, NOW) <= timedelta(seconds=10)


def _wait(retry: Retry, now: datetime) -> timedelta:
    assert retry.not_before is not None
    return retry.not_before - now


@pytest.mark.parametrize(("tries", "first"), [(2, Start), (3, Remove), (9, Remove)])
def test_a_container_of_whose_run_the_engine_has_kept_something_is_made_anew_after_three_tries(
    tries: int, first: type
) -> None:
    retry = Retry(tries, of_kind={LeftBehind.code: tries})
    stuck = a_container(phase=Phase.CREATED, started_at=None, left_behind=True)
    assert isinstance(plan(RUNNING, (stuck,), retry, NOW).actions[0], first)
    fresh = replace(stuck, left_behind=False)
    assert isinstance(plan(RUNNING, (fresh,), retry, NOW).actions[0], Start), "the new one is given its own try"
    assert plan(RUNNING, (a_container(left_behind=True),), retry, NOW) == Plan(), "a session is not ended for it"
