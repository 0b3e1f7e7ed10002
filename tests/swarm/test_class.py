"""A class of sixty on three nodes, of which one dies, one is cut off, and one is emptied under its users."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import aiohttp
import pytest

from controller import datafolder
from tests.rig import Rig
from tests.support import eventually
from tests.swarm_cluster import PATIENCE, Cluster

USERS = range(1, 61)


@pytest.fixture
def settings(settings: str) -> str:
    return f"{settings}swarm_moves: 5\n"


async def test_sixty_users_are_where_they_are_said_to_be_whatever_becomes_of_the_nodes(
    rig: Rig, cluster: Cluster
) -> None:
    n1, n2, n3 = cluster.nodes
    for user_id in USERS:  # each session sees to it that no other writes into its folder at the same time
        folder = rig.data / f"user_{user_id}"
        datafolder.prepare(folder, "1000:1000")
        (folder / ".manner").write_text("alone")
    with _timed("60 users at once, until all run"):
        await rig.call("PATCH", "/v1/users", {"users": {str(user_id): {} for user_id in USERS}})
        await eventually(lambda: _all_run(rig), PATIENCE, every=0.1)
    with _timed("and until each answers"):
        await _all_answer(rig)
    at = await _places(rig)
    assert sorted(at) == [n1.name, n2.name, n3.name]
    assert all(15 <= len(there) <= 25 for there in at.values()), "they are spread"
    before = await _runs(rig)

    n2.kill()
    n3.cut_off()
    with _timed("two of three nodes lost, until that is told of each of their sessions"):
        await eventually(lambda: _unknown(rig, at[n2.name] + at[n3.name]), PATIENCE, every=0.2)
    now = await _runs(rig)
    assert {user_id: now[user_id] for user_id in at[n1.name]} == {user_id: before[user_id] for user_id in at[n1.name]}
    assert await _places(rig) == at

    await n2.start()
    n3.join_again()
    with _timed("both back, until all answer"):
        await _all_answer(rig)
    assert await _places(rig) == at, "each is back where it was"

    before = await _runs(rig)
    with _timed(f"{len(at[n3.name])} sessions moved from a node that is emptied, 5 at a time"):
        await rig.call("POST", f"/v1/nodes/{n3.name}/drain")
        await eventually(lambda: _empty(rig, n3.name), PATIENCE, every=0.2)
    await _all_answer(rig)
    now = await _runs(rig)
    stayed = at[n1.name] + at[n2.name]
    assert {user_id: now[user_id] for user_id in stayed} == {user_id: before[user_id] for user_id in stayed}
    await rig.call("POST", f"/v1/nodes/{n3.name}/activate")

    assert [folder.name for folder in rig.data.iterdir() if (folder / ".two").exists()] == []


@contextlib.contextmanager
def _timed(what: str) -> Iterator[None]:
    """Say how long it took."""
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s")


async def _users(rig: Rig) -> list[Any]:
    users: list[Any] = (await rig.call("GET", "/v1/users"))[1]["users"]
    return users


async def _all_run(rig: Rig) -> bool:
    return list((await rig.statuses()).values()) == ["running"] * len(USERS)


async def _all_answer(rig: Rig) -> None:
    """To whoever asks at the address that is shown."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as caller:

        async def answers(user_id: int) -> bool:
            user = (await rig.call("GET", f"/v1/users/{user_id}"))[1]
            with contextlib.suppress(aiohttp.ClientError):
                async with caller.get(user["access_url"]) as answer:
                    return await rig.healthy(user_id) and answer.status == 200
            return False

        await asyncio.gather(*(eventually(partial(answers, n), PATIENCE, every=0.2) for n in USERS))


async def _places(rig: Rig) -> dict[str, list[int]]:
    """Users by the node that they are on."""
    nodes = (await rig.call("GET", "/v1/nodes"))[1]["nodes"]
    return {node["name"]: node["sessions"] for node in nodes if node["sessions"]}


async def _runs(rig: Rig) -> dict[int, str]:
    """When each began."""
    return {user["user_id"]: user["observed"]["container"]["started_at"] for user in await _users(rig)}


async def _unknown(rig: Rig, user_ids: list[int]) -> bool:
    health = await asyncio.gather(*map(rig.health, user_ids))
    return all(each["status"] == "unknown" for each in health)


async def _empty(rig: Rig, node: str) -> bool:
    return node not in await _places(rig)
