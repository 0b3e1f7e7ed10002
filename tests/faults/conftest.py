"""An engine of its own for all tests of a process, a world before it for each file, and one scorecard of them all."""

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
from tests.faults.scorecard import Record, Scorecard
from tests.faults.world import World, a_world

collect_ignore_glob = [] if os.environ.get("FAULTS") else ["test_*.py"]  # `make faults` sets it
RECORDED = "fault"
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-page", action="store_true", help=f"write the scorecard into {PAGE.name}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # as in the processes of pytest-xdist that hand their reports to this one
        config.pluginmanager.register(_Told(config))


class _Told:
    """Puts together what was recorded in whichever process, and prints it at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._writes = config.getoption("--write-page")
        self._scorecard = Scorecard()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, said in report.user_properties if report.when == "teardown" else ():
            if name == RECORDED and isinstance(said, tuple):
                self._scorecard.records.append(Record._make(said))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        if not self._scorecard.records:
            return
        terminalreporter.write_line(f"\nseeds {self._scorecard.seeds()}\n{self._scorecard.text()}")
        if self._writes and exitstatus == pytest.ExitCode.OK:
            self._scorecard.write(PAGE, _machine())


def _machine() -> str:
    with contextlib.closing(docker.from_env()) as usual:
        engine = usual.version()["Version"]
    python, linux, cpus = platform.python_version(), platform.release(), os.cpu_count()
    return f"Python {python}, Linux {linux}, Docker {engine}, {cpus} processors"


@pytest.fixture(scope="session")
def scorecard() -> Scorecard:
    return Scorecard()


@pytest.fixture(autouse=True)
def _recorded(request: pytest.FixtureRequest, scorecard: Scorecard) -> Iterator[None]:
    """What a test records goes with its report."""
    before = len(scorecard.records)
    yield
    request.node.user_properties += [(RECORDED, tuple(each)) for each in scorecard.records[before:]]


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
