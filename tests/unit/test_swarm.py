"""What the engine asks of a manager, and in what order: against one in memory. tests/swarm has real ones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from controller.engine import swarm
from controller.engine.service import Placing, Publish
from controller.engine.swarm import SwarmEngine
from controller.errors import EngineRefused, ImageMissing, NameConflict, NoRoom, NoSuchContainer, NoSuchNode
from controller.model import Container, Limits, Phase, Plan, Retry, RunState, Start, Stop, Target
from controller.planner import plan
from tests.fake_manager import FakeManager, a_manager
from tests.support import MIB, eventually
from tests.worlds import GIB, NOW, a_spec

NAME = "matlab-user-7"


@pytest.fixture
def manager() -> Iterator[FakeManager]:
    with a_manager() as manager:
        yield manager


@pytest.fixture
async def engine(manager: FakeManager) -> AsyncIterator[SwarmEngine]:
    engine = SwarmEngine(manager.url, "test", "matlab-user-", 1, 4)
    yield engine
    await engine.close()


async def runs(engine: SwarmEngine, **changes: Any) -> Container:
    await engine.start(await engine.create(a_spec(**changes)))
    (found,) = await engine.find(7)
    return found


async def test_a_session_is_made_stopped_and_then_begun(manager: FakeManager, engine: SwarmEngine) -> None:
    container_id = await engine.create(a_spec())
    (made,) = await engine.find(7)
    assert (made.id, made.phase, made.node, made.loose) == (container_id, Phase.CREATED, None, ())
    await engine.start(container_id)
    (found,) = await engine.find(7)
    assert found.phase is Phase.RUNNING
    assert manager.where(NAME) == ["id-n1"]
    await engine.start(container_id)
    assert manager.changes == ["create", "replicas 1"]
    with pytest.raises(NameConflict):
        await engine.create(a_spec())


@pytest.mark.parametrize(("publish", "bridge"), [("host", "docker0"), ("ingress", "docker_gwbridge")])
async def test_the_rules_for_the_nodes_close_the_bridge_by_which_sessions_reach_others(
    manager: FakeManager, publish: Publish, bridge: str
) -> None:
    engine = SwarmEngine(manager.url, "test", "matlab-user-", 1, 1, Placing(publish))
    why_not, commands = await engine.enclosed()
    assert "(n1, n2, n3)" in why_not
    assert f"-I INPUT 1 -i {bridge} -j" in commands
    assert f"-I DOCKER-USER 1 -i {bridge} -j" in commands
    await engine.close()


async def test_a_proxy_that_the_environment_names_leads_to_no_engine(
    engine: SwarmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    assert (await engine.info()).version == "20.10"


async def test_a_restart_begins_the_next_run_only_when_the_last_has_ended(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    before = await runs(engine)
    manager.lingers = True
    restarting = asyncio.create_task(engine.restart(before.id))
    await eventually(lambda: manager.changes[-1] == "replicas 0")
    await asyncio.sleep(5 * swarm.STEP)
    assert (manager.where(NAME), manager.changes[-1]) == (["id-n1"], "replicas 0")
    manager.let_end()
    await restarting
    assert manager.where(NAME) == ["id-n1"]
    (after,) = await engine.find(7)
    assert before.started_at is not None
    assert after.started_at is not None
    assert after.started_at > before.started_at


async def test_a_restart_begins_the_next_run_only_when_the_swarm_has_forgotten_the_last(
    manager: FakeManager, engine: SwarmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await runs(engine)
    manager.remembers = True
    restarting = asyncio.create_task(engine.restart(before.id))
    await eventually(lambda: manager.changes[-1] == "replicas 0")
    await asyncio.sleep(5 * swarm.STEP)
    assert manager.changes[-1] == "replicas 0"
    manager.forget()
    await restarting
    assert manager.where(NAME) == ["id-n1"]
    manager.remembers = True
    monkeypatch.setattr(swarm, "STOP_MARGIN", 0.0)
    with pytest.raises(EngineRefused, match="did not put the last run away"):
        await engine.restart(before.id)


async def test_why_a_node_did_not_take_a_session_is_told_though_the_swarm_forgets_it_before_it_is_asked(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    manager.hasty, manager.absent = True, {"gone:1"}
    container_id = await engine.create(a_spec(image="gone:1"))
    with pytest.raises(ImageMissing, match="gone:1"):
        await engine.start(container_id)
    assert manager.changes == ["create", *["replicas 1", "replicas 0"] * 2]


async def test_a_stopped_session_is_begun_once_though_the_swarm_has_yet_to_act_on_the_change_before(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    before = await runs(engine)
    for _ in range(2):  # such runs may be told of beyond the stop
        manager.die(NAME)
        await engine.start(before.id)
    await engine.stop(before.id)
    manager.behind = 2
    await engine.update(before.id, Limits(1, 512 * MIB, 100))
    await engine.start(before.id)
    assert manager.where(NAME) == ["id-n1"]
    manager.die(NAME)
    await engine.restart(before.id)
    assert manager.where(NAME) == ["id-n1"]


async def test_a_swarm_that_does_not_act_on_what_it_is_told_is_told_it_again_ever_less_often(
    manager: FakeManager, engine: SwarmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "STOP_MARGIN", 2.0)
    before = await runs(engine)
    manager.die(NAME)
    manager.behind = 10**6
    told = len(manager.changes)
    with pytest.raises(EngineRefused, match="did not put the last run away within 2 s"):
        await engine.restart(before.id)
    assert 3 <= len(manager.changes) - told <= 6, "each is a write that all managers keep"


async def test_a_run_that_the_swarm_begins_twice_is_ended_and_the_next_try_is_one(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    container_id = await engine.create(a_spec())
    manager.doubles = True
    with pytest.raises(EngineRefused, match="began 2 tasks of the session at once, which would write into one folder"):
        await engine.start(container_id)
    assert manager.where(NAME) == []
    await engine.start(container_id)
    assert manager.where(NAME) == ["id-n1"]


async def test_a_second_task_beside_the_one_that_runs_is_told_and_ended(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    before = await runs(engine)
    manager.begin_another(NAME)
    assert len(manager.where(NAME)) == 2
    (twice,) = await engine.find(7)
    assert twice.slack == ("2 tasks at once, which write into one folder",)
    told = manager.services[before.id]["Spec"]
    await engine.update(before.id, Limits(before.cpus, before.memory, before.processes or 0))
    assert manager.where(NAME) == ["id-n1"]
    assert manager.services[before.id]["Spec"] != told, "or the swarm would not look at them anew"
    (after,) = await engine.find(7)
    assert (after.slack, after.phase) == ((), Phase.RUNNING)


async def test_a_node_that_is_lost_while_a_session_is_to_end_has_it_begun_nowhere(
    manager: FakeManager, engine: SwarmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "STOP_MARGIN", 0.0)
    before = await runs(engine)
    manager.die(NAME)  # so that a run is told that has ended, whatever becomes of the next
    await engine.start(before.id)
    await engine.drain("id-n1")
    manager.lose("id-n1")
    with pytest.raises(EngineRefused, match="did not end within 1 s on n1"):
        await engine.move(before.id)
    assert manager.where(NAME) == ["id-n1"]
    (after,) = await engine.find(7)
    assert after.node is not None
    assert after.node.lost == "The node n1 is down, and the session may go on there."
    manager.forget_lost("id-n1")
    assert manager.where(NAME) == []
    (forgotten,) = await engine.find(7)
    assert forgotten.node == after.node, "the session may go on there all the same"
    manager.find("id-n1")
    (back,) = await engine.find(7)
    assert back.node is not None
    assert back.node.lost == "The node n1 is back, and the session may not have ended there yet."
    manager.lose("id-n1")
    await engine.forget("id-n1")
    (given_up,) = await engine.find(7)
    assert (given_up.phase, given_up.node and given_up.node.lost) == (Phase.EXITED, "")
    monkeypatch.undo()
    await engine.start(before.id)
    assert manager.where(NAME) == ["id-n2"]


async def test_a_stop_that_the_controller_did_not_see_through_leaves_behind_where_the_session_may_go_on(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    before = await runs(engine)
    manager.lingers = True
    stopping = asyncio.create_task(engine.stop(before.id))
    await eventually(lambda: manager.changes[-1] == "replicas 0")
    stopping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stopping
    manager.lose("id-n1")
    manager.forget_lost("id-n1")
    assert manager.tasks == []
    (after,) = await engine.find(7)
    waits = plan(Target(a_spec(), RunState.RUNNING, None, 1), (after,), Retry(), NOW)
    assert waits.actions == ()
    assert waits.waiting_for == "The node n1 is down, and the session may go on there."


async def test_a_session_that_ended_while_no_controller_looked_is_begun_at_once_on_nodes_that_did_not_change(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    before = await runs(engine)
    await engine.stop(before.id)
    manager.services[before.id]["Spec"]["Labels"]["mcm.left-on"] = "id-n1"  # as if the controller had ended meanwhile
    running = Target(a_spec(), RunState.RUNNING, None, 1, rested=True)
    now = (await engine.info()).now
    for changed, waits in ((timedelta(minutes=5), True), (timedelta(minutes=6), False)):
        manager.nodes["id-n1"]["UpdatedAt"] = (now - changed).isoformat()
        (found,) = await engine.find(7)
        assert bool(plan(running, (found,), Retry(), NOW).waiting_for) is waits


async def test_a_session_that_ended_after_its_stop_was_given_up_is_not_missed_when_its_node_is_lost_later(
    manager: FakeManager, engine: SwarmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "STOP_MARGIN", 0.0)
    before = await runs(engine)
    manager.lingers = True
    with pytest.raises(EngineRefused, match="did not end within 1 s on n1"):
        await engine.stop(before.id)
    manager.let_end()
    stopped = Target(a_spec(), RunState.STOPPED, None, 1)
    engine._last_lost["id-n1"] -= 1 + 30  # long before our beginning
    (ended,) = await engine.find(7)
    (again,) = plan(stopped, (ended,), Retry(), NOW).actions
    assert again == Stop(before.id, "wanted stopped, and its end was not seen")
    await engine.stop(before.id)
    manager.lose("id-n1")
    (after,) = await engine.find(7)
    assert (after.phase, after.node and after.node.lost) == (Phase.EXITED, None)
    assert plan(stopped, (after,), Retry(), NOW) == Plan()


async def test_a_stop_that_was_seen_through_leaves_no_node_behind(manager: FakeManager, engine: SwarmEngine) -> None:
    before = await runs(engine)
    await engine.stop(before.id)
    manager.lose("id-n1")
    (after,) = await engine.find(7)
    assert (after.phase, after.node, after.end_unseen) == (Phase.EXITED, None, False)


async def test_a_session_that_the_swarm_gave_up_is_begun_again_only_once_its_node_has_had_time_to_end_it(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    before = await runs(engine)
    manager.lose("id-n1")
    manager.forget_lost("id-n1")
    running = Target(a_spec(), RunState.RUNNING, None, 1)

    async def looked() -> tuple[Phase, Plan]:
        (found,) = await engine.find(7)
        return found.phase, plan(running, (found,), Retry(), NOW)

    phase, waits = await looked()
    assert (phase, waits.actions) == (Phase.EXITED, ())
    assert waits.waiting_for == "The node n1 is down, and the session may go on there."
    manager.find("id-n1")
    phase, waits = await looked()
    assert (phase, waits.actions) == (Phase.EXITED, ())
    assert waits.waiting_for == "The node n1 is back, and the session may not have ended there yet."
    engine._last_lost["id-n1"] -= 1 + 30  # the session's own time, and the margin
    phase, begins = await looked()
    assert [type(each) for each in begins.actions] == [Start]
    await engine.start(before.id)
    (after,) = await engine.find(7)
    assert (after.phase, after.node and after.node.lost) == (Phase.RUNNING, "")


async def test_a_session_on_a_node_that_is_drained_leaves_it(manager: FakeManager, engine: SwarmEngine) -> None:
    before = await runs(engine)
    await engine.drain("id-n1")
    (leaving,) = await engine.find(7)
    assert leaving.node is not None
    assert leaving.node.leaving
    await engine.move(before.id)
    assert manager.where(NAME) == ["id-n2"]
    await engine.activate("id-n1")
    assert [each.availability for each in await engine.machines()] == ["active"] * 3


async def test_whom_no_other_node_would_take_is_left_alone(manager: FakeManager, engine: SwarmEngine) -> None:
    before = await runs(engine)
    for node_id in manager.nodes:
        await engine.drain(node_id)
    done = list(manager.changes)
    for call in (engine.move(before.id), engine.restart(before.id)):
        with pytest.raises(NoRoom, match="No other node takes sessions"):
            await call
    assert manager.changes == done
    (after,) = await engine.find(7)
    assert (after.phase, after.started_at) == (Phase.RUNNING, before.started_at)


async def test_what_others_have_reserved_is_no_room(manager: FakeManager, engine: SwarmEngine) -> None:
    before = await runs(engine, cpus=5)
    for user_id in (8, 9):
        manager.nodes[f"id-n{user_id - 7}"]["Spec"]["Availability"] = "pause"
        await engine.start(await engine.create(a_spec(user_id, cpus=5)))
    told = {each.name: each.reserved_cpus for each in await engine.machines()}
    assert told == {"n1": 5, "n2": 5, "n3": 5}
    with pytest.raises(NoRoom, match="No other node has room for it: 5 cpus and 4096 MiB"):
        await engine.move(before.id)


async def test_a_session_of_a_pool_comes_to_a_node_of_it(manager: FakeManager, engine: SwarmEngine) -> None:
    manager.nodes["id-n3"]["Spec"]["Labels"] = {"pool": "gpu"}
    await runs(engine, node_labels=(("pool", "gpu"),))
    assert manager.where(NAME) == ["id-n3"]


async def test_a_session_stays_on_a_node_that_loses_its_label_and_leaves_it_with_the_next_run(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    manager.relabel("id-n3", pool="gpu")
    before = await runs(engine, node_labels=(("pool", "gpu"),))
    await engine.restart(before.id)
    manager.relabel("id-n2", pool="gpu")
    manager.relabel("id-n3", pool="cpu")
    assert manager.where(NAME) == ["id-n3"]
    await engine.restart(before.id)
    assert manager.where(NAME) == ["id-n2"]
    manager.relabel("id-n2")
    with pytest.raises(NoRoom, match="No other node that takes sessions has pool=gpu"):
        await engine.restart(before.id)
    assert manager.where(NAME) == ["id-n2"]


async def test_where_no_node_has_the_label_that_is_told(
    manager: FakeManager, engine: SwarmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "NO_ROOM", 0.2)
    container_id = await engine.create(a_spec(node_labels=(("pool", "gpu"),)))
    with pytest.raises(EngineRefused, match="No node takes the session: no suitable node"):
        await engine.start(container_id)


def test_that_a_task_is_up_is_seen_soon_and_one_that_is_not_is_looked_at_hardly_more_often_than_every_step() -> None:
    waited, looks = 0.0, 0
    while waited < swarm.START_TIMEOUT:
        later = swarm.step_up(waited)
        assert later <= max(0.02, waited / 10) + 1e-9
        waited, looks = waited + later, looks + 1
    assert looks < 1.05 * swarm.START_TIMEOUT / swarm.STEP


async def test_what_the_swarm_has_not_looked_at_yet_is_waited_for(
    manager: FakeManager, engine: SwarmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "NO_ROOM", 0.0)
    manager.idle = True
    starting = asyncio.create_task(engine.start(await engine.create(a_spec())))
    await eventually(lambda: bool(manager.tasks))
    await asyncio.sleep(5 * swarm.STEP)
    assert not starting.done()
    manager.place()
    await starting
    assert manager.where(NAME) == ["id-n1"]


async def test_a_service_that_is_removed_amid_a_look_is_none_and_the_engine_is_there(
    manager: FakeManager, engine: SwarmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    container_id = await engine.create(a_spec())
    look = engine._machines

    def removed_meanwhile(client: Any) -> Any:
        manager.services.pop(container_id, None)
        return look(client)

    monkeypatch.setattr(engine, "_machines", removed_meanwhile)
    assert await engine.find(7) == ()


async def waits(manager: FakeManager, engine: SwarmEngine) -> str:
    """A session that no node takes, whose start nobody waits for any more, as if the controller had ended; its id."""
    manager.idle = True
    container_id = await engine.create(a_spec())
    starting = asyncio.create_task(engine.start(container_id))
    await eventually(lambda: bool(manager.tasks))
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    return container_id


async def test_what_waits_for_a_node_does_not_come_up_while_its_service_is_removed(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    container_id = await waits(manager, engine)
    before = list(manager.changes)
    await engine.remove(container_id)
    assert (before, manager.changes[2:]) == (["create", "replicas 1"], ["replicas 0", "remove"])


async def test_what_waits_for_a_node_does_not_come_up_when_it_is_wanted_stopped(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    await waits(manager, engine)
    stopped = Target(a_spec(), RunState.STOPPED, None, 1)
    (waiting,) = await engine.find(7)
    (action,) = plan(stopped, (waiting,), Retry(), NOW).actions
    assert isinstance(action, Stop)
    await engine.stop(action.container_id)
    manager.place()
    assert manager.where(NAME) == []
    (after,) = await engine.find(7)
    assert (after.phase, plan(stopped, (after,), Retry(), NOW)) == (Phase.CREATED, Plan())


async def test_a_session_that_runs_is_not_removed_and_goes_on(manager: FakeManager, engine: SwarmEngine) -> None:
    before = await runs(engine)
    with pytest.raises(EngineRefused, match="has a task that runs"):
        await engine.remove(before.id)
    assert (manager.changes, manager.where(NAME)) == (["create", "replicas 1"], ["id-n1"])


async def test_a_change_that_another_overtakes_is_made_anew(manager: FakeManager, engine: SwarmEngine) -> None:
    before = await runs(engine)
    manager.overtaken = 2
    await engine.update(before.id, Limits(1, 512 * MIB, 100))
    (after,) = await engine.find(7)
    assert (after.cpus, after.memory, after.processes) == (1, 512 * MIB, 100)
    manager.overtaken = 2
    await engine.drain("id-n2")
    assert manager.nodes["id-n2"]["Spec"]["Availability"] == "pause"


async def test_tasks_too_many_are_told_and_put_right(manager: FakeManager, engine: SwarmEngine) -> None:
    before = await runs(engine)
    manager.services[before.id]["Spec"]["Mode"] = {"Replicated": {"Replicas": 3}}
    (several,) = await engine.find(7)
    assert several.slack == ("3 tasks at once, which write into one folder",)
    await engine.update(before.id, Limits(2, 4 * GIB, 256))
    (after,) = await engine.find(7)
    assert (after.slack, after.started_at) == ((), before.started_at)


async def test_one_node_that_is_joining_keeps_nobody_from_knowing_the_rest(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    before = await runs(engine)
    manager.nodes["id-n4"] = {**manager.nodes["id-n3"], "ID": "id-n4", "Description": {"Resources": {}}}
    assert await engine.find(7) == (before,)


async def test_one_label_that_a_hand_spoilt_keeps_nobody_from_knowing_the_rest(
    manager: FakeManager, engine: SwarmEngine
) -> None:
    before = await runs(engine)
    await engine.stop(before.id)
    manager.services[before.id]["Spec"]["Labels"]["mcm.started-at"] = "yesterday"
    await engine.create(a_spec(8))
    assert set(await engine.survey()) == {7, 8}


async def test_a_node_that_is_given_up_lets_its_sessions_go(manager: FakeManager, engine: SwarmEngine) -> None:
    before = await runs(engine)
    manager.lose("id-n1")
    await engine.forget("id-n1")
    (after,) = await engine.find(7)
    assert after.phase is Phase.EXITED
    assert after.node is not None
    assert after.node.lost == ""
    await engine.start(before.id)
    assert manager.where(NAME) == ["id-n2"]
    for call in (engine.forget("id-n1"), engine.drain("id-n1"), engine.activate("id-n1")):
        with pytest.raises(NoSuchNode):
            await call


async def test_a_plugin_under_our_name_is_a_foreigner_like_any_other(manager: FakeManager, engine: SwarmEngine) -> None:
    spec = {"Name": NAME, "Labels": {}, "Mode": {"Global": {}}, "TaskTemplate": {"Runtime": "plugin"}}
    made = {"ID": "theirs", "Version": {"Index": 1}, "CreatedAt": "2026-11-22T12:00:00Z"}
    manager.services["theirs"] = {**made, "Spec": spec}
    (found,) = await engine.find(7)
    assert (found.ours, found.name) == (False, NAME)
    with pytest.raises(NoSuchContainer):
        await engine.remove("theirs")
