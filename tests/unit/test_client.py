"""The client: the same calls on both its faces, against the real API in this process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import assert_type

import pytest
from aiohttp import web

from controller import shapes
from controller.caller import Scope
from controller.client import Client, NotReady, NotThisController, Patience, Refused, RunState, Unreachable
from controller.client.aio import AsyncClient
from controller.doorkeeper import Door, Doorkeeper
from controller.events import EventKind, EventReason
from controller.model import Condition, Phase
from controller.tokens import TokenFile
from tests.api_world import ApiWorld, api_world
from tests.faces import SOON, Ask, asking
from tests.serving import served
from tests.shell import ROOT
from tests.support import eventually
from tests.unit.test_listener import a_certificate, an_api, settings_of
from tests.wish_place import Place

TEXT = "version: 1\nusers:\n  1: {}\n  2: {}\n...\n"


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    async with api_world(real_store=await place.running(TEXT)) as world:
        yield world


@pytest.fixture
async def ask(world: ApiWorld, face: str) -> AsyncIterator[Ask]:
    async with asking(face, world.url, patience=SOON) as ask:
        yield ask


# ---------------------------------------------------------------- what is asked, and what is answered


async def test_a_session_from_create_to_destroy(world: ApiWorld, ask: Ask) -> None:
    assert (await ask("create", 7, session_id="s-1"))["status"] == "running"
    assert (await ask("create", 7))["status"] == "already_running"
    health = await ask("wait_ready", 7)
    assert isinstance(health["started_at"], datetime)
    assert (health["status"], health["web_service"]) == ("running", "healthy")
    user = await ask("user", 7)
    assert user["observed"]["status"] is Phase.RUNNING
    assert isinstance(user["conditions"][0], Condition)
    assert user["desired"]["session_id"] == "s-1"
    assert [each["user_id"] for each in (await ask("list_containers"))["containers"]] == [1, 2, 7]
    assert (await ask("restart", 7, session_id="s-1"))["message"] == "Container restarted successfully"
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    declared = await ask("declare", 7, {"state": RunState.STOPPED, "restart_at": moment, "session_id": "s-1"})
    assert declared["desired"]["restart_at"] == moment
    assert (await ask("amend", 7, {"state": None}, session_id="s-1"))["desired"]["state"] is RunState.RUNNING
    assert (await ask("destroy", 7, session_id="s-1"))["container_id"] == "matlab-user-7"
    assert world.wish(7) is None


async def test_the_desired_state_as_a_whole(world: ApiWorld, ask: Ask) -> None:
    generation = (await ask("text"))["generation"]
    assert "1: {}" in (await ask("text"))["text"]
    planned = await ask("plan_text", TEXT.replace("2: {}", "3: {}"))
    assert {each["user_id"] for each in planned["changes"]} == {2, 3}
    assert {each.line for each in (await ask("plan_text", "version: 2"))["problems"]} == {1}
    applied = await ask("apply", "version: 1\nusers:\n  1: {}\n  2: {}\n  3: {}\n...\n")
    assert applied["generation"] == generation + 1
    assert (await ask("amend_many", {2: {"state": RunState.STOPPED}, 3: None}))["generation"] == generation + 2
    assert (await ask("pause", [1]))["paused_users"] == [1]
    assert (await ask("resume"))["paused"] is False
    assert (await ask("history", limit=2))["generations"][0]["in_force"]
    assert (await ask("generation", generation))["text"]
    assert (await ask("rollback", generation))["generation"] > generation
    assert (await ask("plan"))["actions"] is not None
    assert (await ask("undeclare", 2))["user_id"] == 2
    assert (await ask("audit", limit=1))["records"][0]["what"]
    assert isinstance((await ask("events", user_id=2))["events"][0]["at"], datetime)
    kinds = {each["kind"] for each in (await ask("events", kinds=["wish", "brake"]))["events"]}
    assert kinds == {"wish"}
    assert (await ask("overview"))["engine"]["reachable"]
    assert [each["user_id"] for each in (await ask("users"))["users"]] == [1]
    assert (await ask("service"))["service"] == "MATLAB Container Manager"
    assert ((await ask("alive"))["status"], (await ask("ready"))["status"]) == ("alive", "ready")
    assert (await ask("call", "GET", "/healthz")).body == {"status": "alive"}


async def test_what_the_brake_holds_is_approved_or_rejected(world: ApiWorld, ask: Ask) -> None:
    crowd = "version: 1\nusers:\n" + "".join(f"  {n}: {{}}\n" for n in range(1, 9)) + "...\n"
    await ask("apply", crowd)
    await eventually(lambda: world.informer.view(8).container)
    for verb in ("reject", "approve"):
        with pytest.raises(Refused) as refused:
            await ask("apply", "version: 1\nusers:\n  1: {}\n...\n")
        assert (refused.value.status, refused.value.code) == (409, "needs_approval")
        pending = (await ask("overview"))["pending"]
        assert pending.removes == tuple(range(2, 9))
        await ask(verb, pending.id)
    assert (await ask("users"))["users"][0]["user_id"] == 1


async def test_a_logs_lines(world: ApiWorld, ask: Ask) -> None:
    await ask("create", 1)
    world.engine.says("matlab-user-1", "one")
    world.engine.says("matlab-user-1", "two")
    assert (await ask("logs", 1, tail=1))["lines"] == ["two"]


def checked_by_mypy(client: Client) -> None:
    """Never run: what `make check` says of who uses the client."""
    assert_type(client.create(7), shapes.Created)
    assert_type(client.user(7)["conditions"], list[Condition])
    health = client.health(7)
    if health["status"] == "running":
        assert_type(health, shapes.HealthRunning)
    client.declare(7, {"state": "asleep"})  # type: ignore[typeddict-item]
    client.create("7")  # type: ignore[arg-type]


async def checked_by_mypy_as_well(client: AsyncClient) -> None:
    assert_type(await client.wait_ready(7, timeout=5), shapes.HealthRunning)
    assert_type([each["id"] async for each in client.follow_events()], list[int])
    client.create(7)["message"]  # type: ignore[index]  # it is awaited


# ---------------------------------------------------------------- who asks, and how a refusal reads


async def test_a_refusal_says_why_for_people_and_for_programs(ask: Ask) -> None:
    with pytest.raises(Refused, match=r"Invalid user_id\. Must be between 1 and 100") as refused:
        await ask("create", 101, under="call-1")
    assert (refused.value.status, refused.value.code) == (400, "invalid_user_id")
    assert refused.value.request_id == "call-1"
    await ask("create", 7, session_id="new")
    with pytest.raises(Refused) as refused:
        await ask("destroy", 7, session_id="old")
    assert refused.value.code == "session_conflict"
    assert refused.value.details == refused.value.hint == "Leave session_id out to act on whatever session is current."
    assert len(refused.value.request_id) == 32, "a new one for each call"


async def test_a_token_is_sent(tmp_path: Path, face: str) -> None:
    tokens = TokenFile(tmp_path)
    token = tokens.add("ci", Scope.READ)
    async with api_world(doorkeeper=Doorkeeper(Door(True), tokens)) as world:
        async with asking(face, world.url, token=token) as ask:
            assert (await ask("users"))["total"] == 0
            with pytest.raises(Refused) as refused:
                await ask("create", 1)
            assert refused.value.code == "forbidden"
        async with asking(face, world.url) as ask:
            with pytest.raises(Refused) as refused:
                await ask("users")
            assert refused.value.code == "unauthorized"


async def test_one_certificate_is_trusted_and_no_other(tmp_path: Path, face: str) -> None:
    certificate, key = a_certificate(tmp_path, "lab.example.org")
    other, _ = a_certificate(tmp_path, "other.example.org")
    settings = settings_of(tmp_path, api_tls_cert=str(certificate), api_tls_key=str(key), api_tokens="off")
    async with an_api(settings):
        async with asking(face, settings.api_url, certificate=certificate) as ask:
            assert (await ask("plan"))["actions"]
        for trusted in (other, tmp_path / "none.crt", None):
            async with asking(face, settings.api_url, certificate=trusted, patience=SOON) as ask:
                with pytest.raises(Unreachable, match="certificate"):
                    await ask("plan")


async def test_a_unix_socket_is_called(tmp_path: Path, face: str) -> None:
    path = tmp_path / "api.sock"
    async with an_api(settings_of(tmp_path, api_socket=str(path))), asking(face, f"unix://{path}") as ask:
        assert (await ask("plan"))["actions"]
    async with asking(face, f"unix://{path}", patience=SOON) as ask:
        with pytest.raises(
            Unreachable, match=r"No controller can be reached at unix:///.*: No such file or directory\."
        ):
            await ask("plan")


@pytest.mark.parametrize(
    "server",
    [
        "",
        "x",
        "ftp://x",
        "http://",
        "http://x/v1",
        "http://x:y",
        "http://x:99999",
        "http://[::1",
        "unix://x",
        "unix:///",
    ],
)
def test_an_address_that_can_be_none_is_a_wrong_value(server: str) -> None:
    with pytest.raises(ValueError, match=r"address|[Pp]ort|URL"):
        Client(server)


# ---------------------------------------------------------------- answers that are none


async def test_what_answers_and_is_not_this_controller_is_told_apart(face: str) -> None:
    bodies = iter(("<html>", "[]", '{"total": "many", "users": []}', "gone"))

    async def handler(request: web.BaseRequest) -> web.Response:
        body = next(bodies)
        return web.Response(status=404 if body == "gone" else 200, text=body)

    async with served(handler) as server, asking(face, server) as ask:
        for why in (
            "is not JSON there",
            "is another's answer",
            "otherwise there, or in another version: total",
            "JSON",
        ):
            with pytest.raises(NotThisController, match=why):
                await ask("users")


async def test_what_a_newer_controller_says_besides_is_left_out(face: str) -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        return web.json_response({"status": "alive", "mood": "good"})

    async with served(handler) as server, asking(face, server) as ask:
        assert await ask("alive") == {"status": "alive"}
        assert (await ask("call", "GET", "/healthz")).body == {"status": "alive", "mood": "good"}


async def test_events_of_a_kind_that_only_a_newer_controller_knows_are_told(face: str) -> None:
    nothing = dict.fromkeys(("user_id", "generation", "container", "before", "request_id"))
    told = {"id": 1, "at": "2026-11-22T10:00:00Z", "message": "…", "writer": "", **nothing}
    news = [{**told, "kind": "weather", "reason": "Rain"}, {**told, "kind": "wish", "reason": "Changed"}]

    async def handler(_: web.BaseRequest) -> web.Response:
        return web.json_response({"events": news})

    async with served(handler) as server, asking(face, server) as ask:
        newer, known = (await ask("events"))["events"]
    assert (newer["kind"], newer["reason"]) == ("weather", "Rain")
    assert (known["kind"], known["reason"]) == (EventKind.WISH, EventReason.CHANGED)
    assert isinstance(known["kind"], EventKind)


async def test_what_stands_before_a_controller_that_is_away_is_not_taken_for_another(face: str) -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        return web.Response(status=502, text="<html>Bad gateway</html>")

    async with served(handler) as server, asking(face, server, patience=SOON) as ask:
        with pytest.raises(Unreachable) as caught:
            await ask("users")
    assert not isinstance(caught.value, NotThisController)


async def test_where_nothing_listens_even_a_restart_is_tried_again_and_then_given_up(face: str) -> None:
    async with served(None) as server:
        pass
    began = asyncio.get_running_loop().time()
    async with asking(face, server, patience=SOON) as ask:
        with pytest.raises(Unreachable, match=rf"^No controller can be reached at {server}: Connection refused\.$"):
            await ask("restart", 7)
    assert asyncio.get_running_loop().time() - began >= sum(SOON.again)


@pytest.mark.parametrize(("session_id", "times"), [(None, 1), ("s-1", 3)])
async def test_a_destroy_whose_answer_was_lost_is_repeated_only_where_it_can_end_no_other_session(
    face: str, session_id: str | None, times: int
) -> None:
    """And where it then finds nothing, it was the lost one that did it."""
    seen: list[str | None] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        await request.read()
        seen.append(request.headers.get("X-Request-ID"))
        if len(seen) < 3:
            assert request.transport is not None
            request.transport.abort()
        nothing = {"error": "Container not found", "code": "not_found", "request_id": seen[-1]}
        return web.json_response(nothing, status=404)

    async with served(handler) as server, asking(face, server, patience=SOON) as ask:
        if session_id is None:
            with pytest.raises(Unreachable):
                await ask("destroy", 7)
        else:
            done = await ask("destroy", 7, session_id=session_id)
            assert done == {"message": "Container destroyed successfully", "container_id": "matlab-user-7"}
    assert len(seen) == times
    assert len(set(seen)) == 1, "it is one call, under one id"


async def test_an_answer_that_does_not_come_in_time_is_lost(face: str) -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        await asyncio.sleep(5)
        return web.json_response({})

    patience = Patience(look=0.2, again=())
    async with served(handler) as server, asking(face, server, patience=patience) as ask:
        with pytest.raises(Unreachable):
            await ask("alive")


# ---------------------------------------------------------------- waiting


async def test_what_is_waited_for_in_vain_is_told_with_the_reason(world: ApiWorld, ask: Ask) -> None:
    world.services.websocket = False
    await ask("create", 7)
    with pytest.raises(NotReady, match=r"^User 7's session is not ready after 0\.3 s: .*does not answer yet") as error:
        await ask("wait_ready", 7, timeout=0.3, look=0.1)
    assert error.value.why == (await ask("user", 7))["why"]
    with pytest.raises(Refused, match="Container not found"):
        await ask("wait_ready", 9)


async def test_it_waits_for_services_that_come_up_later(world: ApiWorld, ask: Ask) -> None:
    world.services.web = False
    await ask("create", 7)
    waiting = asyncio.create_task(ask("wait_ready", 7, look=0.05))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    world.services.web = True
    assert (await waiting)["web_service"] == "healthy"


# ---------------------------------------------------------------- what it brings along


def test_a_program_that_only_calls_loads_nothing_of_the_controllers() -> None:
    code = "import sys, controller.client; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "pydantic" in loaded
    unwanted = {"docker", "watchdog", "psutil", "click", "rich", "prometheus_client", "aiohttp", "asyncio", "sqlite3"}
    assert not loaded & unwanted
