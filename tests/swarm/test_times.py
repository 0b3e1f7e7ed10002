"""What the controller adds to the time that a swarm takes until a session answers, a new one or a restarted."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import aiohttp

from controller import datafolder
from controller.engine import runs, service
from controller.engine.service import Placing, Terms
from controller.model import Limits
from tests.faults.engine import STAND_IN
from tests.rig import Rig
from tests.support import MIB, eventually
from tests.swarm_cluster import PATIENCE, Cluster
from tests.worlds import a_spec

EACH = 8
AGAIN = 5
BY_HAND = 100
"""Ids from here on are of services that are made without the controller."""
TERMS = Terms("by-hand", Placing(reserved=0.05), 10)


async def test_a_session_answers_hardly_later_than_a_service_that_is_made_by_hand(rig: Rig, cluster: Cluster) -> None:
    ours, theirs = [], []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as caller:
        for n in range(1, EACH + 1):  # in turns: whatever else the machine does is then in both
            began = time.monotonic()
            _, made = await rig.create(n)
            await _answers(caller, made["host"], n)
            ours.append(time.monotonic() - began)
            await rig.destroy(n)
            began = time.monotonic()
            host = await asyncio.to_thread(_by_hand, rig, cluster, BY_HAND + n)
            await _answers(caller, host, BY_HAND + n)
            theirs.append(time.monotonic() - began)
            await asyncio.to_thread(cluster.api.remove_service, rig.lab.name(BY_HAND + n))
    _tell({"POST /create": ours, "a service by hand": theirs})
    assert median(ours) < 2 * median(theirs), "how near it comes is told above; we wait for something of our own"


async def test_a_restart_waits_for_the_end_of_the_run_before_and_answers_again_all_the_same(
    rig: Rig, cluster: Cluster
) -> None:
    ours, theirs = [], []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as caller:
        _, made = await rig.create(1)
        await _answers(caller, made["host"], 1)
        await _answers(caller, await asyncio.to_thread(_by_hand, rig, cluster, BY_HAND), BY_HAND)
        for _ in range(AGAIN):
            began = time.monotonic()
            assert (await rig.restart(1))[0] == 200
            await _answers(caller, made["host"], 1)
            ours.append(time.monotonic() - began)
            began = time.monotonic()
            await _answers(caller, await asyncio.to_thread(_again_by_hand, rig, cluster, BY_HAND), BY_HAND)
            theirs.append(time.monotonic() - began)
    _tell({"POST /restart": ours, "`docker service update --force`": theirs})
    assert median(ours) < 2 * median(theirs), (
        "the swarm's own ends and begins in one change, and waits no longer than a minute"
    )


def _tell(measured: dict[str, list[float]]) -> None:
    for who, times in measured.items():
        print(f"{who} until it answers: {median(times):.2f} s, of {len(times)} {min(times):.2f} to {max(times):.2f} s")


async def _answers(caller: aiohttp.ClientSession, host: str, user_id: int) -> None:
    async def asked() -> bool:
        try:
            async with caller.get(f"http://{host}:{30000 + user_id}/") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    await eventually(asked, PATIENCE, every=0.01)


def _by_hand(rig: Rig, cluster: Cluster, user_id: int) -> str:
    """The same service, made and started at once; returns the address of its node when it runs."""
    spec = a_spec(
        user_id,
        name=rig.lab.name(user_id),
        image=STAND_IN,
        cpus=1,
        memory=64 * MIB,
        shm=MIB,
        data_folder=str(rig.data / f"user_{user_id}"),
    )
    datafolder.prepare(rig.data / f"user_{user_id}", spec.run_as)
    posted = service.service_of(spec, TERMS, Limits(1, 64 * MIB, 256), {})
    run = service.next_run(posted, TERMS, ())
    cluster.api._post_json(cluster.api._url("/services/create"), posted).raise_for_status()
    return _runs_at(cluster, spec.name, run)


def _again_by_hand(rig: Rig, cluster: Cluster, user_id: int) -> str:
    """One more run, in the swarm's own way; returns the address of its node when it runs."""
    numbers: list[int] = []
    cluster.amend(rig.lab.name(user_id), lambda spec: numbers.append(service.next_run(spec, TERMS, ())))
    return _runs_at(cluster, rig.lab.name(user_id), numbers[0])


def _runs_at(cluster: Cluster, name: str, run: int) -> str:
    over = time.monotonic() + PATIENCE
    while time.monotonic() < over:
        for task in cluster.api.tasks({"service": name}):
            if task["Status"]["State"] == "running" and runs.number(task) == run:
                return next(node.address for node in cluster.nodes if node.id == task["NodeID"])
        time.sleep(0.01)
    raise AssertionError(f"run {run} of {name} did not come up")
