"""The real engine, and for every test that asks a lab on it; a place for a desired state; and what CI may leave out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import docker
import docker.errors
import hypothesis
import pytest

from tests.support import IMAGE, Lab, a_lab, clear_away_leftovers
from tests.swarm_cluster import Cluster, a_cluster
from tests.wish_place import Place

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as after `make test &`; what we start would not heed it either
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile(
    "whatever the machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("whatever the machine")  # a busy one has its pauses; in CI the examples are the same

LEFT_OUT_IN_CI = re.compile("octave-full is not built|a swarm has no word for it")
"""Why a test may be skipped in CI: the large image takes longer to build than all else takes, and what a swarm has no
word for is asked of the other engines."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI (`.ci/run` says so) whatever else is skipped is a proof that is missing, and fails."""
    report = yield
    if os.environ.get("CI") and report.skipped and isinstance(report.longrepr, tuple):
        path, line, why = report.longrepr
        if not LEFT_OUT_IN_CI.search(why):
            report.outcome = "failed"
            report.longrepr = f"{path}:{line}: in CI this may not be left out. {why}"
    return report


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env()
        client.images.get(IMAGE)
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker engine with the image {IMAGE} here (`make test` sets both up): {error}")
    clear_away_leftovers(client)
    yield client
    client.close()


@pytest.fixture
def lab(docker_client: docker.DockerClient) -> Iterator[Lab]:
    with a_lab(docker_client) as lab:
        yield lab


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    yield place
    await place.close()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three nodes, for `make swarm`."""
    with asyncio.Runner() as runner, contextlib.ExitStack() as made:
        nodes = a_cluster()
        cluster = runner.run(nodes.__aenter__())
        made.callback(lambda: runner.run(nodes.__aexit__(None, None, None)))
        yield cluster
