"""The client: the same calls on both its faces, against the real API in this process, and its steps with no world."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, assert_type

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from controller import shapes
from controller.caller import Scope
from controller.client import Client, NotReady, NotThisController, Patience, Refused, RunState, Unreachable, calls
from controller.client.aio import AsyncClient
from controller.client.calls import PAGE, Calls, Lost, Pause, Request, Response, Steps, Verb
from controller.client.sse import Message, Messages
from controller.doorkeeper import Door, Doorkeeper
from controller.endpoints import ENDPOINTS
from controller.model import Condition, Event, EventKind, EventReason, Phase
from controller.tokens import TokenFile
from tests.api_world import ApiWorld, api_world
from tests.shell import ROOT
from tests.support import eventually
from tests.unit.test_listener import a_certificate, an_api, settings_of
from tests.wish_place import Place

TEXT = "version: 1\nusers:\n  1: {}\n  2: {}\n...\n"
SOON = Patience(again=(0.05, 0.1, 0.2))

Ask = Callable[..., Coroutine[Any, Any, Any]]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ApiWorld]:
    place = Place(tmp_path)
    async with api_world(real_store=await place.running(TEXT)) as world:
        yield world
    await place.close()


@asynccontextmanager
async def asking(face: str, server: str, **options: Any) -> AsyncIterator[Ask]:
    """Ask by a verb's name, on either face; `under` gives the request's id."""
    if face == "blocking":
        client = Client(server, **options)

        async def in_thread(verb: str, *args: Any, under: str = "", **more: Any) -> Any:
            asked = client.under(under) if under else client
            return await asyncio.to_thread(getattr(asked, verb), *args, **more)

        yield in_thread
        return
    async with AsyncClient(server, **options) as awaiting:

        async def in_loop(verb: str, *args: Any, under: str = "", **more: Any) -> Any:
            asked = awaiting.under(under) if under else awaiting
            return await getattr(asked, verb)(*args, **more)

        yield in_loop


@pytest.fixture(params=["blocking", "awaiting"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def ask(world: ApiWorld, face: str) -> AsyncIterator[Ask]:
    async with asking(face, f"http://127.0.0.1:{world.port}", patience=SOON) as ask:
        yield ask


# ---------------------------------------------------------------- what is asked, and what is answered

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "amend_many": ({},),
    "apply": (TEXT,),
    "plan_text": (TEXT,),
    "approve": ("5f1c",),
    "reject": ("5f1c",),
    "declare": (7, {}),
    "amend": (7, {}),
    **dict.fromkeys(("create", "destroy", "restart", "health", "user", "undeclare", "logs"), (7,)),
    **dict.fromkeys(("generation", "rollback"), (7,)),
}
NOT_CALLED = {"refresh", "openapi", "page", "dashboard", "watch", "metrics"}
"""For a forge, for tools, for people and their page, and for Prometheus."""


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.name not in NOT_CALLED], ids=lambda e: e.name)
def test_every_endpoint_has_a_verb_of_its_name(endpoint: Any) -> None:
    request = next(_steps(endpoint.name, *ARGUMENTS.get(endpoint.name, ())))
    assert isinstance(request, Request)
    path = request.target.partition("?")[0].replace("matlab-user-7", "{container_id}")
    assert request.method == endpoint.method
    assert path.replace("/7", "/{user_id}") == endpoint.path.replace("{generation}", "{user_id}")
    assert (request.body is not None) <= (endpoint.body is not None)


def _steps(verb: str, *args: Any, **more: Any) -> Steps[Any]:
    found = getattr(Calls, verb)
    assert isinstance(found, Verb)
    assert found.__doc__
    return found.steps(Client(), *args, **more)


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
        async with asking(face, f"http://127.0.0.1:{world.port}", token=token) as ask:
            assert (await ask("users"))["total"] == 0
            with pytest.raises(Refused) as refused:
                await ask("create", 1)
            assert refused.value.code == "forbidden"
        async with asking(face, f"http://127.0.0.1:{world.port}") as ask:
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
        return web.json_response({"error": "Container not found", "code": "not_found"}, status=404)

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


@asynccontextmanager
async def served(handler: Any) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


# ---------------------------------------------------------------- which calls are sent again: steps with no world

BUSY = Response(429, b'{"error": "slowly", "code": "too_many_requests"}', "3")
NO_ENGINE = Response(503, b'{"error": "away", "code": "engine_unavailable"}')
BROKEN_WISH = Response(503, b'{"error": "wrong", "code": "wish_invalid"}')
FAILED = Response(500, b'{"error": "Port 30007 is taken", "code": "port_taken"}')
PROXY = Response(502, b"<html>")
CUT, UNSENT = Lost("cut", sent=True), Lost("refused", sent=False)
LOOKS_AND_IDEMPOTENT: tuple[tuple[Any, ...], ...] = (
    ("users",),
    ("create", 7),
    ("declare", 7, {}),
    ("plan_text", TEXT),
    ("destroy", 7, "s-1"),
    ("undeclare", 7, "s-1"),
    ("amend", 7, {}, "s-1"),
)
ONCE: tuple[tuple[Any, ...], ...] = (
    ("restart", 7, "s-1"),
    ("destroy", 7),
    ("undeclare", 7),
    ("amend", 7, {}),
    ("amend_many", {}),
    ("apply", TEXT),
    ("rollback", 7),
    ("approve", "5f1c"),
    ("pause",),
    ("call", "POST", "/create"),
)


@pytest.mark.parametrize("call", [*LOOKS_AND_IDEMPOTENT, *ONCE], ids=lambda call: " ".join(map(str, call)))
def test_which_calls_are_sent_again_and_after_what(call: Sequence[Any]) -> None:
    assert [_again(call, reply) for reply in (UNSENT, BUSY, NO_ENGINE)] == [True, True, True], "nothing was done"
    assert [_again(call, reply) for reply in (FAILED, BROKEN_WISH)] == [False, False], "it would be the same again"
    assert {_again(call, reply) for reply in (CUT, PROXY)} == {call in LOOKS_AND_IDEMPOTENT}


@pytest.mark.parametrize("reply", [CUT, PROXY])
def test_a_destroy_that_nobody_told_of_is_done_where_the_next_one_finds_nothing(reply: Response | Lost) -> None:
    nothing = Response(404, b'{"error": "Container not found", "code": "not_found"}')
    assert _played(_steps("undeclare", 7, "s-1"), [reply, nothing], 0) == {"message": "User removed", "user_id": 7}
    for before in ([], [UNSENT], [NO_ENGINE]):
        with pytest.raises(Refused, match="Container not found"):
            _played(_steps("undeclare", 7, "s-1"), [*before, nothing], 0)


def test_no_token_is_shown_with_a_request() -> None:
    steps = Calls.users.steps(Client(token="mcm_secret"))
    assert "mcm_secret" not in repr(next(steps))


def _again(call: Sequence[Any], reply: Response | Lost) -> bool:
    steps = _steps(call[0], *call[1:])
    next(steps)
    try:
        return isinstance(steps.send(reply), Pause)
    except (Refused, Unreachable):
        return False


def test_the_waits_grow_and_what_the_controller_asks_for_is_waited() -> None:
    steps = _steps("users")
    waits = []
    next(steps)
    for reply in (BUSY, CUT, CUT):
        pause = steps.send(reply)
        assert isinstance(pause, Pause)
        waits.append(pause.seconds)
        assert isinstance(steps.send(0.0), Request)
    assert waits == [3, 2, 4]
    with pytest.raises(Unreachable, match="cut"):
        steps.send(CUT)


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


HEALTHY = {
    **{"container_id": "matlab-user-7", "status": "running", "started_at": None, "http_port": 1, "ws_port": 2},
    **{"cpu_usage": "", "memory_usage": "", "memory_percent": "", "web_service": "healthy"},
    "websocket_service": "healthy",
}


def test_a_controller_that_is_away_is_waited_for_until_the_time_is_over() -> None:
    replies: list[Any] = [UNSENT, CUT, NO_ENGINE, BUSY, _ok(HEALTHY | {"websocket_service": "unhealthy"}), _ok(HEALTHY)]
    assert _played(_steps("wait_ready", 7), replies, seconds=1)["status"] == "running"
    with pytest.raises(Unreachable, match="refused"):
        _played(_steps("wait_ready", 7, timeout=10), [UNSENT] * 20, seconds=1)
    with pytest.raises(NotReady, match="after 10 s: away"):
        _played(_steps("wait_ready", 7, timeout=10), [NO_ENGINE] * 20, seconds=1)
    with pytest.raises(Refused, match="taken"):
        _played(_steps("wait_ready", 7), [FAILED], seconds=1)


def _ok(body: object) -> Response:
    return Response(200, json.dumps(body).encode())


def _played(steps: Steps[Any], replies: list[Any], seconds: float) -> Any:
    """What steps come to where each request takes so many seconds."""
    now, told = 0.0, None
    left = iter(replies)
    while True:
        try:
            step = steps.send(told)
        except StopIteration as end:
            return end.value
        now += step.seconds if isinstance(step, Pause) else seconds
        told = now if isinstance(step, Pause) else next(left)


# ---------------------------------------------------------------- following

STREAM = (
    b": hello\n\nevent: happened\nid: 7\ndata: {\ndata: }\n\nevent: gap\r\ndata:{}\r\n\r\ndata: plain\nretry: 5\n\n\n"
)


@given(st.lists(st.integers(0, len(STREAM))))
def test_a_stream_says_the_same_however_it_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    messages = Messages()
    pieces = [STREAM[begin:end] for begin, end in pairwise(places)]
    found = [message for piece in pieces for message in messages.feed(piece)]
    assert found == [Message("happened", "{\n}"), Message("gap", "{}"), Message("message", "plain")]


@contextmanager
def following(face: str, server: str, after: int | None, into: list[int], user_id: int | None = None) -> Iterator[None]:
    """The events' ids as they come, until the block ends."""
    if face == "awaiting":

        async def listen() -> None:
            async with AsyncClient(server, patience=SOON) as client:
                async for event in client.follow_events(user_id, after):
                    into.append(event["id"])  # noqa: PERF401 - they are wanted as they come

        task = asyncio.create_task(listen())
        try:
            yield
        finally:
            task.cancel()
        return
    over = False

    def listen_in_thread() -> None:
        for event in Client(server, patience=SOON).follow_events(user_id, after):
            into.append(event["id"])
            if over:
                return

    task = asyncio.create_task(asyncio.to_thread(listen_in_thread))
    try:
        yield
    finally:
        over = True
        task.cancel()


def happened(number: int) -> bytes:
    nothing = dict.fromkeys(("user_id", "generation", "container", "before", "request_id"))
    body = {"id": number, "at": "2026-11-22T10:00:00Z", "kind": "wish", "reason": "Changed", "message": "…", **nothing}
    return f"id: {number}\nevent: happened\ndata: {json.dumps({**body, 'writer': 'file'})}\n\n".encode()


async def test_each_event_is_told_once_though_streams_break_and_leave_gaps(face: str) -> None:
    """Streams that end, that are cut in the middle of an event, and one that had too much to say."""
    known, streams = list(range(1, 4)), []
    found: list[int] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers["Accept"] != "text/event-stream":
            after, limit = int(request.query.get("after", 0)), int(request.query["limit"])
            page = [json.loads(happened(n).split(b"data: ")[1]) for n in known if n > after]
            return web.json_response({"events": page[:limit] if after else page[-limit:]})
        streams.append(int(request.headers["Last-Event-ID"]))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        match len(streams):
            case 1:
                known.extend((4, 5))
                await response.write(happened(4) + happened(5)[:20])
                assert request.transport is not None
                request.transport.abort()
            case 2:
                known.append(6)
                await response.write(b": still here\n\n" + happened(6))
            case 3:
                known.extend(range(7, 10))
                await response.write(b"event: gap\ndata: {}\n\n" + happened(9))
                await asyncio.sleep(5)
            case _:
                known.append(10)
                await response.write(happened(10))
                await asyncio.sleep(5)
        return response

    async with served(handler) as server:
        with following(face, server, None, found):
            await eventually(lambda: 10 in found)
    assert found == [4, 5, 6, 7, 8, 9, 10], "those before it began are none of its business"
    assert streams == [3, 5, 6, 9]


async def test_following_goes_back_as_far_as_it_is_asked_to(world: ApiWorld, face: str) -> None:
    await world.create(7)
    found: list[int] = []
    with following(face, f"http://127.0.0.1:{world.port}", 0, found):
        await eventually(lambda: len(found) >= 3)
        before = len(found)
        await world.create(8)
        await eventually(lambda: len(found) > before)
        await world.create(9)  # so that who blocks has one more to take, and sees that it is over
    _, told = await world.call("GET", f"/v1/events?after=0&limit={PAGE}")
    assert found == [each["id"] for each in told["events"]][: len(found)]


async def test_following_from_the_first_on_leaves_none_out(
    world: ApiWorld, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PAGE", 4)
    for number in range(10):
        world.store.record(Event(EventKind.SESSION, EventReason.READY, f"the {number}.", 7))
    kept = [each.id for each in await world.store.events(None, -1, 1000)]
    found: list[int] = []
    with following(face, f"http://127.0.0.1:{world.port}", 0, found):
        await eventually(lambda: len(found) >= len(kept))
        await world.create(9)  # so that who blocks has one more to take, and sees that it is over
    assert found[: len(kept)] == kept
    assert len(kept) >= 10
    for path, key in (("/v1/events", "events"), ("/v1/audit", "records")):
        _, first = await world.call("GET", f"{path}?after=0&limit=1")
        _, last = await world.call("GET", f"{path}?limit=1")
        assert first[key][0]["id"] < last[key][0]["id"], path


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


# ---------------------------------------------------------------- what it brings along


def test_a_program_that_only_calls_loads_nothing_of_the_controllers() -> None:
    code = "import sys, controller.client; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "pydantic" in loaded
    unwanted = {"docker", "watchdog", "psutil", "click", "rich", "prometheus_client", "aiohttp", "asyncio", "sqlite3"}
    assert not loaded & unwanted
