"""What `GET /metrics` tells is what happened: every kind of figure against a world in which it is known."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics

from controller import reconciler
from controller.caller import Scope
from controller.conditions import STATES
from controller.doorkeeper import Door, Doorkeeper
from controller.engine.measured import Measured
from controller.engine.threads import Threads
from controller.model import DesiredState, DiskUse
from controller.tokens import TokenFile
from tests.api_world import GIB, SITE, ApiWorld, api_world
from tests.fake_engine import FakeEngine
from tests.fake_store import FakeStore
from tests.metered import read
from tests.support import eventually
from tests.wish_place import Place
from tests.worlds import NOW

CALL, STAGE = "mcm_engine_call_duration_seconds", "mcm_session_startup_duration_seconds"


@pytest.fixture
async def world() -> AsyncIterator[ApiWorld]:
    async with api_world() as world:
        yield world


async def ready(world: ApiWorld, *user_ids: int) -> None:
    await eventually(lambda: all(world.informer.view(n).ready_since for n in user_ids))


# ---------------------------------------------------------------- sessions, users


async def test_three_creates_are_three_in_every_stage_and_three_users_ready(world: ApiWorld) -> None:
    world.engine.latency = {"create": 0.02, "start": 0.05}
    for user_id in (1, 2, 3):
        assert (await world.create(user_id))[0] == 201
    await ready(world, 1, 2, 3)
    seen = await read(world)
    for stage, least in (("create", 0.06), ("start", 0.15), ("web", 0.0), ("session", 0.0)):
        assert seen(f"{STAGE}_count", stage=stage) == 3
        assert least <= seen(f"{STAGE}_sum", stage=stage) < 30
    for call in ("create", "start"):
        assert seen(f"{CALL}_count", call=call, outcome="ok") == 3
    assert seen("mcm_users", state="ready") == seen("mcm_containers", phase="running") == 3
    assert (seen("mcm_users_declared"), seen("mcm_users_condition", condition="Ready", status="True")) == (3, 3)
    assert seen("mcm_reconcile_duration_seconds_count", outcome="settled") >= 3


async def test_a_session_that_began_before_the_controller_or_falls_silent_for_a_while_is_no_start_up() -> None:
    engine, store = FakeEngine(), FakeStore(DesiredState(generation=1))
    async with api_world(engine=engine, real_store=store) as world:
        await world.create(7)
        await ready(world, 7)
    async with api_world(engine=engine, real_store=store) as world:
        await ready(world, 7)
        assert (await read(world)).series(f"{STAGE}_count") == []
        await world.create(8)
        await ready(world, 8)
        world.services.web = False
        await eventually(lambda: _answers(world, 8, False))
        world.services.web = True
        await eventually(lambda: _answers(world, 8, True))
        assert (await read(world))(f"{STAGE}_count", stage="web") == 1
        assert (await world.call("POST", "/restart/matlab-user-8"))[0] == 200
        await ready(world, 8)
        assert (await read(world))(f"{STAGE}_count", stage="web") == 2, "a new run starts up as well"


async def _answers(world: ApiWorld, user_id: int, wanted: bool) -> bool:
    view = await world.informer.refresh(user_id, 0)
    return (view.ready_since is not None) is wanted


async def test_each_user_is_in_one_state_and_whoever_is_stuck_is_named(world: ApiWorld) -> None:
    await world.create(1)
    await ready(world, 1)
    await world.call("PUT", "/v1/users/2", json={"state": "stopped"})
    world.engine.images.clear()
    assert (await world.create(3))[0] == 500
    seen = await read(world)
    assert {state: seen("mcm_users", state=state) for state in STATES} == {
        **dict.fromkeys(STATES, 0),
        **{"ready": 1, "stopped": 1, "stalled": 1},
    }
    assert seen.series("mcm_user_stalled") == [{"user": "3", "reason": "ImageMissing"}]
    assert seen("mcm_users_condition", condition="Stalled", status="True") == 1
    await world.engine_leaves()
    seen = await read(world)
    assert seen("mcm_users", state="unknown") == 3
    assert seen.series("mcm_user_stalled") == [], "nobody knows"


async def test_whoever_is_over_the_quota_is_named(world: ApiWorld) -> None:
    await world.create(1)
    await world.create(2)
    world.informer.measured(1, DiskUse(11 * GIB, True, NOW, 10 * GIB, NOW))
    world.informer.measured(2, DiskUse(9 * GIB, True, NOW, 10 * GIB, None))
    seen = await read(world)
    assert seen.series("mcm_user_over_quota") == [{"user": "1"}]
    assert seen("mcm_users_condition", condition="WithinQuota", status="True") == 1


# ---------------------------------------------------------------- the loop, the engine


async def test_a_pass_and_a_call_that_fail_say_why(world: ApiWorld) -> None:
    world.engine.taken_ports = {30001}
    assert (await world.create(1))[0] == 500
    seen = await read(world)
    failures = seen("mcm_reconcile_duration_seconds_count", outcome="failed")
    assert 1 <= failures <= 3, "the loop tries again"
    assert seen("mcm_reconcile_failures_total", code="port_taken") == failures
    assert seen(f"{CALL}_count", call="start", outcome="port_taken") == failures
    assert (seen(f"{STAGE}_count", stage="create"), seen(f"{STAGE}_count", stage="start")) == (1, 0)
    assert seen("mcm_users", state="degraded") == 1
    await eventually(lambda: _backs_off(world))


async def _backs_off(world: ApiWorld) -> bool:
    return (await read(world))("mcm_users_backing_off") == 1


async def test_the_queue_the_start_slots_and_the_resyncs_are_as_the_loop_has_them(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.engine.latency = {"start": 2.0}
    calls = [asyncio.create_task(world.create(n)) for n in range(1, 13)]
    await eventually(lambda: world.engine.starting == 10)
    seen, (_, told) = await read(world), await world.call("GET", "/v1/status")
    assert (seen("mcm_start_slots_used"), seen("mcm_resyncs_total")) == (told["queue"]["starting"], 1)
    assert seen("mcm_start_slots_used") == 10
    assert seen("mcm_users_worked_on") + seen("mcm_queue_depth") >= 12
    await asyncio.gather(*calls)
    assert seen("mcm_loop_stuck") == 0
    monkeypatch.setattr(reconciler, "LONGEST_RESYNC", -1000.0)
    assert (await read(world))("mcm_loop_stuck") == 1


async def test_a_task_that_nobody_ends_is_told(world: ApiWorld) -> None:
    before = (await read(world))("mcm_tasks")
    left = [asyncio.create_task(asyncio.Event().wait()) for _ in range(50)]
    assert (await read(world))("mcm_tasks") > before + 40
    for each in left:
        each.cancel()


async def test_an_engine_that_is_away_is_told_with_when_it_was_last_seen(world: ApiWorld) -> None:
    await world.create(1)
    before = await read(world)
    assert before("mcm_engine_reachable") == 1
    await world.engine_leaves()
    await world.call("PUT", "/v1/users/1", json={"state": "stopped"})  # somebody asks for what only the engine can do
    await eventually(lambda: _unknown(world))
    seen = await read(world)
    assert seen("mcm_engine_reachable") == 0
    last = seen("mcm_engine_last_seen_timestamp_seconds")
    assert before("process_start_time_seconds") < before("mcm_engine_last_seen_timestamp_seconds") <= last


async def _unknown(world: ApiWorld) -> bool:
    seen = await read(world)
    asked = seen(f"{CALL}_count", call="info", outcome="engine_unavailable")
    return asked > 0 and seen("mcm_reconcile_duration_seconds_count", outcome="unknown") > 0


async def test_what_a_call_waits_for_a_thread_is_part_of_its_time_and_one_that_is_given_up_is_told() -> None:
    threads = Threads("one", 1)

    class Slow(FakeEngine):
        async def logs(self, container_id: str, tail: int) -> str:
            await threads.run(lambda: time.sleep(0.1))
            return ""

    engine = Measured(Slow())
    await asyncio.gather(*(engine.logs("", 1) for _ in range(3)))
    given_up = asyncio.create_task(engine.logs("", 1))
    await asyncio.sleep(0.01)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    threads.close()
    [family] = engine.calls.collect()
    found = {(each.name, each.labels["outcome"]): each.value for each in family.samples if "le" not in each.labels}
    assert found[f"{CALL}_count", "ok"] == 3
    assert found[f"{CALL}_sum", "ok"] >= 0.1 + 0.2 + 0.3
    assert found[f"{CALL}_count", "cancelled"] == 1


# ---------------------------------------------------------------- the desired state


async def test_the_desired_state_is_told_good_or_bad_held_and_paused(place: Place) -> None:
    users = "".join(f"  {n}: {{}}\n" for n in range(1, 9))
    store = await place.running(f"version: 1\ngeneration: 1\nusers:\n{users}...\n")
    async with api_world(real_store=store) as world:
        seen = await read(world)
        assert (seen("mcm_desired_state_valid"), seen("mcm_desired_state_generation")) == (1, 1)
        assert seen.series("mcm_desired_state_fetch_failing") == [], "it follows no branch"
        await ready(world, *range(1, 9))
        place.edit("  1: {}\n", "  1: {stat: stopped}\n")
        await eventually(lambda: not store.health.valid)
        assert (await read(world))("mcm_desired_state_valid") == 0
        place.edit("  1: {stat: stopped}\n", "  1: {}\n")
        await eventually(lambda: store.health.valid)
        place.edit(users, "  8: {}\n")
        await eventually(lambda: store.pending)
        assert (await read(world))("mcm_desired_state_pending") == 1
        await world.call("POST", "/v1/reject", json={"id": store.pending.id})  # type: ignore[union-attr]
        await world.call("POST", "/v1/pause", json={"user_ids": [1, 2]})
        seen = await read(world)
        assert (seen("mcm_desired_state_pending"), seen("mcm_users_paused"), seen("mcm_desired_state_paused")) == (
            *(0, 2),
            0,
        )
        await world.call("POST", "/v1/pause")
        seen = await read(world)
        assert (seen("mcm_users_paused"), seen("mcm_desired_state_paused")) == (8, 1)
        _, told = await world.call("GET", "/v1/events?limit=1000")
        happened = Counter((each["kind"], each["reason"]) for each in told["events"])
        seen = await read(world)
        assert {pair: seen("mcm_events_total", kind=pair[0], reason=pair[1]) for pair in happened} == happened
        assert happened["brake", "Rejected"] == 1


# ---------------------------------------------------------------- the API


async def test_a_call_is_counted_under_its_endpoint_and_never_under_what_the_caller_wrote(world: ApiWorld) -> None:
    for path in ("/v1/users/1", "/v1/users/2", "/v1/users/x", "/nothing", "/nothing/else", "/v1/users/1?token=secret"):
        await world.call("GET", path)
    await world.call("DELETE", "/list")
    await world.send(b"PROPFIND /list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    seen = await read(world)
    assert {
        (each["endpoint"], each["method"], each["status"]): seen("mcm_api_requests_total", **each)
        for each in seen.series("mcm_api_requests_total")
    } == {
        ("/v1/users/{user_id}", "GET", "404"): 3,
        ("/v1/users/{user_id}", "GET", "400"): 1,
        ("none", "GET", "404"): 2,
        ("none", "DELETE", "405"): 1,
        ("none", "other", "405"): 1,
    }
    assert "secret" not in seen.text


async def test_what_an_answer_took_is_in_its_endpoints_histogram(world: ApiWorld) -> None:
    world.engine.latency = {"start": 0.3}
    await world.create(1)
    seen = await read(world)
    told = {"endpoint": "/create", "method": "POST"}
    assert seen("mcm_api_request_duration_seconds_bucket", **told, le="0.25") == 0
    assert seen("mcm_api_request_duration_seconds_bucket", **told, le="1.0") == 1


# ---------------------------------------------------------------- how it is told


async def test_it_is_told_in_either_form_whichever_is_asked_for(world: ApiWorld) -> None:
    async with world.http.get("/metrics") as plain:
        assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert plain.headers["X-Request-ID"]
    wanted = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    async with world.http.get("/metrics", headers={"Accept": wanted}) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        families = {each.name for each in open_metrics(await answer.text())}  # type: ignore[no-untyped-call]
    assert {"mcm_build", "mcm_users", "mcm_resyncs", "process_resident_memory_bytes"} <= families


async def test_two_controllers_in_one_process_count_apart(world: ApiWorld) -> None:
    async with api_world(site=replace(SITE, instance="other")) as other:
        await other.create(1)
        assert (await read(world)).series("mcm_reconcile_duration_seconds_count") == []
        assert (await read(other))("mcm_build_info", version="1.0", instance_id="other") == 1


async def test_where_calls_need_a_token_one_that_reads_will_do(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    reader = tokens.add("prometheus", Scope.READ)
    async with api_world(doorkeeper=Doorkeeper(Door(locked=True), tokens)) as world:
        assert (await world.call("GET", "/metrics"))[0] == 401
        async with world.http.get("/metrics", headers={"Authorization": f"Bearer {reader}"}) as answer:
            assert answer.status == 200


async def test_every_figure_keeps_the_rules_of_prometheus_for_names_and_units(world: ApiWorld) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool here (Debian's package `prometheus` has it)")
    await world.create(1)
    seen = await read(world)
    asked = partial(subprocess.run, [promtool, "check", "metrics"], input=seen.text, capture_output=True, text=True)
    done = await asyncio.to_thread(asked)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
