"""Three real nodes, for the tests that `make swarm` runs, and a controller on them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.engine import STAND_IN
from tests.rig import Rig
from tests.support import Lab
from tests.swarm_cluster import Cluster

collect_ignore_glob = [] if os.environ.get("SWARM") else ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == "test_managers.py")  # it leaves three managers behind


@pytest.fixture
def settings() -> str:
    """Sessions have a core, so that none is slow to come up for want of it, and take little of their node."""
    return f"""\
engine: swarm
max_users: 300
insecure: true
api_tokens: off
session_tokens: off
resync_seconds: 2
swarm_reserve: 5
swarm_fence_seconds: 10
profiles:
  standard: {{image: "{STAND_IN}", cpus: 1, memory: 64m, shm: 1m}}
  gpu: {{image: "{STAND_IN}", cpus: 1, memory: 64m, shm: 1m, node_labels: {{pool: gpu}}}}
"""


@pytest.fixture
async def rig(cluster: Cluster, settings: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    rig = Rig(Lab(cluster.manager.client, "default", tmp_path, 20000, 30000, 31000), settings)
    await rig.start(DOCKER_HOST=cluster.manager.url)
    yield rig
    await rig.close()
    request.node.add_report_section("teardown", "controller's log", rig.log())
    await cluster.put_right()
