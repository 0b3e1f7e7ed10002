"""The calls of the quick reference, with the answers that it and the contract promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

import pytest

from controller.model import Phase, RunState, Wish
from tests.api_world import ApiWorld, api_world
from tests.support import eventually

CREATED = {
    "container_id": "matlab-user-1",
    "http_port": 30001,
    "ws_port": 31001,
    "status": "running",
    "message": "Container created successfully",
}
ALREADY = CREATED | {"status": "already_running", "message": "Container is already running"}


@pytest.fixture
async def world() -> AsyncIterator[ApiWorld]:
    async with api_world() as world:
        yield world


@pytest.fixture
async def hasty() -> AsyncIterator[ApiWorld]:
    """With a caller's patience of a fifth of a second."""
    async with api_world(create_timeout=0.2) as world:
        yield world


async def test_the_service_document_starts_as_the_reference_prints_it(world: ApiWorld) -> None:
    status, body = await world.call("GET", "/")
    assert status == 200
    assert {name: body[name] for name in body if name != "endpoints"} == {
        "service": "MATLAB Container Manager",
        "version": "1.0",
        "architecture": "One container, one MATLAB session",
        "websocket_service": "Auto-started via startup.m",
    }
    assert list(body["endpoints"].items())[:5] == [
        ("POST /create", "Create a new container (WebSocket auto-starts)"),
        ("POST /destroy/<container_id>", "Destroy a container"),
        ("GET /health/<container_id>", "Health check for a container"),
        ("GET /list", "List all containers"),
        ("POST /restart/<container_id>", "Restart a container"),
    ]


# ---------------------------------------------------------------- create


async def test_create_answers_once_the_container_runs(world: ApiWorld) -> None:
    assert await world.create(1) == (201, CREATED)
    box = world.engine.box("matlab-user-1")
    assert box is not None
    assert box.phase is Phase.RUNNING
    assert world.wish(1) == Wish()


async def test_create_is_idempotent(world: ApiWorld) -> None:
    await world.create(1, session_id="s-1")
    calls = list(world.engine.calls)
    assert await world.create(1, session_id="s-1") == (200, ALREADY)
    assert world.engine.calls == calls
    assert len(world.store.writers) == 1


async def test_another_session_takes_over_the_running_container(world: ApiWorld) -> None:
    await world.create(1, session_id="s-1")
    calls = list(world.engine.calls)
    assert await world.create(1, session_id="s-2") == (200, ALREADY)
    assert world.engine.calls == calls
    assert world.wish(1) == Wish(session_id="s-2")
    await world.create(1)
    assert world.wish(1) == Wish(session_id="s-2")


async def test_create_starts_a_stopped_session(world: ApiWorld) -> None:
    await world.call("PUT", "/v1/users/1", json={"state": "stopped"})
    await world.create(1)
    await world.call("PUT", "/v1/users/1", json={"state": "stopped"})
    box = world.engine.box("matlab-user-1")
    assert box is not None
    assert box.phase is Phase.EXITED
    assert await world.create(1) == (201, CREATED)
    assert world.wish(1) == Wish()
    assert [call for call, _ in world.engine.calls] == ["create", "start", "stop", "start"]


async def test_create_after_an_unnoticed_death_does_not_say_already_running(world: ApiWorld) -> None:
    await world.create(1)
    box = world.engine._named("matlab-user-1")
    box.seen = replace(box.seen, phase=Phase.EXITED, exit_code=137)  # no event tells of it
    assert await world.create(1) == (201, CREATED)


async def test_what_ran_before_the_controller_started_is_already_running(world: ApiWorld) -> None:
    await world.create(1)
    world.engine.latency["survey"] = 2
    async with api_world(engine=world.engine, real_store=world.store) as again:
        assert await again.create(1) == (200, ALREADY)
        assert again.informer.view(1).observed_at
        assert not again.engine.calls[2:]


async def test_the_write_is_part_of_the_time_that_a_caller_waits(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A branch of git may take long, and a bridge gives up after 30 s."""
    change, wait = world.store.change, world.informer.wait
    waited: list[float] = []

    async def slow_change(*what: Any) -> Any:
        await asyncio.sleep(0.2)
        return await change(*what)

    async def noting_wait(user_id: int, until: Any, seconds: float) -> Any:
        waited.append(seconds)
        return await wait(user_id, until, seconds)

    monkeypatch.setattr(world.store, "change", slow_change)
    monkeypatch.setattr(world.informer, "wait", noting_wait)
    assert (await world.create(1))[0] == 201
    assert len(waited) == 1
    assert 0 < waited[0] <= 10 - 0.2


async def test_create_that_cannot_be_done_says_why_and_goes_on_trying(world: ApiWorld) -> None:
    world.engine.taken_ports.add(30007)
    status, body = await world.create(7)
    assert status == 500
    assert body["error"] == "Failed to create container: Port 30007 is already in use on this host."
    assert body["code"] == "port_taken"
    assert body["details"]
    assert "tried again" in body["message"]
    assert body["next_try"] > datetime.now(UTC).isoformat()
    assert world.wish(7) == Wish()
    assert (await world.create(8))[0] == 201
    world.engine.taken_ports.clear()
    assert (await world.create(7))[0] == 201


async def test_a_name_that_is_none_is_told_what_names_there_are(world: ApiWorld) -> None:
    status, body = await world.call("POST", "/destroy/lab2-user-7")
    assert (status, body["error"]) == (400, "Invalid container_id format")
    assert body["details"] == "Containers are called matlab-user-1 to matlab-user-100 here."


async def test_create_with_a_foreigner_in_the_way_leaves_it_alone(world: ApiWorld) -> None:
    world.engine.add_foreigner("matlab-user-3")
    status, body = await world.create(3)
    assert (status, body["code"]) == (500, "name_conflict")
    assert world.engine.calls == []
    status, body = await world.call("GET", "/health/matlab-user-3")
    assert (status, body["status"]) == (200, "stopped")
    assert (await world.call("GET", "/list"))[1]["total"] == 0


class Yesterday(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) - timedelta(days=1)


async def test_what_was_seen_after_the_call_counts_also_where_the_clock_is_set_back(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or where a busy machine lets time pass between the reading of two clocks: one call in many was told `pending`."""
    monkeypatch.setattr("controller.informer.datetime", Yesterday)
    assert (await world.create(1))[0] == 201
    assert (await world.call("POST", "/restart/matlab-user-1"))[0] == 200
    assert (await world.call("POST", "/destroy/matlab-user-1"))[0] == 200


async def test_create_that_takes_long_is_pending(hasty: ApiWorld) -> None:
    hasty.engine.latency["start"] = 1
    status, body = await hasty.create(1)
    assert status == 202
    assert body["status"] == "pending"
    assert body["container_id"] == "matlab-user-1"
    assert "GET /v1/users/1" in body["details"]


async def test_create_is_stored_while_the_engine_is_away(world: ApiWorld) -> None:
    await world.engine_leaves()
    status, body = await asyncio.wait_for(world.create(1), 8)
    assert (status, body["status"]) == (202, "pending")
    assert world.wish(1) == Wish()
    world.engine.away = False
    await eventually(lambda: world.engine.box("matlab-user-1"), 15)


async def test_create_finds_an_engine_that_is_back_before_anyone_noticed(world: ApiWorld) -> None:
    await world.engine_leaves()
    world.engine.away = False
    assert (await world.create(1))[0] == 201


async def test_nothing_is_acknowledged_that_was_not_written(world: ApiWorld) -> None:
    world.store.full = True
    status, body = await world.create(1)
    assert (status, body["code"]) == (503, "not_persisted")
    assert world.engine.containers() == ()


async def test_a_create_overtaken_by_a_destroy_says_so(world: ApiWorld) -> None:
    world.engine.latency["start"] = 0.3
    waiting = asyncio.create_task(world.create(1))
    await eventually(lambda: world.engine.starting)
    assert (await world.call("POST", "/destroy/matlab-user-1"))[0] == 200
    status, body = await waiting
    assert (status, body["code"]) == (409, "superseded")
    assert world.engine.containers() == ()


async def test_many_creates_of_one_user_make_one_container(world: ApiWorld) -> None:
    answers = await asyncio.gather(*(world.create(1) for _ in range(20)))
    assert {status for status, _ in answers} <= {200, 201}
    assert [call for call, _ in world.engine.calls] == ["create", "start"]


# ---------------------------------------------------------------- destroy


async def test_destroy_removes_the_container_and_the_wish(world: ApiWorld) -> None:
    await world.create(1)
    assert await world.call("POST", "/destroy/matlab-user-1") == (
        200,
        {"message": "Container destroyed successfully", "container_id": "matlab-user-1"},
    )
    assert world.engine.containers() == ()
    assert world.wish(1) is None
    status, body = await world.call("POST", "/destroy/matlab-user-1")
    assert status == 404
    assert (body["message"], body["container_id"]) == ("Container not found", "matlab-user-1")


async def test_destroy_of_a_stopped_session(world: ApiWorld) -> None:
    await world.create(1)
    await world.call("PUT", "/v1/users/1", json={"state": "stopped"})
    assert (await world.call("POST", "/destroy/matlab-user-1"))[0] == 200
    assert world.engine.containers() == ()


async def test_destroy_of_a_declared_user_without_a_container(world: ApiWorld) -> None:
    await world.call("PUT", "/v1/users/1", json={"state": "stopped"})
    assert (await asyncio.wait_for(world.call("POST", "/destroy/matlab-user-1"), 8))[0] == 200
    assert world.wish(1) is None


@pytest.mark.parametrize("how", ["query", "body"])
async def test_a_late_destroy_of_an_old_session_is_refused(world: ApiWorld, how: str) -> None:
    def naming(session_id: str) -> dict[str, object]:
        named = {"session_id": session_id}
        return {"params": named} if how == "query" else {"json": named}

    await world.create(1, session_id="new")
    for call in ("destroy", "restart"):
        status, body = await world.call("POST", f"/{call}/matlab-user-1", **naming("old"))
        assert (status, body["code"]) == (409, "session_conflict")
    assert [call for call, _ in world.engine.calls] == ["create", "start"]
    assert (await world.call("POST", "/restart/matlab-user-1", **naming("new")))[0] == 200
    assert (await world.call("POST", "/destroy/matlab-user-1", **naming("new")))[0] == 200


async def test_a_named_session_conflicts_where_none_is_current(world: ApiWorld) -> None:
    await world.create(1)
    assert (await world.call("POST", "/destroy/matlab-user-1?session_id=mine"))[0] == 409


async def test_destroy_while_the_engine_is_away_is_pending(world: ApiWorld) -> None:
    await world.create(1)
    await world.engine_leaves()
    status, body = await asyncio.wait_for(world.call("POST", "/destroy/matlab-user-1"), 8)
    assert (status, body["status"]) == (202, "pending")
    world.engine.away = False
    await eventually(lambda: not world.engine.containers(), 15)


async def test_destroy_and_create_at_once_end_in_one_of_both(world: ApiWorld) -> None:
    await world.create(1)
    calls = [world.call("POST", "/destroy/matlab-user-1") if n % 2 else world.create(1) for n in range(10)]
    answers = await asyncio.gather(*calls)
    assert {status for status, _ in answers} <= {200, 201, 404, 409}
    await eventually(lambda: len(world.engine.containers()) == (world.wish(1) is not None))


# ---------------------------------------------------------------- restart


async def test_restart_answers_once_it_runs_again(world: ApiWorld) -> None:
    await world.create(1)
    before = world.engine.box("matlab-user-1")
    assert await world.call("POST", "/restart/matlab-user-1") == (
        200,
        {"message": "Container restarted successfully", "container_id": "matlab-user-1"},
    )
    after = world.engine.box("matlab-user-1")
    assert before is not None
    assert after is not None
    assert before.started_at is not None
    assert after.started_at is not None
    assert after.id == before.id
    assert after.started_at > before.started_at
    wish = world.wish(1)
    assert wish is not None
    assert wish.restart_at is not None
    assert wish.restart_at.microsecond % 1000 == 0


async def test_restart_of_a_stopped_session_starts_it(world: ApiWorld) -> None:
    await world.create(1)
    await world.call("PUT", "/v1/users/1", json={"state": "stopped"})
    assert (await world.call("POST", "/restart/matlab-user-1"))[0] == 200
    wish = world.wish(1)
    assert wish is not None
    assert wish.state in (None, RunState.RUNNING)


async def test_restart_of_an_unknown_user(world: ApiWorld) -> None:
    status, body = await world.call("POST", "/restart/matlab-user-1")
    assert status == 404
    assert (body["error"], body["container_id"]) == ("Container not found", "matlab-user-1")
    assert world.wish(1) is None


async def test_restart_that_fails(world: ApiWorld) -> None:
    await world.create(1)
    await world.call("PUT", "/v1/users/1", json={"state": "stopped"})
    world.engine.taken_ports.add(31001)
    status, body = await world.call("POST", "/restart/matlab-user-1")
    assert (status, body["error"]) == (500, "Failed to restart container")
    assert "31001" in body["details"]


async def test_restart_needs_the_engine_s_clock(world: ApiWorld) -> None:
    await world.create(1)
    await world.engine_leaves()
    status, body = await world.call("POST", "/restart/matlab-user-1")
    assert (status, body["code"]) == (503, "engine_unavailable")
    assert world.wish(1) == Wish()


async def test_restart_by_an_engine_whose_clock_went_ahead_waits_for_the_new_run(world: ApiWorld) -> None:
    await world.create(1)
    before = world.engine.box("matlab-user-1")
    world.engine.set_clock(timedelta(seconds=0.5))
    assert (await world.call("POST", "/restart/matlab-user-1"))[0] == 200
    after = world.engine.box("matlab-user-1")
    assert before is not None
    assert after is not None
    assert after.started_at != before.started_at


async def test_restart_by_an_engine_whose_clock_was_set_back_is_done_all_the_same_and_once(world: ApiWorld) -> None:
    await world.create(1)
    world.engine.set_clock(timedelta(hours=-1))
    for _ in range(2):
        before = world.engine.box("matlab-user-1")
        calls = len(world.engine.calls)
        assert (await world.call("POST", "/restart/matlab-user-1"))[0] == 200
        assert world.engine.calls[calls:] == [("restart", "matlab-user-1")]
        assert before is not None
        assert before != world.engine.box("matlab-user-1")


async def test_a_restart_in_the_very_moment_of_the_start_is_done_and_once(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moments are kept to the millisecond: a run that began in the same one was taken for the one asked for."""
    await world.create(1)

    async def then() -> datetime | None:
        run = world.informer.view(1).container
        return run.started_at if run else None

    monkeypatch.setattr(world.informer, "engine_now", then)
    assert (await world.call("POST", "/restart/matlab-user-1"))[0] == 200
    assert (await world.call("PATCH", "/v1/users/1", json={"profile": None}))[0] == 200
    assert [call for call, _ in world.engine.calls] == ["create", "start", "restart"]
    assert (await world.call("PATCH", "/v1/users", json={"users": {"1": {"restart_at": "now"}}}))[0] == 200
    await eventually(lambda: [call for call, _ in world.engine.calls][3:] == ["restart"], 5)


async def test_two_restarts_at_once(world: ApiWorld) -> None:
    await world.create(1)
    answers = await asyncio.gather(*(world.call("POST", "/restart/matlab-user-1") for _ in range(2)))
    assert {status for status, _ in answers} == {200}


# ---------------------------------------------------------------- health


async def test_health_of_a_running_session(world: ApiWorld) -> None:
    await world.create(1)
    status, body = await world.call("GET", "/health/matlab-user-1")
    started = datetime.fromisoformat(body.pop("started_at"))
    assert datetime.now(UTC) - started < timedelta(seconds=10)
    assert (status, body) == (
        200,
        {
            "container_id": "matlab-user-1",
            "status": "running",
            "cpu_usage": "1.50%",
            "memory_usage": "32MiB / 4GiB",
            "memory_percent": "0.78%",
            "web_service": "healthy",
            "websocket_service": "healthy",
            "http_port": 30001,
            "ws_port": 31001,
        },
    )


async def test_health_asks_the_services_anew(world: ApiWorld) -> None:
    await world.create(1)
    await world.call("GET", "/health/matlab-user-1")
    world.services.web = False
    _, body = await eventually(lambda: _unhealthy(world))
    assert (body["web_service"], body["websocket_service"]) == ("unhealthy", "healthy")


async def _unhealthy(world: ApiWorld) -> tuple[int, dict[str, object]] | None:
    status, body = await world.call("GET", "/health/matlab-user-1")
    return (status, body) if body["web_service"] != "healthy" else None


async def test_health_of_a_stopped_session_has_three_keys(world: ApiWorld) -> None:
    await world.create(1)
    await world.call("PUT", "/v1/users/1", json={"state": "stopped"})
    status, body = await world.call("GET", "/health/matlab-user-1")
    assert status == 200
    assert set(body) == {"container_id", "status", "started_at"}
    assert body["status"] == "stopped"


async def test_health_of_a_declared_session_that_is_not_there_yet_invites_to_ask_again(hasty: ApiWorld) -> None:
    hasty.engine.latency["create"] = 2
    assert (await hasty.create(1))[0] == 202
    assert await hasty.call("GET", "/health/matlab-user-1") == (
        200,
        {"container_id": "matlab-user-1", "status": "stopped", "started_at": None},
    )


async def test_health_of_an_unknown_user(world: ApiWorld) -> None:
    status, body = await world.call("GET", "/health/matlab-user-1")
    assert (status, body["error"], body["container_id"]) == (404, "Container not found", "matlab-user-1")


async def test_health_never_guesses(world: ApiWorld) -> None:
    await world.create(1)
    await world.call("GET", "/health/matlab-user-1")
    await world.engine_leaves()
    for user_id in (1, 2):
        status, body = await world.call("GET", f"/health/matlab-user-{user_id}")
        assert status == 200
        assert body["status"] == body["web_service"] == body["websocket_service"] == body["cpu_usage"] == "unknown"
    status, body = await world.call("GET", "/health/matlab-user-1")
    assert 0 <= body["age_seconds"] < 10
    assert body["last_known"]["status"] == "running"
    assert body["last_known"]["cpu_usage"] == "1.50%"


async def test_health_does_not_wait_for_an_engine_that_hangs(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.api.LOOK_SECONDS", 0.2)
    monkeypatch.setattr("controller.api.HEALTH_AGE", 0)
    await world.create(1)
    world.engine.latency["find"] = 30
    status, body = await asyncio.wait_for(world.call("GET", "/health/matlab-user-1"), 20)
    assert (status, body["status"]) == (200, "unknown")
    assert "did not answer within" in body["details"]


# ---------------------------------------------------------------- list


async def test_list_is_ordered_and_in_docker_s_words(world: ApiWorld) -> None:
    for user_id in (10, 1, 5):
        await world.create(user_id)
    await world.call("PUT", "/v1/users/10", json={"state": "stopped"})
    status, body = await world.call("GET", "/list")
    assert status == 200
    assert set(body) == {"total", "containers"}
    assert body["total"] == 3
    assert [(row["user_id"], row["status"]) for row in body["containers"]] == [
        (1, "running"),
        (5, "running"),
        (10, "exited"),
    ]
    first = body["containers"][0]
    assert list(first) == ["container_id", "user_id", "status", "created", "http_port", "ws_port"]
    created = datetime.strptime(first["created"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - local time, as promised
    assert abs(datetime.now() - created) < timedelta(seconds=30)  # noqa: DTZ005


async def test_list_says_that_it_is_old(world: ApiWorld) -> None:
    await world.create(1)
    await world.engine_leaves()
    status, body = await world.call("GET", "/list")
    assert (status, body["total"], body["stale"]) == (200, 1, True)
    assert body["age_seconds"] >= 0


async def test_list_of_nothing(world: ApiWorld) -> None:
    assert await world.call("GET", "/list") == (200, {"total": 0, "containers": []})


async def test_the_service_document_names_every_endpoint(world: ApiWorld) -> None:
    named = set((await world.call("GET", "/"))[1]["endpoints"])
    routes = {f"{r.method} {r.resource.canonical}" for r in world.app.router.routes() if r.resource is not None}
    served = {each.translate(str.maketrans("{}", "<>")) for each in routes if not each.startswith("HEAD")}
    assert served == named | {"GET /", "GET /dashboard", "GET /dashboard/<name>"}
