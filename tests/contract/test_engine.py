"""One contract, three engines: what the controller relies on holds on the fake, on real Docker and on a swarm alike.

The swarm is there in `make swarm`. What it has no word for is asked of the others alone.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from docker.types import Mount

from controller import datafolder
from controller.engine import Engine, EngineEvent
from controller.engine.docker import DockerEngine
from controller.engine.hardening import SHARED_FOLDER
from controller.engine.measured import Measured
from controller.engine.swarm import SwarmEngine
from controller.errors import (
    EngineError,
    ImageMissing,
    NameConflict,
    NoRoom,
    NoSuchContainer,
    NoSuchNode,
    PortTaken,
)
from controller.model import Limits, Phase, SessionSpec
from tests.fake_engine import FakeEngine
from tests.support import MIB, Lab, eventually
from tests.swarm_cluster import Cluster
from tests.worlds import a_spec

NOWHERE = "0" * 64
KINDS = ["swarm"] if os.environ.get("SWARM") else ["fake", "docker"]

not_on_a_swarm = pytest.mark.skipif(bool(os.environ.get("SWARM")), reason="a swarm has no word for it")


@dataclass
class World:
    """An engine, and somebody else's hand on it."""

    engine: Engine
    lab: Lab | None
    fake: FakeEngine | None
    cluster: Cluster | None = None
    folder: Path = Path("/nowhere")

    def spec(self, user_id: int, **changes: object) -> SessionSpec:
        if self.cluster is not None:
            own = {"memory": 256 * MIB, "shm": 64 * MIB, "cpus": 1, "data_folder": str(self.folder / str(user_id))}
            spec = a_spec(user_id, **(own | changes))
            datafolder.prepare(Path(spec.data_folder), spec.run_as)
            return spec
        if self.lab is None:
            return a_spec(user_id, memory=256 * MIB, **changes)
        spec = self.lab.spec(user_id, **changes)
        datafolder.prepare(self.lab.folder / "data" / f"user_{user_id}", spec.run_as)
        return spec

    async def hand(self, deed: str, name: str, *more: object) -> None:
        """Do with a container what somebody at the host's shell may do."""
        if self.fake is not None:
            getattr(self.fake, {"remove": "vanish", "rename": "set_name"}.get(deed, deed))(name, *more)
            return
        if self.cluster is not None:
            await asyncio.to_thread(self.cluster.hand, deed, name)
            return
        assert self.lab is not None
        container = self.lab.client.containers.get(name)
        if deed == "remove":
            await asyncio.to_thread(container.remove, force=True)
        else:
            await asyncio.to_thread(getattr(container, deed), *more)

    async def foreigner(self, name: str) -> None:
        if self.fake is not None:
            self.fake.add_foreigner(name)
        elif self.cluster is not None:
            await asyncio.to_thread(self.cluster.foreigner, name)
        else:
            assert self.lab is not None
            await asyncio.to_thread(self.lab.foreigner, name)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "swarm":
        request.getfixturevalue("cluster")
    return str(request.param)


@pytest.fixture
async def world(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    match kind:
        case "fake":
            fake = FakeEngine()
            yield World(Measured(fake), None, fake)
        case "docker":
            lab: Lab = request.getfixturevalue("lab")
            docker = Measured(DockerEngine("", lab.instance, lab.prefix, stop_grace=2, threads_for_changes=4))
            yield World(docker, lab, None)
            await docker.close()
        case _:
            cluster: Cluster = request.getfixturevalue("cluster")
            swarm = Measured(SwarmEngine(cluster.manager.url, "test", "matlab-user-", 2, 4))
            yield World(swarm, None, None, cluster, tmp_path / "data")
            await swarm.close()
            await cluster.cleared()


async def test_what_is_created_is_found_as_it_was_asked_for(world: World) -> None:
    spec = world.spec(7, session_id="abc-123", token_check="5a17:d1ge57")
    container_id = await world.engine.create(spec)
    (found,) = await world.engine.find(7)
    assert found.id == container_id
    assert (found.ours, found.user_id, found.name) == (True, 7, spec.name)
    assert (found.phase, found.started_at, found.pid) == (Phase.CREATED, None, 0)
    assert (found.image, found.cpus, found.memory) == (spec.image, spec.cpus, spec.memory)
    assert (found.spec_hash, found.session_id, found.token_check) == (spec.spec_hash, "abc-123", "5a17:d1ge57")


async def test_a_session_starts_stops_and_starts_again(world: World) -> None:
    container_id = await world.engine.create(world.spec(7))
    asked_at = (await world.engine.info()).now
    await world.engine.start(container_id)
    (running,) = await world.engine.find(7)
    assert running.phase is Phase.RUNNING
    assert running.started_at is not None
    assert running.started_at >= asked_at
    await world.engine.stop(container_id)
    (stopped,) = await world.engine.find(7)
    assert (stopped.phase, stopped.pid) == (Phase.EXITED, 0)
    await world.engine.restart(container_id)
    (again,) = await world.engine.find(7)
    assert again.phase is Phase.RUNNING
    assert again.started_at is not None
    assert again.started_at > running.started_at


@not_on_a_swarm
async def test_a_session_may_have_its_own_number_of_processes_and_time_to_end(lab: Lab) -> None:
    """What the fake has neither of."""
    engine = DockerEngine("", lab.instance, lab.prefix, stop_grace=60, threads_for_changes=4)
    made = World(engine, lab, None).spec(1, processes=512, stop_grace_seconds=1)
    try:
        container_id = await engine.create(made)
        await engine.start(container_id)
        assert lab.container(1).attrs["HostConfig"]["PidsLimit"] == 512
        await asyncio.to_thread(lab.container(1).kill, "SIGSTOP")  # it cannot end by itself
        async with asyncio.timeout(30):
            await engine.stop(container_id)
        assert lab.container(1).status == "exited"
    finally:
        await engine.close()


async def test_starting_what_runs_changes_nothing(world: World) -> None:
    container_id = await world.engine.create(world.spec(7))
    await world.engine.start(container_id)
    (before,) = await world.engine.find(7)
    await world.engine.start(container_id)
    (after,) = await world.engine.find(7)
    assert after.started_at == before.started_at


async def test_a_running_container_is_not_removed_and_a_stopped_one_is(world: World) -> None:
    container_id = await world.engine.create(world.spec(7))
    await world.engine.start(container_id)
    with pytest.raises(EngineError):
        await world.engine.remove(container_id)
    await world.engine.stop(container_id)
    await world.engine.remove(container_id)
    assert await world.engine.find(7) == ()


async def test_limits_change_under_a_running_session(world: World) -> None:
    container_id = await world.engine.create(world.spec(7))
    await world.engine.start(container_id)
    (before,) = await world.engine.find(7)
    await world.engine.update(container_id, Limits(0.5, 512 * MIB, 256))
    (after,) = await world.engine.find(7)
    assert (after.cpus, after.memory) == (0.5, 512 * MIB)
    assert (after.phase, after.started_at) == (Phase.RUNNING, before.started_at)
    await world.engine.update(container_id, Limits(1, 256 * MIB, 256))
    (back,) = await world.engine.find(7)
    assert (back.cpus, back.memory) == (1, 256 * MIB)


async def test_no_more_cpus_than_the_host_has(world: World) -> None:
    await world.engine.create(world.spec(7, cpus=1000))
    (found,) = await world.engine.find(7)
    assert found.cpus == found.host_cpus


@not_on_a_swarm
async def test_a_paused_session_is_unpaused(world: World) -> None:
    spec = world.spec(7)
    container_id = await world.engine.create(spec)
    await world.engine.start(container_id)
    await world.hand("pause", spec.name)
    (paused,) = await world.engine.find(7)
    assert paused.phase is Phase.PAUSED
    await world.engine.unpause(container_id)
    (again,) = await world.engine.find(7)
    assert again.phase is Phase.RUNNING


@not_on_a_swarm
async def test_a_renamed_container_is_still_found_and_gets_its_name_back(world: World) -> None:
    spec = world.spec(7)
    container_id = await world.engine.create(spec)
    await world.hand("rename", spec.name, spec.name + "-mine")
    (found,) = await world.engine.find(7)
    assert (found.id, found.name) == (container_id, spec.name + "-mine")
    await world.engine.rename(container_id, spec.name)
    (found,) = await world.engine.find(7)
    assert found.name == spec.name


@not_on_a_swarm
async def test_a_container_that_got_another_users_name_stays_its_own_users(world: World) -> None:
    spec = world.spec(8)
    container_id = await world.engine.create(spec)
    await world.hand("rename", spec.name, world.spec(7).name)
    (by_name,) = await world.engine.find(7)
    assert (by_name.id, by_name.ours) == (container_id, False)
    (by_label,) = await world.engine.find(8)
    assert (by_label.id, by_label.ours) == (container_id, True)
    assert list(await world.engine.survey()) == [8]


async def test_a_foreigner_under_our_name_is_seen_and_not_ours(world: World) -> None:
    spec = world.spec(7)
    await world.foreigner(spec.name)
    (found,) = await world.engine.find(7)
    assert not found.ours
    assert 7 not in await world.engine.survey()
    with pytest.raises(NameConflict):
        await world.engine.create(spec)


@not_on_a_swarm
@pytest.mark.parametrize("mount", [Mount(SHARED_FOLDER, None, type="tmpfs"), Mount(SHARED_FOLDER, None, type="volume")])
async def test_a_foreigner_who_has_no_folder_there_is_no_engine_that_answers_garbled(lab: Lab, mount: Mount) -> None:
    """Else nothing could be done for anybody, for as long as it is there."""
    engine = DockerEngine("", lab.instance, lab.prefix, stop_grace=2, threads_for_changes=4)
    await asyncio.to_thread(lab.foreigner, lab.name(7), mounts=[mount])
    try:
        (found,) = await engine.find(7)
        assert (found.ours, found.data_folder) == (False, "")
    finally:
        await engine.close()


@not_on_a_swarm
async def test_renaming_to_a_name_that_is_taken_is_a_conflict(world: World) -> None:
    container_id = await world.engine.create(world.spec(7))
    await world.foreigner("mcmtest-taken" if world.lab is None else world.lab.prefix + "taken")
    with pytest.raises(NameConflict):
        await world.engine.rename(container_id, "mcmtest-taken" if world.lab is None else world.lab.prefix + "taken")


async def test_an_image_that_is_not_there(world: World) -> None:
    with pytest.raises(ImageMissing, match="no-such-image"):
        await world.engine.start(await world.engine.create(world.spec(7, image="no-such-image:at-all")))


@not_on_a_swarm
async def test_a_port_that_a_process_holds_is_named(world: World) -> None:
    spec = world.spec(7)
    with socket.socket() as holder:
        if world.fake is not None:
            world.fake.taken_ports.add(spec.ws_port)
        else:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", spec.ws_port))
            holder.listen()
        container_id = await world.engine.create(spec)
        with pytest.raises(PortTaken, match=str(spec.ws_port)):
            await world.engine.start(container_id)
        (found,) = await world.engine.find(7)
        assert found.phase is Phase.CREATED
    if world.fake is not None:
        world.fake.taken_ports.clear()
    await world.engine.start(container_id)
    (found,) = await world.engine.find(7)
    assert found.phase is Phase.RUNNING


@not_on_a_swarm
async def test_a_port_that_another_container_holds_is_named(world: World) -> None:
    first = await world.engine.create(world.spec(7))
    await world.engine.start(first)
    second = await world.engine.create(world.spec(8, http_port=world.spec(7).http_port))
    by_whom = f" by the container {world.spec(7).name}" if world.lab else ""
    with pytest.raises(PortTaken, match=f"{world.spec(7).http_port} is already in use on this host{by_whom}"):
        await world.engine.start(second)


async def test_a_change_of_what_is_gone_says_so(world: World) -> None:
    for call in (
        world.engine.start(NOWHERE),
        world.engine.stop(NOWHERE),
        world.engine.restart(NOWHERE),
        world.engine.remove(NOWHERE),
        world.engine.unpause(NOWHERE),
        world.engine.rename(NOWHERE, "x" * 8),
        world.engine.update(NOWHERE, Limits(1, 256 * MIB, 256)),
        world.engine.logs(NOWHERE, 10),
    ):
        with pytest.raises(NoSuchContainer):
            await call


async def test_the_survey_shows_all_of_ours(world: World) -> None:
    ids = {n: await world.engine.create(world.spec(n)) for n in (1, 2, 3)}
    found = await world.engine.survey()
    assert {n: [c.id for c in containers] for n, containers in found.items()} == {n: [i] for n, i in ids.items()}


async def test_events_tell_whose_container_it_was(world: World) -> None:
    spec = world.spec(7)
    seen: list[EngineEvent] = []

    async def listen() -> None:
        async with world.engine.events() as events:
            listening.set()
            async for event in events:
                seen.append(event)  # noqa: PERF401 - read while it grows

    listening = asyncio.Event()
    listener = asyncio.create_task(listen())
    await listening.wait()
    container_id = await world.engine.create(spec)
    await world.engine.start(container_id)
    await world.hand("kill", spec.name)
    await eventually(
        lambda: [e.action for e in seen if e.action in ("create", "start", "die")] == ["create", "start", "die"]
    )
    await world.hand("remove", spec.name)
    await eventually(lambda: "destroy" in [e.action for e in seen])
    assert {(e.user_id, e.container_id) for e in seen} == {(7, container_id)}
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)


async def test_use_and_log_of_a_running_session(world: World) -> None:
    container_id = await world.engine.create(world.spec(7))
    await world.engine.start(container_id)
    (running,) = await world.engine.find(7)
    usage = (await world.engine.usage([running]))[container_id]
    assert 0 < usage.memory < usage.memory_limit == 256 * MIB
    assert usage.cpu_percent >= 0
    await eventually(lambda: world.engine.logs(container_id, 10))


@not_on_a_swarm
async def test_one_host_has_no_nodes_and_nowhere_to_move_to(world: World) -> None:
    assert await world.engine.machines() == ()
    for call in (world.engine.drain("n1"), world.engine.activate("n1"), world.engine.forget("n1")):
        with pytest.raises(NoSuchNode):
            await call
    container_id = await world.engine.create(world.spec(7))
    await world.engine.start(container_id)
    (before,) = await world.engine.find(7)
    with pytest.raises(NoRoom):
        await world.engine.move(container_id)
    assert await world.engine.find(7) == (before,)
