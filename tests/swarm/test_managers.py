"""Three managers of a swarm, one of them the leader, and what a controller that asks another one sees of their loss."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.rig import Rig
from tests.support import Lab, eventually
from tests.swarm.test_controller import user
from tests.swarm_cluster import PATIENCE, Cluster, Node

USERS = range(1, 7)
Run = tuple[str, str]
"""The node and the container."""


@pytest.fixture(scope="module")
def promoted(cluster: Cluster) -> None:
    """Each node is a manager, from now on: conftest.py has these tests last, for of two managers of whom one leaves the
    other may find no leader ever again, where that one led. The heartbeat is as a swarm has it by itself: a node has
    three of them to find the new leader, or it counts as lost and its sessions end."""
    cluster.manager.client.swarm.reload()
    cluster.manager.client.swarm.update(dispatcher_heartbeat_period=5_000_000_000)
    with asyncio.Runner() as runner:
        runner.run(eventually(lambda: _all_manage(cluster), PATIENCE))


@pytest.fixture
def managers(promoted: None, cluster: Cluster) -> tuple[Node, ...]:
    """The first leads."""
    leaders = {row["ID"] for row in cluster.api.nodes() if (row.get("ManagerStatus") or {}).get("Leader")}
    return tuple(sorted(cluster.nodes, key=lambda node: node.id not in leaders))


@pytest.fixture
async def rig(
    managers: tuple[Node, ...], cluster: Cluster, settings: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Rig]:
    """It asks a manager that does not lead."""
    rig = Rig(Lab(cluster.manager.client, "default", tmp_path, 20000, 30000, 31000), settings)
    await rig.start(DOCKER_HOST=managers[1].url)
    await rig.all_come_up(USERS)
    yield rig
    await rig.close()
    request.node.add_report_section("teardown", "controller's log", rig.log())
    await cluster.cleared()


async def test_a_leader_that_is_lost_costs_the_others_sessions_nothing(
    rig: Rig, managers: tuple[Node, ...], cluster: Cluster
) -> None:
    leader = managers[0]
    left = cluster.others(leader)
    before = await _runs(rig, left)
    assert 0 < len(before) < len(USERS)
    leader.kill()
    killed = time.monotonic()
    try:
        await eventually(lambda: _created(rig, 7), PATIENCE)
        print(f"a session was created {time.monotonic() - killed:.1f} s after the leader was lost")

        async def told() -> bool:
            gone = set(USERS) - before.keys()
            return all([(await rig.health(user_id))["status"] == "unknown" for user_id in gone])

        await eventually(told, PATIENCE)
        await _go_on(rig, left, before)
        assert not any(rig.lab.name(user_id) in _names(left) for user_id in set(USERS) - before.keys())
    finally:
        await leader.start()
    await eventually(lambda: _reachable(managers[1]) == {node.id for node in managers}, PATIENCE)
    for user_id in (*USERS, 7):
        await rig.comes_up(user_id)
    await _go_on(rig, cluster, before)


async def test_without_a_majority_nothing_is_done_and_every_session_goes_on(
    rig: Rig, managers: tuple[Node, ...], cluster: Cluster
) -> None:
    before = await _runs(rig, cluster)
    assert before.keys() == set(USERS)
    for node in (managers[0], managers[2]):
        node.cut_off()
    try:

        async def away() -> bool:
            _, status = await rig.call("GET", "/v1/status")
            return not status["engine"]["reachable"]

        await eventually(away, PATIENCE)
        await rig.call("PUT", "/v1/users/1", {"state": "stopped"})
        await asyncio.sleep(5)
        assert await _runs(rig, cluster) == before
        assert {(await rig.health(user_id))["status"] for user_id in USERS} == {"unknown"}
    finally:
        for node in (managers[0], managers[2]):
            node.join_again()
    joined = time.monotonic()

    async def stopped() -> bool:
        return bool((await rig.health(1))["status"] == "stopped")

    await eventually(stopped, PATIENCE)
    print(f"what was wished meanwhile was done {time.monotonic() - joined:.1f} s after the majority was there again")
    for user_id in USERS:
        if user_id != 1:
            await rig.comes_up(user_id)
    del before[1]
    await _go_on(rig, cluster, before)


async def _go_on(rig: Rig, cluster: Cluster, before: dict[int, Run]) -> None:
    """Every session goes on; or the swarm itself ended it, which found no leader within the three heartbeats that it
    waits for a node, and gave the node up. Then it was begun again."""

    async def all_run() -> bool:
        return before.keys() <= (await _runs(rig, cluster)).keys()

    await eventually(all_run, PATIENCE)
    now, log = await _runs(rig, cluster), rig.log()
    ended = [user_id for user_id, run in before.items() if now[user_id] != run]
    print(f"sessions that the swarm ended, and that were begun again: {ended or 'none'}")
    for user_id in ended:
        assert f'user={user_id} action=start reason="exited with code 0"' in log


async def _created(rig: Rig, user_id: int) -> bool:
    status, _ = await rig.create(user_id)
    return status == 201 or (status == 409 and (await user(rig, user_id))["observed"]["status"] == "running")


async def _runs(rig: Rig, cluster: Cluster) -> dict[int, Run]:
    """Of each user's session, on nodes of `cluster`."""

    def look() -> dict[int, Run]:
        names = {rig.lab.name(user_id): user_id for user_id in USERS}
        found: dict[int, Run] = {}
        for node, row in _containers(cluster):
            name = row["Labels"]["com.docker.swarm.service.name"]
            if name in names:
                assert names[name] not in found, f"two sessions of {name}"
                found[names[name]] = (node.name, str(row["Id"]))
        return found

    return await asyncio.to_thread(look)


def _names(cluster: Cluster) -> set[str]:
    return {row["Labels"]["com.docker.swarm.service.name"] for _, row in _containers(cluster)}


def _containers(cluster: Cluster) -> Iterable[tuple[Node, dict[str, Any]]]:
    for node in cluster.nodes:
        for row in node.client.api.containers(filters={"label": "com.docker.swarm.service.name"}):
            yield node, row


def _all_manage(cluster: Cluster) -> bool:
    """Whether each node is a manager and the swarm has come to terms with that; asks for it, one after the other.

    Two that are promoted at once may be counted as managers, and one never become one: "failed to add member".
    """
    for node in cluster.nodes:
        found = cluster.api.inspect_node(node.id)
        if found["Spec"]["Role"] != "manager":
            cluster.api.update_node(node.id, found["Version"]["Index"], {"Availability": "active", "Role": "manager"})
            return False
        if node.id not in _reachable(node):
            return False
    return _reachable(cluster.manager) == {node.id for node in cluster.nodes}


def _reachable(manager: Node) -> set[str]:
    """Managers that can be reached, by what this one knows; none while it knows no leader."""
    try:
        rows = manager.client.api.nodes()
    except Exception:  # noqa: BLE001 - nobody leads
        return set()
    return {row["ID"] for row in rows if (row.get("ManagerStatus") or {}).get("Reachability") == "reachable"}
