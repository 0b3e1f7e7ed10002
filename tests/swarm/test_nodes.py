"""What a swarm does with sessions when its nodes come and go, and what the engine makes of that."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller import datafolder
from controller.engine import swarm
from controller.engine.node_engines import Inside, NodeEngines
from controller.engine.service import Placing
from controller.engine.swarm import SwarmEngine
from controller.errors import EngineRefused, EngineUnavailable, NoSuchContainer, PortTaken
from controller.model import Container, Limits, Phase, Retry, RunState, SessionSpec, Target, Update
from controller.planner import plan
from controller.probes import Prober
from controller.target import Export, volume
from tests.faults.engine import STAND_IN
from tests.support import MIB, eventually
from tests.swarm_cluster import PATIENCE, Cluster, Node
from tests.worlds import a_spec


class World:
    def __init__(self, cluster: Cluster, engine: SwarmEngine, folder: Path) -> None:
        self.cluster = cluster
        self.engine = engine
        self._folder = folder

    def spec(self, user_id: int, **changes: object) -> SessionSpec:
        own = {"image": STAND_IN, "memory": 64 * MIB, "shm": MIB, "cpus": 0.1}
        spec = a_spec(user_id, data_folder=str(self._folder / f"user_{user_id}"), **(own | changes))
        datafolder.prepare(Path(spec.data_folder), spec.run_as)
        return spec

    async def runs(self, user_id: int, **changes: object) -> Container:
        await self.engine.start(await self.engine.create(self.spec(user_id, **changes)))
        return await self.seen(user_id)

    async def seen(self, user_id: int) -> Container:
        (found,) = await self.engine.find(user_id)
        return found

    async def on(self, node: Node) -> Container:
        """A session that the scheduler put on this node."""
        for user_id in range(1, 10):
            container = await self.runs(user_id)
            if container.node is not None and container.node.name == node.name:
                return container
        raise AssertionError(f"no session came to {node.name}")


@pytest.fixture
async def world(cluster: Cluster, tmp_path: Path) -> AsyncIterator[World]:
    engine = SwarmEngine(cluster.manager.url, "test", "matlab-user-", 1, 16)
    yield World(cluster, engine, tmp_path / "data")
    await engine.close()
    for node in cluster.nodes:
        await asyncio.to_thread(cluster.give, node)
    await cluster.cleared()


async def test_sessions_are_spread_and_answer_at_the_address_that_is_told(world: World) -> None:
    seen = [await world.runs(user_id) for user_id in range(1, 7)]
    assert {c.node.name for c in seen if c.node} == {"n1", "n2", "n3"}
    addresses = {node.name: node.address for node in world.cluster.nodes}
    for container in seen:
        assert container.node is not None
        assert container.node.address == addresses[container.node.name]
        assert container.user_id is not None
        ports = 30000 + container.user_id, 31000 + container.user_id

        async def answers(ports: tuple[int, int] = ports, address: str = container.node.address) -> bool:
            return (await Prober("127.0.0.1").probe(*ports, address=address)).ready

        await eventually(answers, PATIENCE)


async def test_as_the_swarm_tells_of_it_a_session_is_held_as_it_was_made_until_a_hand_changes_it(world: World) -> None:
    container = await world.runs(1, volume=volume("test", Export("none", "bind", world.spec(1).data_folder[:-7]), 1))
    assert (container.loose, container.slack, container.deferred) == ((), (), ())

    def meddle(spec: dict[str, Any]) -> None:
        spec["TaskTemplate"]["ContainerSpec"]["Env"] = ["LD_PRELOAD=/x.so"]

    await asyncio.to_thread(world.cluster.amend, container.id, meddle)
    assert (await world.seen(1)).loose == ("a hand changed its environment, mounts, ports, names or place",)


async def test_a_restart_and_a_start_after_a_death_stay_on_the_node(world: World) -> None:
    before = await world.runs(1)
    await world.engine.restart(before.id)
    restarted = await world.seen(1)
    assert restarted.node == before.node
    assert restarted.started_at is not None
    assert before.started_at is not None
    assert restarted.started_at > before.started_at
    await asyncio.to_thread(world.cluster.hand, "kill", before.name)

    async def died() -> bool:
        return (await world.seen(1)).phase is Phase.EXITED

    await eventually(died, PATIENCE)
    assert (await world.seen(1)).exit_code == 137
    await world.engine.start(before.id)
    again = await world.seen(1)
    assert (again.phase, again.node) == (Phase.RUNNING, before.node)


async def test_the_swarm_itself_starts_no_session_again(world: World) -> None:
    before = await world.runs(1)
    await asyncio.to_thread(world.cluster.hand, "kill", before.name)
    await asyncio.sleep(6)  # beyond the delay with which it would
    assert (await world.seen(1)).phase is Phase.EXITED


async def test_other_limits_come_with_the_next_run_and_that_is_told(world: World) -> None:
    container = await world.runs(1)
    await world.engine.update(container.id, Limits(0.2, 128 * MIB, 100))
    declared = await world.seen(1)
    assert (declared.cpus, declared.memory, declared.processes) == (0.2, 128 * MIB, 100)
    assert declared.started_at == container.started_at
    assert declared.deferred == (
        "cpus 0.2 instead of 0.1",
        "memory 128 MiB instead of 64 MiB",
        "processes 100 instead of 256",
    )
    await world.engine.restart(container.id)
    assert (await world.seen(1)).deferred == ()
    node, inside = world.cluster.container(container.name)
    held = node.client.api.inspect_container(inside)["HostConfig"]
    assert (held["NanoCpus"], held["Memory"], held["PidsLimit"]) == (200_000_000, 128 * MIB, 100)


async def test_other_limits_come_at_once_where_the_nodes_own_engine_may_be_asked(
    world: World, cluster: Cluster
) -> None:
    container = await world.on(cluster.nodes[2])
    asking = SwarmEngine(cluster.manager.url, "test", "matlab-user-", 1, 16, Placing(door=cluster.door))
    try:
        await asking.update(container.id, Limits(0.2, 128 * MIB, 100))
        assert container.user_id is not None
        (seen,) = await asking.find(container.user_id)
        assert (seen.started_at, seen.deferred) == (container.started_at, ())
        node, inside = cluster.container(container.name)
        held = node.client.api.inspect_container(inside)["HostConfig"]
        assert (held["NanoCpus"], held["Memory"], held["PidsLimit"]) == (200_000_000, 128 * MIB, 100)
        await asking.restart(container.id)
        (seen,) = await asking.find(container.user_id)
        assert (seen.memory, seen.deferred) == (128 * MIB, ())
    finally:
        await asking.close()


async def test_a_nodes_engine_tells_what_its_sessions_use_to_whom_it_knows(world: World, cluster: Cluster) -> None:
    container = await world.on(cluster.nodes[2])
    _, inside = cluster.container(container.name)
    assert container.node is not None
    engines = NodeEngines(cluster.door)
    try:
        told = await engines.usage({container.id: (container, Inside(container.node.address, inside))})
        assert 0 < told[container.id].memory <= 64 * MIB
    finally:
        engines.close()
    with pytest.raises(OSError, match=r"."):
        await asyncio.to_thread(_plain, container.node.address, cluster.door.port)


def _plain(address: str, port: int) -> None:
    with urllib.request.urlopen(f"http://{address}:{port}/version", timeout=5):
        pass


async def test_data_in_a_volume_follows_its_user_to_another_node(
    world: World, cluster: Cluster, tmp_path: Path
) -> None:
    export = Export("none", "bind", str(tmp_path / "data"))
    container = await world.runs(1, volume=volume("test", export, 1))
    (tmp_path / "data/user_1/kept").write_text("as it was")
    assert container.data_folder == volume("test", export, 1).name
    assert container.node is not None
    await asyncio.to_thread(cluster.give, cluster.node(container.node.name), "pause")
    await world.engine.move(container.id)
    moved = await world.seen(1)
    assert moved.node is not None
    assert moved.node.name != container.node.name
    node, inside = cluster.container(container.name)
    said = node.client.containers.get(inside).exec_run(["cat", "/home/matlab/shared/kept"])
    assert (said.exit_code, said.output) == (0, b"as it was")


async def test_a_node_that_loses_its_label_keeps_its_session_until_the_next_run(world: World, cluster: Cluster) -> None:
    _, n2, n3 = cluster.nodes
    await asyncio.to_thread(cluster.give, n2, pool="gpu")
    container = await world.runs(1, node_labels=(("pool", "gpu"),))
    await asyncio.to_thread(cluster.give, n3, pool="gpu")
    await asyncio.to_thread(cluster.give, n2, pool="cpu")
    await asyncio.sleep(3)  # a swarm ends at once what it was told to have on nodes with a label
    assert await world.seen(1) == container
    assert _where(world, container.name) == [n2.name]
    await world.engine.restart(container.id)
    assert _where(world, container.name) == [n3.name]


async def test_what_no_node_has_room_for_is_refused_and_does_not_wait_behind_our_back(world: World) -> None:
    container_id = await world.engine.create(world.spec(1, memory=2**50))
    with pytest.raises(EngineRefused, match="No node takes the session: no suitable node"):
        await world.engine.start(container_id)
    assert (await world.seen(1)).phase is Phase.CREATED
    assert world.cluster.api.inspect_service(container_id)["Spec"]["Mode"]["Replicated"]["Replicas"] == 0


async def test_a_folder_that_a_node_does_not_have_is_told(world: World) -> None:
    spec = replace(world.spec(1), data_folder="/srv/mcm-no-such-folder/user_1")
    container_id = await world.engine.create(spec)
    with pytest.raises(EngineRefused, match="bind source path does not exist"):
        await world.engine.start(container_id)


async def test_a_port_that_something_on_the_node_holds_is_named(world: World) -> None:
    spec = world.spec(1)
    for node in world.cluster.nodes:
        node.client.containers.run(STAND_IN, name="holder", detach=True, ports={"8888/tcp": spec.http_port})
    try:
        container_id = await world.engine.create(spec)
        with pytest.raises(PortTaken, match=str(spec.http_port)):
            await world.engine.start(container_id)
    finally:
        for node in world.cluster.nodes:
            node.client.api.remove_container("holder", force=True)
    await world.engine.start(container_id)
    assert (await world.seen(1)).phase is Phase.RUNNING


async def test_a_worker_is_no_engine_to_ask(world: World) -> None:
    worker = SwarmEngine(world.cluster.nodes[1].url, "test", "matlab-user-", 1, 1)
    try:
        with pytest.raises(EngineUnavailable, match="no manager of a swarm"):
            await worker.info()
        with pytest.raises(EngineUnavailable):
            await worker.find(1)
    finally:
        await worker.close()


async def test_somebody_elses_service_is_never_changed(world: World) -> None:
    await asyncio.to_thread(world.cluster.foreigner, "theirs")
    theirs = world.cluster.api.inspect_service("theirs")["ID"]
    for call in (world.engine.stop(theirs), world.engine.start(theirs), world.engine.restart(theirs)):
        with pytest.raises(NoSuchContainer):
            await call
    with pytest.raises(NoSuchContainer):
        await world.engine.remove(theirs)
    assert world.cluster.api.inspect_service("theirs")["Spec"]["Mode"]["Replicated"]["Replicas"] == 1


@pytest.mark.parametrize("how", ["kill", "cut_off"])
async def test_a_lost_node_begins_nobodys_session_elsewhere(world: World, how: str) -> None:
    node = world.cluster.nodes[1]
    container = await world.on(node)
    user_id = container.user_id
    assert user_id is not None
    if how == "kill":
        node.kill()
    else:
        node.cut_off()
    try:

        async def lost() -> bool:
            seen = (await world.seen(user_id)).node
            return seen is not None and seen.lost != ""

        await eventually(lost, PATIENCE)
        for state in (RunState.RUNNING, RunState.STOPPED, None):
            want = Target(world.spec(user_id), state, None, 1) if state else None
            now = (await world.engine.info()).now
            decided = plan(want, await world.engine.find(user_id), Retry(), now)
            assert decided.actions == ()
            assert "n2 is down" in decided.waiting_for
        assert all(name == node.name for name in _where(world, container.name))
    finally:
        if how == "kill":
            await node.start()
        else:
            node.join_again()

    async def back() -> bool:
        seen = await world.seen(user_id)
        return seen.node is not None and not seen.node.lost

    await eventually(back, PATIENCE)
    seen = await world.seen(user_id)
    if seen.phase is not Phase.RUNNING:
        await eventually(lambda: not _where(world, container.name), PATIENCE)
        await world.engine.start(container.id)
    again = await world.seen(user_id)
    assert (again.phase, again.node) == (Phase.RUNNING, container.node)
    assert _where(world, container.name) == [node.name]


async def test_a_node_that_is_lost_while_its_session_is_to_end_has_it_begun_nowhere_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "STOP_MARGIN", 10.0)  # long after the swarm has noticed, and would begin the next itself
    node = world.cluster.nodes[1]
    container = await world.on(node)
    await asyncio.to_thread(world.cluster.give, node, "pause")  # else the next run would wait for this node anyhow
    node.cut_off()
    try:
        with pytest.raises(EngineRefused, match="did not end within 11 s on n2"):
            await world.engine.restart(container.id)
        assert _where(world, container.name) == [node.name]
    finally:
        node.join_again()

    async def ended() -> bool:
        return (await world.seen(container.user_id or 0)).phase is Phase.EXITED

    await eventually(ended, PATIENCE)


async def test_more_tasks_than_one_are_ended_but_one(world: World) -> None:
    container = await world.runs(1)

    def scale(spec: dict[str, Any]) -> None:
        spec["Mode"]["Replicated"]["Replicas"] = 3

    await asyncio.to_thread(world.cluster.amend, container.id, scale)

    async def several() -> bool:
        return len(_where(world, container.name)) == 3

    await eventually(several, PATIENCE)
    (update,) = plan(
        Target(world.spec(1), RunState.RUNNING, None, 1), await world.engine.find(1), Retry(), container.created_at
    ).actions
    assert isinstance(update, Update)
    assert "3 tasks at once" in update.reason
    await world.engine.update(update.container_id, update.limits)

    async def one() -> bool:
        return len(_where(world, container.name)) == 1

    await eventually(one, PATIENCE)
    assert (await world.seen(1)).slack == ()


async def test_what_a_drained_node_had_comes_up_on_another(world: World) -> None:
    node = world.cluster.nodes[2]
    container = await world.on(node)
    assert container.user_id is not None
    await asyncio.to_thread(world.cluster.give, node, "drain")

    async def ended() -> bool:
        return (await world.seen(container.user_id or 0)).phase is Phase.EXITED

    await eventually(ended, PATIENCE)
    await world.engine.start(container.id)
    moved = await world.seen(container.user_id)
    assert moved.phase is Phase.RUNNING
    assert moved.node is not None
    assert moved.node.name != node.name


def _where(world: World, service: str) -> list[str]:
    """Nodes on which it runs, once for each container of it; those whose engine is dead tell nothing."""
    label = {"label": f"com.docker.swarm.service.name={service}"}
    asked = [node for node in world.cluster.nodes if node.alive]
    return [node.name for node in asked for _ in node.client.api.containers(filters=label)]
