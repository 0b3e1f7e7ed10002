"""The real engine, and for every test that asks a place of its own on it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import docker
import docker.errors
import pytest

from tests.support import IMAGE, Lab, a_lab, clear_away_leftovers

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as after `make test &`; what we start would not heed it either
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env()
        client.images.get(IMAGE)
    except docker.errors.DockerException as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Docker engine with the image {IMAGE} here (`make test` sets both up): {error}")
    clear_away_leftovers(client)
    yield client
    client.close()


@pytest.fixture
def lab(docker_client: docker.DockerClient) -> Iterator[Lab]:
    with a_lab(docker_client) as lab:
        yield lab
