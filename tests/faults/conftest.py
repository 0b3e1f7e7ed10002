"""An engine of its own for all of these tests, and a world before it for each file of them."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import pytest
import pytest_asyncio

from tests.faults.engine import OwnEngine
from tests.faults.scorecard import Scorecard
from tests.faults.world import World, a_world

collect_ignore_glob = [] if os.environ.get("FAULTS") else ["test_*.py"]  # `make faults` sets it
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-page", action="store_true", help=f"write the scorecard into {PAGE.name}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def scorecard(request: pytest.FixtureRequest) -> Iterator[Scorecard]:
    scorecard = Scorecard()
    yield scorecard
    print(f"\n{scorecard.text()}")
    if request.config.getoption("--write-page") and request.session.testsfailed == 0:
        cpus, python = os.cpu_count(), platform.python_version()
        with contextlib.closing(docker.from_env()) as usual:
            engine = usual.version()["Version"]
        scorecard.write(
            PAGE, f"Last run: Python {python}, Linux {platform.release()}, Docker {engine}, {cpus} processors."
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def own_engine() -> AsyncIterator[OwnEngine]:
    folder = Path(tempfile.mkdtemp(prefix="mcm-faults-"))
    engine = OwnEngine(folder)
    await engine.start()
    with contextlib.closing(docker.from_env()) as usual:
        engine.take_images(usual)
    yield engine
    engine.clear()
    await engine.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(own_engine: OwnEngine, scorecard: Scorecard) -> AsyncIterator[World]:
    async with a_world(own_engine, scorecard) as world:
        yield world
