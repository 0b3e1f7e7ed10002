"""A controller for each test; its log is shown when the test fails."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page

from tests.dashboard import looking_at
from tests.rig import Rig
from tests.support import Lab

LONG = {
    "HUNDRED": ["test_hundred.py"],
    "COMPOSE": ["test_compose.py"],
    "DASHBOARD": ["test_dashboard_day.py", "test_dashboard_desired.py", "test_dashboard_views.py"],
}
"""Each has a target of its own, `make hundred` and so on, which sets the variable."""
collect_ignore = [file for variable, files in LONG.items() if not os.environ.get(variable) for file in files]


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


@pytest.fixture
async def page(rig: Rig) -> AsyncIterator[Page]:
    """Its dashboard, in a browser."""
    async with looking_at(rig.url) as page:
        yield page
