"""What a manager tells of nodes and tasks, and what that says of a session."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.engine import runs, service
from controller.engine.service import LABEL_LEFT, LABEL_RAN, Placing, Terms
from controller.model import Limits, Machine, Node, Phase
from tests.worlds import GIB, NOW, a_spec

TERMS = Terms("default", Placing(), 10)
N1 = Machine("id1", "n1", "10.77.0.2", "worker", "ready", "active", None, {}, 8, 16 * GIB, NOW)
TEMPLATE = service.service_of(a_spec(), TERMS, Limits(2, 4 * GIB, 256), {})["TaskTemplate"]
GPU = {"pool": "gpu"}


def a_service(replicas: int = 1, **labels: str) -> dict[str, Any]:
    posted = service.service_of(a_spec(), TERMS, Limits(2, 4 * GIB, 256), {})
    posted["Mode"] = {"Replicated": {"Replicas": replicas}}
    posted["Labels"] |= labels
    return posted


def a_task(state: str = "running", **changes: Any) -> dict[str, Any]:
    task: dict[str, Any] = {
        "ID": "t1",
        "NodeID": "id1",
        "CreatedAt": "2026-11-22T12:00:00.5Z",
        "DesiredState": "running",
        "Status": {"State": state, "Timestamp": "2026-11-22T12:00:01.5Z"},
        "Spec": {"ForceUpdate": 3},
    }
    return task | changes


def a_node(**changes: Any) -> dict[str, Any]:
    node: dict[str, Any] = {
        "ID": "id1",
        "Spec": {"Role": "worker", "Availability": "active"},
        "Description": {"Hostname": "n1", "Resources": {"NanoCPUs": 8_000_000_000, "MemoryBytes": 16 * GIB}},
        "Status": {"State": "ready", "Addr": "10.77.0.2"},
        "UpdatedAt": NOW.isoformat(),
    }
    return node | changes


def test_a_node_is_known_by_its_name_and_address() -> None:
    assert runs.machine(a_node()) == N1


def test_a_manager_s_address_is_the_one_by_which_the_others_know_it() -> None:
    said = a_node(Status={"State": "ready", "Addr": "0.0.0.0"}, ManagerStatus={"Addr": "[fd00::2]:2377"})
    assert runs.machine(said).address == "fd00::2"


def test_a_node_that_is_only_joining_keeps_nobody_from_knowing_the_others() -> None:
    joining = runs.machine(a_node(Description={"Platform": {}, "Resources": {}}, Status={"State": "unknown"}))
    assert (joining.name, joining.cpus, joining.takes_runs) == ("id1", 0, False)


@pytest.mark.parametrize("state", ["running", "starting"])
def test_of_a_lost_node_it_is_not_known_whether_the_session_runs(state: str) -> None:
    machines = {"id1": runs.machine(a_node(Status={"State": "down", "Addr": "10.77.0.2"}))}
    there = runs.node(a_task(state), machines)
    assert there == Node("n1", "10.77.0.2", "The node n1 is down, and the session may go on there.", id="id1")


def test_what_had_ended_on_a_node_that_was_lost_later_had_ended() -> None:
    machines = {"id1": runs.machine(a_node(Status={"State": "down", "Addr": "10.77.0.2"}))}
    assert runs.node(a_task("complete"), machines) == Node("n1", "10.77.0.2", "", id="id1")


def test_who_takes_a_node_out_of_the_swarm_says_that_nothing_runs_there() -> None:
    assert runs.node(a_task("orphaned"), {}) == Node("id1", "", "", id="id1")
    assert runs.node(a_task("running"), {}) == Node(
        "id1", "", "The session's node is not in the swarm any more.", id="id1"
    )


@pytest.mark.parametrize(
    ("machine", "pin"),
    [
        (N1, "id1"),
        (replace(N1, availability="pause"), ""),
        (replace(N1, state="down"), ""),
        (None, ""),
    ],
    ids=["ready", "paused", "down", "gone"],
)
def test_the_next_run_stays_on_the_node_where_that_takes_any(machine: Machine | None, pin: str) -> None:
    assert runs.pin([a_task("complete")], {"id1": machine} if machine else {}, {}) == pin


def test_the_next_run_does_not_stay_on_a_node_that_lost_the_label() -> None:
    assert runs.pin([a_task("complete")], {"id1": N1}, GPU) == ""
    assert runs.pin([a_task("complete")], {"id1": replace(N1, labels={"pool": "GPU"})}, GPU) == "id1"


def test_a_run_is_kept_off_nodes_by_what_these_never_lose() -> None:
    nodes = [N1, replace(N1, id="id2", labels={"pool": "gpu"}), replace(N1, id="id3", labels={"pool": "cpu"})]
    assert runs.place(GPU, nodes, "") == ["node.id!=id1", "node.id!=id3"]
    assert runs.place({}, nodes, "") == []
    assert runs.place(GPU, nodes, "id2") == ["node.id==id2"]


IS_LOST = "The node n1 is down, and the session may go on there."
IS_BACK = "The node n1 is back, and the session may not have ended there yet."


@pytest.mark.parametrize(
    ("task", "noted", "machine", "just_back", "why"),
    [
        (None, "gone id1", replace(N1, state="down"), False, IS_LOST),
        (a_task("failed"), "gone id1", replace(N1, state="down"), False, IS_LOST),
        (a_task("orphaned"), "", replace(N1, state="down"), False, IS_LOST),
        (None, "gone id1", N1, True, IS_BACK),
        (a_task("orphaned"), "", N1, True, IS_BACK),
        (None, "gone id1", N1, False, ""),
        (a_task("orphaned"), "", N1, False, ""),
        (a_task("running"), "id1", N1, True, ""),
        (a_task("complete"), "", N1, True, ""),
        (None, "", replace(N1, state="down"), True, ""),
        (None, "id1", None, True, ""),
    ],
    ids=[
        "told no more, on a node that is lost",
        "and an older one is told",
        "given up",
        "told no more, on a node that is just back",
        "given up there",
        "long back",
        "long back, given up",
        "it is told",
        "had ended",
        "there was none",
        "the node was taken out",
    ],
)
def test_a_run_whose_end_is_not_told_may_go_on_until_its_node_was_back_for_long_enough(
    task: Any, noted: str, machine: Machine | None, just_back: bool, why: str
) -> None:
    machines = {"id1": machine} if machine else {}
    there = runs.left(task, {LABEL_LEFT: noted}, machines, lambda _: just_back)
    assert (there.lost if there else "") == why
    assert there is None or there == Node("n1", "10.77.0.2", why, id="id1")


def test_a_node_that_is_drained_keeps_that_itself_until_it_is_activated() -> None:
    said = a_node()
    runs.drain(said["Spec"], NOW)
    assert runs.machine(said) == replace(N1, availability="pause", leaving_since=NOW)
    there = runs.node(a_task(), {"id1": runs.machine(said)})
    assert there is not None
    assert there.leaving
    runs.activate(said["Spec"])
    assert runs.machine(said) == N1


def test_a_hand_that_takes_a_node_back_takes_back_the_drain() -> None:
    said = a_node()
    runs.drain(said["Spec"], NOW)
    said["Spec"]["Availability"] = "active"
    assert runs.machine(said).leaving_since is None


def test_a_node_that_the_swarm_itself_drains_stays_so() -> None:
    said = a_node(Spec={"Role": "worker", "Availability": "drain"})
    runs.drain(said["Spec"], NOW)
    assert runs.machine(said).availability == "drain"


def test_what_is_reserved_of_a_node_is_what_its_tasks_reserve() -> None:
    reserving = {"ForceUpdate": 1, "Resources": {"Reservations": {"NanoCPUs": 1_500_000_000, "MemoryBytes": GIB}}}
    tasks = [a_task(Spec=reserving), a_task("starting", Spec=reserving), a_task("pending", Spec=reserving), a_task()]
    (told,) = runs.reserved([N1], tasks)
    assert (told.reserved_cpus, told.reserved_memory) == (3, 2 * GIB)


@pytest.mark.parametrize(
    ("others", "labels", "why"),
    [
        ([], {}, "No other node takes sessions."),
        ([replace(N1, id="id2", availability="pause")], {}, "No other node takes sessions."),
        ([replace(N1, id="id2")], GPU, "No other node that takes sessions has pool=gpu."),
        (
            [replace(N1, id="id2", reserved_cpus=7), replace(N1, id="id3", reserved_memory=13 * GIB)],
            {},
            "No other node has room for it: 2 cpus and 4096 MiB, as it reserves them.",
        ),
        ([replace(N1, id="id2", reserved_cpus=6, reserved_memory=12 * GIB)], {}, ""),
        ([replace(N1, id="id2", labels={"pool": "gpu"})], GPU, ""),
    ],
    ids=["none", "paused", "unlabelled", "full", "just enough", "labelled"],
)
def test_whether_another_node_would_take_a_session(others: list[Machine], labels: dict[str, str], why: str) -> None:
    assert runs.why_nowhere([N1, *others], TEMPLATE, labels, "id1") == why


@pytest.mark.parametrize(
    ("replicas", "tasks", "phase"),
    [
        (0, [], Phase.CREATED),
        (1, [a_task("pending")], Phase.CREATED),
        (1, [a_task("rejected")], Phase.CREATED),
        (1, [a_task("preparing")], Phase.RESTARTING),
        (1, [a_task()], Phase.RUNNING),
        (0, [a_task()], Phase.RESTARTING),
        (1, [a_task(DesiredState="shutdown"), a_task("ready", CreatedAt="2026-11-22T12:05:00Z")], Phase.RESTARTING),
        (1, [a_task("failed", Status={"State": "failed", "Err": "task: non-zero exit (137)"})], Phase.EXITED),
        (1, [a_task("failed", Status={"State": "failed", "Err": "no such image"})], Phase.CREATED),
    ],
    ids=["none", "waits", "rejected", "comes", "runs", "ends", "follows", "died", "not begun"],
)
def test_what_a_service_and_its_tasks_are_as_a_container(
    replicas: int, tasks: list[dict[str, Any]], phase: Phase
) -> None:
    assert runs.phase(a_service(replicas), tasks) is phase


def test_a_run_began_when_its_task_came_up() -> None:
    assert runs.since(a_task()) == datetime(2026, 11, 22, 12, 0, 1, 500_000, UTC)


def test_a_run_began_no_earlier_than_it_was_asked_for_though_the_node_s_clock_is_behind() -> None:
    task = a_task(Status={"State": "running", "Timestamp": "2026-11-22T11:58:00Z"})
    assert runs.since(task) == datetime(2026, 11, 22, 12, 0, 0, 500_000, UTC)


@pytest.mark.parametrize(
    ("label", "began"), [("2026-11-22T12:00:00+00:00", datetime(2026, 11, 22, 12, tzinfo=UTC)), ("yesterday", None)]
)
def test_a_stop_leaves_when_the_run_began_and_a_hand_may_spoil_that(label: str, began: datetime | None) -> None:
    labels = {LABEL_RAN: label}
    assert runs.phase(a_service(0, **labels), []) is Phase.EXITED
    assert runs.started(labels, None, Phase.EXITED) == began


def test_a_session_may_go_on_where_a_task_of_it_was_begun_and_has_not_ended() -> None:
    told = [("running", "id3"), ("preparing", "id1"), ("complete", "id2"), ("orphaned", "id4"), ("pending", "")]
    assert runs.where(a_task(state, NodeID=node_id) for state, node_id in told) == ["id1", "id3"]


@pytest.mark.parametrize(
    ("state", "begun"), [("pending", False), ("preparing", True), ("running", True), ("failed", False)]
)
def test_a_task_that_a_node_has_is_begun(state: str, begun: bool) -> None:
    assert runs.is_begun(a_task(state)) is begun
