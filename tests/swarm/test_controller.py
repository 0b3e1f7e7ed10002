"""A controller on a swarm, as its callers see it: from a create to a node that is given up."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from controller.cli.doctor import engine_findings
from controller.sources import load
from tests.rig import Rig
from tests.support import Lab, eventually
from tests.swarm_cluster import PATIENCE, Cluster


async def user(rig: Rig, user_id: int) -> Any:
    return (await rig.call("GET", f"/v1/users/{user_id}"))[1]


async def test_a_session_is_created_where_it_is_said_to_be_and_outlives_the_controller(
    rig: Rig, cluster: Cluster
) -> None:
    status, created = await rig.create(250, session_id="abc-123")
    assert (status, created["status"]) == (201, "running")
    assert (created["http_port"], created["ws_port"]) == (30250, 31250)
    assert created["host"] in {node.address for node in cluster.nodes}
    await rig.comes_up(250)
    told = await user(rig, 250)
    node = told["observed"]["container"]["node"]
    assert cluster.node(node["name"]).address == node["address"] == created["host"] == told["addresses"]["host"]
    assert told["access_url"] == f"http://{created['host']}:30250/"
    before = await asyncio.to_thread(cluster.container, rig.lab.name(250))
    await rig.stop()
    await rig.start(DOCKER_HOST=cluster.manager.url)
    await rig.comes_up(250)
    assert await asyncio.to_thread(cluster.container, rig.lab.name(250)) == before
    assert (await rig.restart(250))[0] == 200
    await rig.comes_up(250)
    assert (await user(rig, 250))["observed"]["container"]["node"] == node
    assert (await rig.destroy(250))[0] == 200
    assert (await rig.statuses()) == {}


async def test_a_session_that_dies_is_started_again(rig: Rig, cluster: Cluster) -> None:
    await rig.create(1)
    await rig.comes_up(1)
    before = await asyncio.to_thread(cluster.container, rig.lab.name(1))
    await asyncio.to_thread(cluster.hand, "kill", rig.lab.name(1))

    def another() -> bool:
        return cluster.container(rig.lab.name(1)) != before

    await eventually(another, PATIENCE)
    await rig.comes_up(1)


async def test_a_node_that_is_given_up_has_its_sessions_on_the_others_and_until_then_nowhere(
    rig: Rig, cluster: Cluster
) -> None:
    lost = cluster.nodes[2]
    await rig.all_come_up((1, 2, 3))
    at = {user_id: (await user(rig, user_id))["observed"]["container"]["node"]["name"] for user_id in (1, 2, 3)}
    there = [user_id for user_id, name in at.items() if name == lost.name]
    assert there
    lost.kill()

    async def unknown() -> bool:
        return all([(await rig.health(user_id))["status"] == "unknown" for user_id in there])

    await eventually(unknown, PATIENCE)
    for user_id in there:
        assert f"The node {lost.name} is down" in (await user(rig, user_id))["why"]
    for user_id in at.keys() - set(there):
        assert (await rig.health(user_id))["status"] == "running"
    with contextlib.suppress(LookupError):  # it is on no other node
        assert (await asyncio.to_thread(cluster.others(lost).container, rig.lab.name(there[0]))) is None
    await eventually(lambda: told_of_nodes(rig, "NotFenced"), PATIENCE)
    await asyncio.to_thread(cluster.api.remove_node, lost.id, force=True)
    for user_id in there:
        await rig.comes_up(user_id)
        assert (await user(rig, user_id))["observed"]["container"]["node"]["name"] != lost.name
    await cluster.taken_back(lost)


async def test_a_node_that_is_drained_becomes_empty_though_the_controller_is_restarted_meanwhile(
    rig: Rig, cluster: Cluster
) -> None:
    await rig.all_come_up(range(1, 10))
    there = await sessions(rig, "n3")
    stay = [user_id for user_id in range(1, 10) if user_id not in there]
    before = {user_id: await asyncio.to_thread(cluster.container, rig.lab.name(user_id)) for user_id in stay}
    assert there
    status, told = await rig.call("POST", "/v1/nodes/n3/drain")
    assert (status, told["availability"]) == (200, "pause")
    await rig.stop()
    await rig.start(DOCKER_HOST=cluster.manager.url)

    moving: list[int] = []

    async def empty() -> bool:
        moving.append(len((await rig.call("GET", "/v1/nodes"))[1]["moving"]))
        return await sessions(rig, "n3") == []

    await eventually(empty, PATIENCE)
    assert max(moving) <= 2
    for user_id in there:
        await rig.comes_up(user_id)
    now = {user_id: await asyncio.to_thread(cluster.container, rig.lab.name(user_id)) for user_id in stay}
    assert now == before
    assert (await rig.call("POST", "/v1/nodes/n3/activate"))[1]["availability"] == "active"


async def test_a_session_of_a_pool_is_where_the_pool_is(rig: Rig, cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.give, cluster.node("n2"), pool="gpu")
    for user_id in (1, 2, 3):
        await rig.call("PUT", f"/v1/users/{user_id}", {"profile": "gpu"})
        await rig.comes_up(user_id)
    assert await sessions(rig, "n2") == [1, 2, 3]
    await rig.call("POST", "/v1/nodes/n2/drain")

    async def told() -> bool:
        return "No other node that takes sessions has pool=gpu" in (await user(rig, 1))["why"]

    await eventually(told, PATIENCE)
    assert await sessions(rig, "n2") == [1, 2, 3]


async def told_of_nodes(rig: Rig, reason: str) -> bool:
    events = (await rig.call("GET", "/v1/events?kind=node"))[1]["events"]
    return any(each["reason"] == reason for each in events)


async def sessions(rig: Rig, node: str) -> list[int]:
    nodes = (await rig.call("GET", "/v1/nodes"))[1]["nodes"]
    return next(each["sessions"] for each in nodes if each["name"] == node)


FENCE = """\
#!/bin/sh
test "$1" = {name} || exit 1
find /sys/fs/cgroup -path "*/{cgroup}*" -name cgroup.procs -exec cat {{}} + | sort -u | xargs -r kill -9
"""
"""As if somebody pulled the plug of the node: all that runs in its cgroup ends."""


async def test_a_lost_node_is_switched_off_and_given_up_where_the_operator_says_how(
    cluster: Cluster, settings: str, tmp_path: Path
) -> None:
    program = tmp_path / "fence"
    lost = cluster.nodes[2]
    program.write_text(FENCE.format(name=lost.name, cgroup=lost.cgroup))
    program.chmod(0o755)
    fencing = f"{settings}swarm_fence: [{program}]\n"
    rig = Rig(Lab(cluster.manager.client, "default", tmp_path, 20000, 30000, 31000), fencing)
    await rig.start(DOCKER_HOST=cluster.manager.url)
    try:
        await rig.all_come_up((1, 2, 3))
        there = await sessions(rig, lost.name)
        assert there
        lost.cut_off()  # its session goes on, and writes

        await eventually(lambda: told_of_nodes(rig, "Fenced"), PATIENCE)
        for user_id in there:
            await rig.comes_up(user_id)
            assert (await user(rig, user_id))["observed"]["container"]["node"]["name"] != lost.name
    finally:
        await rig.close()
        lost.kill()
        await cluster.put_right()


async def test_doctor_asks_each_nodes_own_engine_as_the_controller_does(cluster: Cluster, tmp_path: Path) -> None:
    door, file = cluster.door, tmp_path / "controller.yaml"
    nodes = f"swarm_nodes: {{ca: {door.ca}, cert: {door.cert}, key: {door.key}, port: {door.port}}}\n"
    file.write_text(f"engine: swarm\ninsecure: true\ndocker_host: {cluster.manager.url}\n{nodes}")
    found = {each.what: each for each in await engine_findings(load(file, {}, {}).settings)}
    assert (found["node engines"].level, found["nodes"].level) == ("ok", "ok")
