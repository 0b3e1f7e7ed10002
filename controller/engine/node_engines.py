"""The engines of a swarm's nodes, asked directly over mutual TLS for what a manager cannot tell or do: the use of
resources, and other limits under a running session.

Whatever one of them does not answer is left out: the swarm's own word is enough for all else. A container is only ever
touched when its own engine says that it is a task of that service.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import docker
import docker.errors
import docker.tls

from controller.engine.cgroups import Reading, in_use, next_reading
from controller.engine.lane import Lane, get, post
from controller.engine.service import SideDoor
from controller.errors import EngineError, EngineUnavailable, NoSuchContainer, SettingsInvalid
from controller.model import Container, Limits, Machine, Usage

LOOK_TIMEOUT = 2
"""Seconds that a node may be silent: whoever asks for a session's health waits for that."""
LEFT_ALONE = 30.0
"""Seconds for which one that was silent is asked for no figures."""
AT_ONCE = 2
"""Calls to one node: a look, and a change beside it."""
SERVICE_OF = "com.docker.swarm.service.id"
"""The swarm's own label on the container of a task."""


@dataclass(frozen=True, slots=True)
class Inside:
    """The container that a service's task is in, on its node."""

    address: str
    container_id: str


class NodeEngines:
    def __init__(self, door: SideDoor) -> None:
        """Raises SettingsInvalid: a file is not there, or not to be read."""
        self._door = door
        try:
            self._tls = docker.tls.TLSConfig((str(door.cert), str(door.key)), str(door.ca), verify=True)
        except docker.errors.TLSParameterError as error:
            there = ", ".join(str(each) for each in (door.ca, door.cert, door.key) if not os.path.isfile(each))
            what = "swarm_nodes names files that are not there, or not for this user to read"
            raise SettingsInvalid(f"{what}: {there}.") from error
        self._lanes: dict[str, Lane] = {}
        """By address."""
        self._readings: dict[str, tuple[Inside, Reading]] = {}
        """By service: of which container, and what."""
        self._silent: dict[str, float] = {}
        """When a node was silent last, by address."""

    async def usage(self, sessions: Mapping[str, tuple[Container, Inside]]) -> dict[str, Usage]:
        """By service, of these; those whose node does not answer are left out."""
        by_node: dict[str, list[str]] = defaultdict(list)
        for service, (_, inside) in sessions.items():
            if time.monotonic() - self._silent.get(inside.address, -LEFT_ALONE) >= LEFT_ALONE:
                by_node[inside.address].append(service)
        told = await asyncio.gather(*(self._of_node(services, sessions) for services in by_node.values()))
        return {service: usage for each in told for service, usage in each.items()}

    async def _of_node(
        self, services: Sequence[str], sessions: Mapping[str, tuple[Container, Inside]]
    ) -> dict[str, Usage]:
        """One after another, and no further where the node is silent."""
        found: dict[str, Usage] = {}
        for service in services:
            container, inside = sessions[service]
            path = f"/containers/{inside.container_id}/stats?stream=false&one-shot=true"
            try:
                stats = await self._lane(inside.address).run(partial(get, path=path))
                of, last = self._readings.get(service, (None, None))
                reading, usage = read(stats, container, last if of == inside else None, time.monotonic())
            except EngineUnavailable:
                self._silent[inside.address] = time.monotonic()
                break
            except (EngineError, KeyError, TypeError, ValueError):  # it has ended, and uses nothing
                continue
            self._readings[service], found[service] = (inside, reading), usage
        return found

    async def update(self, service: str, inside: Inside, limits: Limits) -> None:
        """Put these limits right under the running session.

        Raises:
            NoSuchContainer: this container is not that service's.
            EngineError: the node's engine does not answer, or refuses.
        """

        def change(client: docker.APIClient) -> None:
            try:
                found = get(client, f"/containers/{inside.container_id}/json")
            except docker.errors.NotFound as error:
                raise NoSuchContainer(f"There is no container {inside.container_id} on {inside.address}.") from error
            if (found["Config"].get("Labels") or {}).get(SERVICE_OF) != service:
                raise NoSuchContainer(f"The container {inside.container_id} is not of the service {service}.")
            post(client, f"/containers/{found['Id']}/update", update_of(limits), LOOK_TIMEOUT)

        await self._lane(inside.address).run(change)

    async def silent(self, machines: Iterable[Machine]) -> dict[str, str]:
        """Which of these cannot be asked, by name, and why."""

        async def asked(machine: Machine) -> str:
            try:
                await self._lane(machine.address).run(partial(get, path="/version"))
            except EngineError as error:
                return str(error)
            return ""

        asked_of = {each.name: each for each in machines}
        said = await asyncio.gather(*(asked(each) for each in asked_of.values()))
        return {name: why for name, why in zip(asked_of, said, strict=True) if why}

    def keep(self, containers: Sequence[Container]) -> None:
        """Let go of what concerns none of these, which are all that there are."""
        services = {each.id for each in containers}
        self._readings = {service: reading for service, reading in self._readings.items() if service in services}
        addresses = {each.node.address for each in containers if each.node is not None}
        self._silent = {address: at for address, at in self._silent.items() if address in addresses}
        self._let_go(addresses)

    def close(self) -> None:
        """Let go of the threads; calls under way are left to themselves."""
        self._let_go(())

    def _lane(self, address: str) -> Lane:
        if address not in self._lanes:
            host = f"[{address}]" if ":" in address else address
            url = f"tcp://{host}:{self._door.port}"
            self._lanes[address] = Lane(f"node-{address}", AT_ONCE, url, LOOK_TIMEOUT, tls=self._tls)
        return self._lanes[address]

    def _let_go(self, but: Collection[str]) -> None:
        for address in self._lanes.keys() - set(but):
            self._lanes.pop(address).close()


def update_of(limits: Limits) -> dict[str, int]:
    """As an engine's `update` takes it; swap stays none where there was none."""
    return {
        "NanoCpus": round(limits.cpus * 1_000_000_000),
        "Memory": limits.memory,
        "MemorySwap": limits.memory,
        "PidsLimit": limits.processes,
    }


def read(stats: Mapping[str, Any], container: Container, last: Reading | None, now: float) -> tuple[Reading, Usage]:
    """What an engine tells of a container, as the docker CLI computes it: `cgroups.py` has the source.

    Args:
        container: the session, with its declared memory.
        last: of the same run.

    Raises:
        KeyError, TypeError, ValueError: it tells nothing of one that runs.
    """
    cpu = int(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9
    memory = stats["memory_stats"]
    used, inner = int(memory["usage"]), memory["stats"]
    reclaimable = int(inner.get("total_inactive_file", inner.get("inactive_file", 0)))
    reading = next_reading(container, last, cpu, now)
    return reading, Usage(
        cpu_percent=reading.cpu_percent,
        memory=in_use(used, reclaimable),
        memory_limit=min(int(memory["limit"]), container.memory or int(memory["limit"])),
        sampled_at=datetime.now(UTC),
    )


def inside_of(containers: Sequence[Container], ids: Mapping[str, str]) -> dict[str, tuple[Container, Inside]]:
    """Which of these services can be asked about on their nodes. `ids`: the container that each is in."""
    found = {}
    for each in containers:
        if each.node is not None and each.node.address and not each.node.lost and ids.get(each.id):
            found[each.id] = each, Inside(each.node.address, ids[each.id])
    return found
