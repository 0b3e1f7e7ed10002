"""What a running controller tells Prometheus, and that alerts and board find in it what they ask for."""

from __future__ import annotations

import aiohttp

from tests.metered import Reading, asked_for, expressions, told
from tests.rig import Rig
from tests.support import eventually


async def test_a_real_session_is_in_the_figures_and_every_metric_that_is_asked_for_is_there(rig: Rig) -> None:
    await rig.create(1)
    await rig.comes_up(1)
    seen = await eventually(lambda: _with_a_session_up(rig))  # as a probe finds it, later
    assert {name for each in expressions() for name in asked_for(each)} - told(seen) == set()
    for stage in ("create", "start", "web", "session"):
        assert seen("mcm_session_startup_duration_seconds_count", stage=stage) == 1
        assert 0 < seen("mcm_session_startup_duration_seconds_sum", stage=stage) < 120
    assert seen("mcm_users", state="ready") == seen("mcm_containers", phase="running") == 1
    assert seen("mcm_engine_call_duration_seconds_count", call="create", outcome="ok") == 1
    assert seen("process_resident_memory_bytes") > 1e7


async def _with_a_session_up(rig: Rig) -> Reading | None:
    async with aiohttp.ClientSession() as http, http.get(f"{rig.url}/metrics") as answer:
        seen = Reading(await answer.text())
    return seen if seen("mcm_session_startup_duration_seconds_count", stage="session") else None
