"""What is done about a node that stays lost: who is given up when, and only on the operator's command's word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from controller import failover
from controller.events import Event, EventReason
from controller.failover import Failover, Lost
from controller.model import EngineView, Machine, Node, UserView
from tests.fake_engine import FakeEngine
from tests.worlds import a_container

N1, N2, N3 = (
    Machine(
        f"id-n{n}",
        f"n{n}",
        f"10.77.0.{n + 1}",
        "manager" if n == 1 else "worker",
        "ready",
        "active",
        None,
        {},
        8,
        2**34,
    )
    for n in (1, 2, 3)
)
DOWN = replace(N3, state="down")
WAITS = (
    "; sessions of users 7 wait for it; once nothing runs there for certain, `docker node rm --force id-n3` has them "
    "start on others"
)
AWAY = "The node n3 is down, and the session may go on there."


# ---------------------------------------------------------------- whom, and when


def test_a_node_that_has_been_lost_long_enough_is_due() -> None:
    lost = Lost(60)
    assert lost.due([N1, N2, DOWN], {"id-n3"}, 0) is None
    assert lost.due([N1, N2, DOWN], {"id-n3"}, 59) is None
    assert lost.due([N1, N2, DOWN], {"id-n3"}, 60) == DOWN


def test_one_that_came_back_begins_anew() -> None:
    lost = Lost(60)
    lost.due([N1, N2, DOWN], {"id-n3"}, 0)
    lost.due([N1, N2, N3], {"id-n3"}, 30)
    assert lost.due([N1, N2, DOWN], {"id-n3"}, 70) is None
    assert lost.due([N1, N2, DOWN], {"id-n3"}, 130) == DOWN


def test_another_node_of_the_same_name_is_not_given_up_in_its_place() -> None:
    namesake = replace(DOWN, id="id-namesake", address="10.77.0.9")
    lost, nodes = Lost(60), [N1, N2, replace(N2, id="id-n4", name="n4"), DOWN, namesake]
    assert [lost.due(nodes, {"id-n3"}, now) for now in (0, 60)] == [None, DOWN]
    assert lost.due(nodes, {"id-n3"}, 61) is None


def test_one_whose_name_another_has_that_answers_is_not_given_up() -> None:
    """The command is told the name first, and would switch off the one that answers."""
    joined = replace(N3, id="id-joined", address="10.77.0.9")
    lost = Lost(60)
    assert [lost.due([N1, N2, joined, DOWN], {"id-n3"}, now) for now in (0, 60)] == [None, None]


def test_one_is_not_tried_again_at_once() -> None:
    lost = Lost(60)
    lost.due([N1, N2, DOWN], {"id-n3"}, 0)
    assert lost.due([N1, N2, DOWN], {"id-n3"}, 60) == DOWN
    assert lost.due([N1, N2, DOWN], {"id-n3"}, 60 + failover.AGAIN - 1) is None
    assert lost.due([N1, N2, DOWN], {"id-n3"}, 60 + failover.AGAIN) == DOWN


def test_what_a_machine_was_before_it_joined_anew_counts_for_nothing() -> None:
    lost, before = Lost(60), [replace(DOWN, id=f"id-before-{n}") for n in range(4)]
    assert [lost.due([N1, N2, N3, before[0]], {"id-before-0"}, now) for now in (0, 100)] == [None, None]
    gone = replace(N2, state="down")
    assert [lost.due([N1, gone, N3, *before], {"id-n2"}, now) for now in (200, 260)] == [None, gone]


@pytest.mark.parametrize(
    ("machines", "needed"),
    [
        ([N1, N2, DOWN], {"id-n2"}),
        ([replace(N1, state="down"), N2, N3], {"id-n1"}),
        ([N1, replace(N2, state="down"), DOWN], {"id-n2", "id-n3"}),
        ([N1, N2, replace(N3, state="unknown")], {"id-n3"}),
    ],
    ids=["nobody's session is there", "a manager", "most are lost", "a new leader has not heard of it yet"],
)
def test_who_is_not_given_up(machines: list[Machine], needed: set[str]) -> None:
    lost = Lost(60)
    assert [lost.due(machines, needed, now) for now in (0, 100, 1000)] == [None, None, None]


# ---------------------------------------------------------------- how


class World:
    def __init__(self, folder: Path, script: str) -> None:
        program = folder / "fence"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        self.asked = folder / "asked"
        self.engine = FakeEngine()
        self.engine.nodes = {each.id: each for each in (N1, N2, DOWN)}
        self.events: list[Event] = []
        self.failover = Failover(self.engine, self.views, self.events.append, [str(program), "off"], 0)

    def views(self) -> Iterable[UserView]:
        return [UserView(7, EngineView(True), a_container(node=Node("n3", "10.77.0.4", AWAY, id="id-n3")))]

    @property
    def told(self) -> list[tuple[EventReason, str]]:
        return [(each.reason, each.message) for each in self.events]


async def test_the_command_is_told_which_node_and_its_success_takes_that_out(tmp_path: Path) -> None:
    world = World(tmp_path, f'echo "$@" >> {tmp_path}/asked')
    await world.failover.look()
    assert world.asked.read_text() == "off n3 id-n3 10.77.0.4\n"
    assert set(world.engine.nodes) == {"id-n1", "id-n2"}
    assert world.told == [(EventReason.FENCED, "node n3 was switched off, and taken out of the swarm")]


async def test_a_command_that_fails_gives_nobody_up_and_says_why(tmp_path: Path) -> None:
    world = World(tmp_path, "echo starting; echo the power strip does not answer >&2; exit 3")
    await world.failover.look()
    assert "id-n3" in world.engine.nodes
    why = "node n3 could not be switched off: the command ended with 3: the power strip does not answer"
    assert world.told == [(EventReason.NOT_FENCED, why + WAITS)]


async def test_a_command_that_hangs_gives_nobody_up_and_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover, "LONGEST", 0.2)
    world = World(tmp_path, "sleep 600")
    await world.failover.look()
    assert "id-n3" in world.engine.nodes
    why = "node n3 could not be switched off: the command did not end within 0.2 s"
    assert world.told == [(EventReason.NOT_FENCED, why + WAITS)]


async def test_a_command_that_is_not_there_gives_nobody_up(tmp_path: Path) -> None:
    world = World(tmp_path, "")
    (tmp_path / "fence").unlink()
    await world.failover.look()
    assert "id-n3" in world.engine.nodes
    assert world.told[0][1].endswith(f"fence cannot be run: No such file or directory{WAITS}")


async def test_a_node_that_is_back_by_then_stays_in_the_swarm(tmp_path: Path) -> None:
    world = World(tmp_path, "")
    looks = iter([(N1, N2, DOWN), (N1, N2, N3)])

    async def machines() -> tuple[Machine, ...]:
        return next(looks)

    world.engine.machines = machines  # type: ignore[method-assign]
    await world.failover.look()
    assert "id-n3" in world.engine.nodes
    assert world.told == []


async def test_where_nobodys_session_is_lost_nothing_is_run(tmp_path: Path) -> None:
    world = World(tmp_path, f"touch {tmp_path}/asked")
    world.failover._views = lambda: [UserView(7, EngineView(True), a_container(node=Node("n3", "10.77.0.4")))]
    await world.failover.look()
    assert not world.asked.exists()


# ---------------------------------------------------------------- why not, once


async def looks(world: World, times: int = 3) -> list[str]:
    """What is told by so many looks, a try each."""
    for _ in range(times):
        world.failover._lost._tried = {}
        await world.failover.look()
    return [message.removesuffix(WAITS) for reason, message in world.told if reason is EventReason.NOT_FENCED]


async def test_why_a_lost_nodes_sessions_wait_is_told_where_there_is_no_command(tmp_path: Path) -> None:
    world = World(tmp_path, "")
    world.failover._command = ()
    why = "nothing says how it is switched off (setting `swarm_fence`)"
    assert await looks(world) == [f"node n3 is lost and is not given up: {why}"]
    assert "id-n3" in world.engine.nodes


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ([N1, N2, replace(DOWN, role="manager")], "it is a manager, and a person has to demote it first"),
        (
            [N1, replace(N2, state="down"), DOWN],
            "more than half of all nodes are lost, so it may be the managers that are cut off",
        ),
        (
            [N1, N2, DOWN, replace(N3, id="id-anew")],
            "its machine has joined the swarm anew, and what it was before is still listed",
        ),
    ],
    ids=["a manager", "most are lost", "joined anew"],
)
async def test_why_a_node_is_not_given_up_though_there_is_a_command_is_told_once(
    nodes: list[Machine], why: str, tmp_path: Path
) -> None:
    world = World(tmp_path, f"touch {tmp_path}/asked")
    world.engine.nodes = {each.id: each for each in nodes}
    assert await looks(world) == [f"node n3 is lost and is not given up: {why}"]
    assert not world.asked.exists()


async def test_a_command_that_goes_on_failing_is_told_once_for_each_way_in_which_it_does(tmp_path: Path) -> None:
    world = World(tmp_path, "echo; echo at $(date +%N); exit $(cat code)".replace("code", f"{tmp_path}/code"))
    failed = "node n3 could not be switched off: the command ended with"
    (tmp_path / "code").write_text("3")
    assert [each.partition(": at")[0] for each in await looks(world)] == [f"{failed} 3"]
    (tmp_path / "code").write_text("4")
    assert [each.partition(": at")[0] for each in await looks(world)] == [f"{failed} 3", f"{failed} 4"]


async def test_a_node_that_was_back_and_is_lost_again_is_told_again(tmp_path: Path) -> None:
    world = World(tmp_path, "exit 3")
    assert len(await looks(world)) == 1
    world.engine.nodes["id-n3"] = N3
    await world.failover.look()
    world.engine.nodes["id-n3"] = DOWN
    assert len(await looks(world)) == 2
