"""A controller for each test; its log is shown when the test fails."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from tests.rig import Rig
from tests.support import Lab

collect_ignore = [] if os.environ.get("HUNDRED") else ["test_hundred.py"]  # `make hundred` sets it


@pytest.fixture
async def idle_rig(lab: Lab, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Not started yet."""
    rig = Rig(lab)
    yield rig
    await rig.close()
    if rig.log_file.exists():
        request.node.add_report_section("teardown", "controller's log", rig.log())


@pytest.fixture
async def rig(idle_rig: Rig) -> Rig:
    await idle_rig.start()
    return idle_rig
