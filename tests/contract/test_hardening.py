"""What holds a session is looked at on real containers: changed by hand it is seen, and put right where Docker can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controller import datafolder
from controller.engine.docker import DockerEngine
from controller.engine.labels import LABEL_HARDENING
from controller.errors import EngineRefused
from controller.fence import bridge_name, network_name
from controller.model import Container, Limits
from tests.support import MIB, Lab


@pytest.fixture
async def engine(lab: Lab) -> AsyncIterator[DockerEngine]:
    engine = DockerEngine("", lab.instance, lab.prefix, stop_grace=2, threads_for_changes=4)
    datafolder.prepare(lab.folder / "data" / "user_1", lab.spec(1).run_as)
    yield engine
    await engine.close()


async def the_one(engine: DockerEngine) -> Container:
    (found,) = await engine.find(1)
    return found


async def test_a_session_is_held_as_declared_and_in_a_network_of_its_own(engine: DockerEngine, lab: Lab) -> None:
    await engine.start(await engine.create(lab.spec(1)))
    found = await the_one(engine)
    assert (found.outdated, found.loose, found.slack, found.processes) == (False, (), (), 256)
    assert found.data_folder == lab.spec(1).data_folder
    network = lab.client.networks.get(network_name(lab.instance)).attrs
    assert network["Labels"] == {"mcm.instance": lab.instance}
    assert network["EnableIPv6"] is False
    assert network["Options"]["com.docker.network.bridge.name"] == bridge_name(lab.instance)


async def test_limits_and_networks_changed_by_hand_are_put_right_under_the_running_session(
    engine: DockerEngine, lab: Lab
) -> None:
    container_id = await engine.create(lab.spec(1))
    await engine.start(container_id)
    before = await the_one(engine)
    by_hand = {"MemorySwap": -1, "Memory": 256 * MIB, "PidsLimit": 5000, "RestartPolicy": {"Name": "always"}}
    api = lab.client.api
    api.post(f"{api.base_url}/v{api.api_version}/containers/{container_id}/update", json=by_hand).raise_for_status()
    api.connect_container_to_network(container_id, "bridge")
    changed = await the_one(engine)
    assert changed.processes == 5000
    assert changed.slack == (
        "swap is unlimited",
        "the engine restarts it (always)",
        "it is in the network bridge, too",
    )
    await engine.update(container_id, Limits(1, 256 * MIB, 256))
    api.disconnect_container_from_network(container_id, network_name(lab.instance))
    assert (await the_one(engine)).slack == (f"it was taken out of the network {network_name(lab.instance)}",)
    await engine.update(container_id, Limits(1, 256 * MIB, 256))
    after = await the_one(engine)
    assert (after.slack, after.loose, after.processes, after.memory) == ((), (), 256, 256 * MIB)
    assert (after.id, after.started_at) == (before.id, before.started_at)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": {"Privileged": True}}, "Privileged is True"),
        ({"host": {"CapAdd": ["SYS_ADMIN"]}}, 'CapAdd is ["SYS_ADMIN"]'),
        ({"host": {"CapDrop": None}}, "CapDrop is None"),
        ({"host": {"ReadonlyRootfs": False}}, "ReadonlyRootfs is False"),
        ({"host": {"SecurityOpt": ["seccomp=unconfined"]}}, 'SecurityOpt is ["seccomp=unconfined"]'),
        ({"host": {"PidMode": "host"}}, "PidMode is host"),
        ({"host": {"IpcMode": "host"}}, "IpcMode is host"),
        ({"host": {"NetworkMode": "host"}}, "NetworkMode is host"),
        ({"host": {"Binds": ["/:/host"]}}, 'Binds is ["/:/host"]'),
        ({"user": "0:0"}, "it runs as 0:0"),
    ],
    ids=str,
)
async def test_what_no_update_mends_is_seen(
    engine: DockerEngine, lab: Lab, changes: dict[str, Any], words: str
) -> None:
    await asyncio.to_thread(lab.remake, await engine.create(lab.spec(1)), **changes)
    found = await the_one(engine)
    assert words in found.loose
    assert (found.ours, found.outdated) == (True, False)


async def test_a_container_of_a_version_before_is_known_as_one(engine: DockerEngine, lab: Lab) -> None:
    container_id = await engine.create(lab.spec(1))
    before = {"NetworkMode": "default"}
    await asyncio.to_thread(lab.remake, container_id, host=before, without=(LABEL_HARDENING,))
    found = await the_one(engine)
    assert (found.outdated, found.slack) == (True, ())
    assert found.loose in (("NetworkMode is default",), ("NetworkMode is bridge",))  # the latter from Docker 26 on


async def test_a_network_that_was_removed_is_made_anew_and_its_containers_are_known(
    engine: DockerEngine, lab: Lab
) -> None:
    container_id = await engine.create(lab.spec(1))
    await engine.start(container_id)
    await engine.stop(container_id)
    lab.client.networks.get(network_name(lab.instance)).remove()
    with pytest.raises(EngineRefused, match="not found"):
        await engine.start(container_id)
    found = await the_one(engine)
    assert found.loose == (f"its network {network_name(lab.instance)} was removed and made anew",)
    await engine.remove(container_id)
    await engine.start(await engine.create(lab.spec(1)))


async def test_somebody_elses_network_under_our_name_is_not_used(engine: DockerEngine, lab: Lab) -> None:
    theirs = {"mcm.instance": f"{lab.instance}-foreign"}
    lab.client.networks.create(network_name(lab.instance), labels=theirs)
    with pytest.raises(EngineRefused, match="that this controller did not make"):
        await engine.create(lab.spec(1))
