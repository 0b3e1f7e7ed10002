"""What several files of unit tests begin with."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api_world import ApiWorld
from tests.git_world import Forge
from tests.shell import Ask, run


@pytest.fixture
async def forge(tmp_path: Path) -> AsyncIterator[Forge]:
    forge = Forge(tmp_path)
    yield forge
    await forge.close()


@pytest.fixture
def ask(world: ApiWorld, tmp_path: Path) -> Ask:
    """Run a command against the controller of the test's own world."""

    async def asked(*words: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(run, tmp_path, *words, MCM_API_PORT=str(world.port))

    return asked


@pytest.fixture(params=["blocking", "awaiting"])
def face(request: pytest.FixtureRequest) -> str:
    """Of the client: `Client` or `AsyncClient`."""
    return str(request.param)
