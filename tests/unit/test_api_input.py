"""Whatever is sent, the answer is documented JSON, and what is refused has no effect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from controller.errors import Problem, WishInvalid
from controller.model import DesiredState
from tests.api_world import SITE, ApiWorld, api_world
from tests.attacks import ATTACKS, MATRICES, Caller

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def world() -> AsyncIterator[ApiWorld]:
    async with api_world() as world:
        yield world
        assert world.engine.calls == []
        assert world.store.current.users == {}


@pytest.mark.parametrize("what", MATRICES)
async def test_every_bad_input_wherever_it_can_be_sent(world: ApiWorld, what: str) -> None:
    to = Caller(world.port, SITE.container_prefix)
    assert await to.alike(MATRICES[what](to)) == ATTACKS[what]


async def test_no_user_id(world: ApiWorld) -> None:
    status, answer = await world.call("POST", "/create", json={})
    assert (status, answer["error"]) == (400, "Invalid user_id. Must be between 1 and 100")


@pytest.mark.parametrize(
    ("body", "told"), [(b"", "there is none"), (b"[1]", "this one is an array"), (b'"a"', "this one is a string")]
)
async def test_what_is_no_object_is_called_what_it_is(world: ApiWorld, body: bytes, told: str) -> None:
    status, answer = await world.call("POST", "/create", data=body, headers=JSON)
    assert (status, answer["error"]) == (400, f"The body must be one JSON object: {told}.")


async def test_a_query_and_a_body_that_differ(world: ApiWorld) -> None:
    status, answer = await world.call("POST", "/destroy/matlab-user-1?session_id=a", json={"session_id": "b"})
    assert (status, answer["code"]) == (400, "invalid_session_id")


async def test_utf_8_may_be_said(world: ApiWorld) -> None:
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    assert (await world.call("POST", "/create", data=b"{}", headers=headers))[1]["code"] == "invalid_user_id"


async def test_a_body_over_16_kb(world: ApiWorld) -> None:
    def padded(size: int) -> bytes:
        body = json.dumps({"user_id": 0, "pad": ""})
        return body.replace('""', '"' + "x" * (size - len(body)) + '"').encode()

    status, answer = await world.call("POST", "/create", data=padded(10**6), headers=JSON)
    assert (status, answer["code"]) == (413, "body_too_large")
    status, answer = await world.call("POST", "/create", data=padded(16 * 1024), headers=JSON)
    assert (status, answer["code"]) == (400, "invalid_user_id")


async def test_a_body_that_stalls(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.http.BODY_SECONDS", 0.2)
    head = b"POST /create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n"
    assert await asyncio.wait_for(_refused(world, head + b'{"user'), 20) == (408, "request_timeout")


@pytest.mark.parametrize("chunks", [b"zz\r\n", b"5\r\nabc", b"fffffffffffffffffffff\r\n"])
async def test_broken_chunks(world: ApiWorld, chunks: bytes) -> None:
    head = b"POST /create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(head + chunks)
    writer.write_eof()
    raw = await asyncio.wait_for(reader.read(), 15)
    writer.close()
    if raw:  # a caller that hangs up halfway may get nothing
        assert _parsed(raw)[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/create", {"POST"}),
        ("POST", "/list", {"GET", "HEAD"}),
        ("DELETE", "/health/matlab-user-1", {"GET", "HEAD"}),
        ("GET", "/destroy/matlab-user-1", {"POST"}),
        ("OPTIONS", "/create", {"POST"}),
        ("POST", "/v1/users/1", {"GET", "HEAD", "PUT", "DELETE", "PATCH"}),
        ("PATCH", "/", {"GET", "HEAD"}),
    ],
)
async def test_wrong_method(world: ApiWorld, method: str, path: str, allowed: set[str]) -> None:
    async with world.http.request(method, path) as response:
        assert response.status == 405
        assert {each.strip() for each in response.headers["Allow"].split(",")} == allowed
        body = await response.json()
        assert body["code"] == "method_not_allowed"
        assert all(each in body["details"] for each in allowed)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nConnection: close\r\n\r\n", 417),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nConnection: close\r\n\r\n", 417),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)
async def test_an_expectation_that_is_not_known(world: ApiWorld, raw: bytes, status: int) -> None:
    assert (await _refused(world, raw))[0] == status


async def test_a_failure_inside_shows_nothing_of_itself(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(world.informer, "refresh", broken)
    status, answer = await world.call("GET", "/health/matlab-user-1")
    assert (status, answer["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(answer)
    (record,) = [each for each in world.log if each.exc_info]
    assert "secret" in str(record.exc_info)
    assert record.__dict__["pairs"]["request_id"] == answer["request_id"]


async def test_a_file_that_is_broken_is_shown_with_its_places(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> DesiredState:
        raise WishInvalid((Problem(3, 7, "duplicate key"),))

    monkeypatch.setattr(world.store, "change", broken)
    status, answer = await world.create(1)
    assert (status, answer["code"]) == (503, "wish_invalid")
    assert answer["problems"] == [{"line": 3, "column": 7, "message": "duplicate key"}]


async def test_the_request_id_is_the_caller_s_own_if_it_is_fit_for_a_log(world: ApiWorld) -> None:
    async with world.http.get("/list", headers={"X-Request-ID": "call-42"}) as response:
        assert response.headers["X-Request-ID"] == "call-42"
    for unfit in ("a b", "x" * 200, 'a"b', "<x>"):
        async with world.http.get("/list", headers={"X-Request-ID": unfit}) as response:
            assert response.headers["X-Request-ID"] != unfit
            assert len(response.headers["X-Request-ID"]) == 32


async def test_the_log_has_one_line_for_each_call(world: ApiWorld) -> None:
    await world.call("POST", "/create", json={"user_id": 0})
    await world.call("GET", "/list")
    assert [(each.levelname, each.__dict__["pairs"]["status"]) for each in world.log] == [("INFO", 400), ("DEBUG", 200)]


async def _refused(world: ApiWorld, raw: bytes) -> tuple[int, str]:
    status, body = _parsed(await world.send(raw))
    assert isinstance(body["error"], str)
    assert body["request_id"]
    return status, body["code"]


def _parsed(raw: bytes) -> tuple[int, dict[str, str]]:
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"application/json" in head
    return int(head.split()[1]), json.loads(body)


class TestAccepted:
    """What is unusual and yet has to work."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[ApiWorld]:
        async with api_world() as world:
            yield world

    async def test_unknown_fields_of_a_create_are_named(self, world: ApiWorld) -> None:
        status, answer = await world.create(1, privileged=True, image="evil", __proto__={})
        assert status == 201
        assert [warning.split(": ")[1] for warning in answer["warnings"]] == ["__proto__", "image", "privileged"]

    async def test_destroy_and_restart_need_no_body(self, world: ApiWorld) -> None:
        await world.create(1)
        for call in ("restart", "destroy"):
            for line in ("", "Content-Length: 0\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"):
                if call == "destroy":
                    await world.create(1)
                head = f"POST /{call}/matlab-user-1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{line}\r\n"
                assert _parsed(await world.send(head.encode()))[0] == 200

    async def test_every_kind_of_session_id(self, world: ApiWorld) -> None:
        session_id = "aZ09-_.:@" * 14
        assert (await world.create(1, session_id=session_id))[0] == 201
        wish = world.wish(1)
        assert wish is not None
        assert wish == replace(wish, session_id=session_id)
        pairs = [each.__dict__["pairs"] for each in world.log]
        assert pairs[0]["session_id"] == session_id
