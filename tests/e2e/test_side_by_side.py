"""Two controllers on one machine, each with settings of its own, do not meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import docker
import pytest

from tests.rig import Rig
from tests.support import a_lab


@pytest.fixture
async def neighbour(docker_client: docker.DockerClient) -> AsyncIterator[Rig]:
    with a_lab(docker_client) as lab:
        rig = Rig(lab)
        await rig.start()
        yield rig
        await rig.close()


async def test_two_controllers_serve_the_same_user_ids_apart(rig: Rig, neighbour: Rig) -> None:
    answers = await asyncio.gather(*(each.create(n) for each in (rig, neighbour) for n in (1, 2)))
    assert [status for status, _ in answers] == [201] * 4
    assert await rig.statuses() == await neighbour.statuses() == {1: "running", 2: "running"}
    untouched = [container.id for container in neighbour.lab.containers()]
    await rig.destroy(1)
    await rig.restart(2)
    assert [container.id for container in neighbour.lab.containers()] == untouched
    assert await neighbour.statuses() == {1: "running", 2: "running"}
    assert await rig.statuses() == {2: "running"}


async def test_without_ports_of_its_own_the_second_says_which_setting_to_change(rig: Rig, neighbour: Rig) -> None:
    await neighbour.stop()
    await neighbour.start(wait=False, MCM_API_PORT=str(rig.lab.api_port))
    assert neighbour.process is not None
    async with asyncio.timeout(20):
        assert await neighbour.process.wait() != 0
    assert f"cannot listen on 127.0.0.1:{rig.lab.api_port}" in neighbour.log()
    assert "MCM_API_PORT" in neighbour.log()
