"""What every test may lean on: an instance of its own on the real engine, ports nobody uses, and waiting.

Each run labels what it makes with an instance id that names its process, so that the next run can clear away what a
crashed one left, and never anything else.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.errors
import docker.models.containers
import pytest

from tests.support import IMAGE, Lab

LABEL = "mcm.instance"
OURS = "mcmtest-"


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env()
        client.images.get(IMAGE)
    except docker.errors.DockerException as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Docker engine with the image {IMAGE} here (`make test` sets both up): {error}")
    _clear_away(client, lambda instance: not _alive(instance))
    yield client
    client.close()


@pytest.fixture
def lab(docker_client: docker.DockerClient) -> Iterator[Lab]:
    """A place of its own on the real engine, empty afterwards."""
    instance = f"{OURS}{os.getpid()}-{secrets.token_hex(3)}"
    folder = Path(tempfile.mkdtemp(prefix=f"{instance}-"))
    folder.chmod(0o755)
    try:
        yield Lab(docker_client, instance, folder, *_free_ports())
    finally:
        _clear_away(docker_client, lambda other: other.startswith(instance))
        shutil.rmtree(folder, ignore_errors=True)


def _clear_away(client: docker.DockerClient, whose: object) -> None:
    assert callable(whose)
    for container in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
        instance = container.labels.get(LABEL, "")
        if instance.startswith(OURS) and whose(instance):
            with contextlib.suppress(docker.errors.NotFound, docker.errors.APIError):
                container.remove(force=True, v=True)


def _alive(instance: str) -> bool:
    """Whether the test run that this instance belongs to is still there."""
    pid = instance.removeprefix(OURS).partition("-")[0]
    return pid.isdecimal() and Path(f"/proc/{pid}").exists()


def _free_ports() -> tuple[int, int, int]:
    """An API port and two bases that each have 130 free ports above them, away from the defaults."""
    for _ in range(200):
        base = 20000 + secrets.randbelow(90) * 100
        if all(_free(port) for port in range(base, base + 300, 7)):
            return base, base + 10, base + 150
    raise RuntimeError("no free ports for the tests between 20000 and 29300")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
