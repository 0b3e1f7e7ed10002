"""Who gets in: by token, address, name and page, and how often. Over a real server, and over the whole API."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from controller import connections
from controller.caller import Caller, Scope, hand_and_place
from controller.calls import Calls
from controller.connections import Runner
from controller.doorkeeper import Door, Doorkeeper, Need, Rates, writer
from controller.endpoints import ENDPOINTS
from controller.http import answer, speaks_json
from controller.tokens import TokenFile
from tests.api_world import ApiWorld, api_world
from tests.support import eventually

OPEN = Door(any_address=True)


class Gate:
    """One doorkeeper before three calls: one that reads, one that changes, one that is for anybody."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    async def call(self, method: str = "GET", path: str = "/thing", **headers: str) -> tuple[int, dict[str, Any]]:
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        async with self._http.request(method, self.url + path, headers=sent) as response:
            return response.status, {**await response.json(), **dict(response.headers)}


@asynccontextmanager
async def a_gate(
    door: Door, tokens: TokenFile | None = None, connections: int = 100, each: int = 100
) -> AsyncIterator[Gate]:
    keeper = Doorkeeper(door, tokens or TokenFile(Path("/nonexistent")))
    needs = {
        ("GET", "/thing"): Need(Scope.READ),
        ("POST", "/thing"): Need(Scope.WRITE),
        ("GET", "/alive"): Need(None, counted=False),
    }
    app = web.Application(middlewares=[speaks_json(Calls()), keeper.middleware(needs)])

    async def tell(request: web.Request) -> web.Response:
        return answer({"writer": writer(request)})

    app.add_routes([web.route(method, path, tell) for method, path in needs])
    runner = Runner(app, 1, connections, each)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Gate(f"http://127.0.0.1:{runner.addresses[0][1]}", session)
    finally:
        await runner.cleanup()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# ---------------------------------------------------------------- tokens


async def test_a_token_lets_in_for_what_it_is_and_its_end_is_at_once(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    other_hand = TokenFile(tmp_path)  # as `matlabctl token` has it
    async with a_gate(replace(OPEN, locked=True), tokens) as gate:
        assert (await gate.call())[0] == 401
        reader, ci = other_hand.add("eye", Scope.READ), other_hand.add("ci", Scope.WRITE)
        assert (await gate.call(**bearer(reader)))[0] == 200
        status, told = await gate.call("POST", **bearer(reader), X_Request_ID="me")
        assert (status, told["code"]) == (403, "forbidden")
        status, told = await gate.call("POST", **bearer(ci), X_Request_ID="me")
        assert (status, told["writer"]) == (200, "api me, token ci")
        other_hand.remove("ci")
        assert (await gate.call("POST", **bearer(ci)))[0] == 401
        assert (await gate.call("POST", Authorization=f"bearer {reader}"))[0] == 403, "the scheme has no case"
        other_hand.remove("eye")
        old = other_hand.add("old", Scope.WRITE, datetime.now(UTC) + timedelta(seconds=0.1))
        await eventually(lambda: _status_is(gate, 401, **bearer(old)))


async def _status_is(gate: Gate, status: int, **headers: str) -> bool:
    return (await gate.call(**headers))[0] == status


async def test_what_is_no_token_is_401_with_a_challenge_and_liveness_is_for_anybody(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    good = tokens.add("ci", Scope.WRITE)
    async with a_gate(replace(OPEN, locked=True), tokens) as gate:
        wrong = ("", "Bearer", "Bearer ", f"Basic {good}", f"Bearer {good}x", f"Bearer {good} x", f"{good}", "Bearer é")
        for header in wrong:
            status, told = await gate.call(Authorization=header)
            assert (status, told["code"]) == (401, "unauthorized"), header
            assert told["WWW-Authenticate"].startswith("Bearer ")
        for path in (f"/thing?token={good}", f"/thing?access_token={good}"):
            assert (await gate.call(path=path))[0] == 401
        status, told = await gate.call(path=f"/thing?token={good}", **bearer(good))
        assert (status, "logs" in told["error"]) == (401, True), "a token in the address has been given away"
        for method, path, expected in (("GET", "/alive", 200), ("POST", "/alive", 405), ("GET", "/no", 404)):
            assert (await gate.call(method, path))[0] == expected


async def test_with_a_list_that_cannot_be_read_nobody_gets_in(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    good = tokens.add("ci", Scope.WRITE)
    async with a_gate(replace(OPEN, locked=True), tokens) as gate:
        assert (await gate.call(**bearer(good)))[0] == 200
        (tmp_path / "api-tokens.json").write_text("{")
        assert (await gate.call(**bearer(good)))[0] == 401
        (tmp_path / "api-tokens.json").unlink()
        assert (await gate.call(**bearer(good)))[0] == 401


async def test_every_endpoint_but_liveness_the_dashboard_and_the_webhook_asks_and_reading_changes_nothing(
    tmp_path: Path,
) -> None:
    tokens = TokenFile(tmp_path)
    reader, writer_ = tokens.add("eye", Scope.READ), tokens.add("hand", Scope.WRITE)
    keeper = Doorkeeper(Door(locked=True), tokens)
    async with api_world(doorkeeper=keeper, refresh_secret="hush") as world:
        await world.call("POST", "/create", json={"user_id": 1}, headers=bearer(writer_))
        for each in ENDPOINTS:
            path = each.path.format(container_id="matlab-user-1", user_id=1, generation=1, node="n1")
            without, reading = await _status(world, each.method, path), await _status(world, each.method, path, reader)
            free = each.name in ("alive", "dashboard", "refresh")
            assert (without == 401) == (not free or each.name == "refresh"), each.name
            changes = each.method != "GET" and each.name not in ("plan_text", "refresh")
            assert (reading == 403) == changes, each.name
        for who, sees in ((reader, False), (writer_, True)):
            _, told = await world.call("GET", "/v1/users/1", headers=bearer(who))
            _, all_told = await world.call("GET", "/v1/users", headers=bearer(who))
            for user in (told, *all_told["users"]):
                assert (user["access_url"] is not None, user["ws_url"] is not None) == (sees, sees)
        assert world.wish(1) is not None


async def _status(world: ApiWorld, method: str, path: str, token: str = "") -> int:
    headers = bearer(token) if token else {}
    async with world.http.request(method, path, headers=headers) as response:
        return response.status


# ---------------------------------------------------------------- names, pages, addresses


@pytest.mark.parametrize(
    ("host", "door", "status"),
    [
        ("localhost:8080", Door(), 200),
        ("LOCALHOST", Door(), 200),
        ("127.0.0.1:1", Door(), 200),
        ("[::1]:8080", Door(), 200),
        ("evil.example", Door(), 403),
        ("localhost.evil.example", Door(), 403),
        ("127.0.0.1.evil.example", Door(), 403),
        ("10.0.0.5", Door(), 403),
        ("localhost@evil.example", Door(), 403),
        ("[", Door(), 403),
        ("10.0.0.5:8080", Door(any_address=True), 200),
        ("evil.example", Door(any_address=True), 403),
        ("Lab.example.org.", Door(names=frozenset({"lab.example.org"})), 200),
    ],
)
async def test_the_api_goes_by_its_own_names_alone(host: str, door: Door, status: int) -> None:
    async with a_gate(door) as gate:
        found, told = await gate.call(Host=host)
        assert (found, told.get("code")) == (status, "foreign_host" if status == 403 else None)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "["])
async def test_another_sites_page_may_not_call(origin: str) -> None:
    async with a_gate(Door()) as gate:
        for method in ("GET", "POST"):
            status, told = await gate.call(method, Origin=origin)
            assert (status, told["code"]) == (403, "foreign_origin")
        assert (await gate.call("POST", Origin=gate.url))[0] == 200


async def test_only_listed_addresses_get_in_and_this_machine() -> None:
    own = _own_address()
    networks = {"10.255.255.255/32": 403, f"{own}/32": 200, "0.0.0.0/0": 200}
    for network, status in networks.items():
        door = replace(OPEN, allow=(ipaddress.ip_network(network),))
        async with a_gate(door) as gate:
            assert (await gate.call())[0] == 200
            gate.url = gate.url.replace("127.0.0.1", own)
            found, told = await gate.call("POST", X_Request_ID="me")
            assert (found, told.get("code")) == (status, "address_refused" if status == 403 else None)
            if found == 200:
                assert told["writer"] == f"api me, from {own}"


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])
    pytest.skip("this machine has no address but loopback")


# ---------------------------------------------------------------- how often


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    now = 0.0
    rates = Rates(2, 3, lambda: now)
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.take("b") == 0
    now = 0.5
    assert (rates.take("a"), rates.take("a")) == (0, 0.5)
    now = 1000
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_clients_who_rest_are_forgotten() -> None:
    now = 0.0
    rates = Rates(1, 2, lambda: now)
    for number in range(5000):
        now += 0.01
        assert rates.take(f"client {number}") == 0
        assert len(rates._left) <= 102, "who called a second ago has a full bucket again"


def test_who_called_last_is_not_forgotten_for_those_before() -> None:
    now = 0.0
    rates = Rates(1, 2, lambda: now)
    rates.take("a")
    rates.take("b")
    now = 0.5
    assert rates.take("a") == 0
    now = 1.0
    assert (rates.take("c"), [*rates._left]) == (0, ["a", "c"])
    assert [rates.take("a") for _ in range(2)] == [0, 1.0]


async def test_a_flood_is_429_with_a_time_and_others_go_on(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    one, other = tokens.add("one", Scope.WRITE), tokens.add("other", Scope.READ)
    async with a_gate(replace(OPEN, locked=True, rate=0.5, burst=3), tokens) as gate:
        assert [(await gate.call(**bearer(one)))[0] for _ in range(4)] == [200, 200, 200, 429]
        status, told = await gate.call(**bearer(one))
        assert (status, told["code"], told["Retry-After"]) == (429, "too_many_requests", "2")
        assert (await gate.call(**bearer(other)))[0] == 200
        assert [(await gate.call(Authorization="Bearer no"))[0] for _ in range(4)] == [401, 401, 401, 429]
        assert [(await gate.call("GET", "/alive"))[0] for _ in range(9)] == [200] * 9


async def test_connections_beyond_the_limit_are_turned_away_and_one_may_come_when_one_goes() -> None:
    async with a_gate(OPEN, connections=2) as gate, contextlib.AsyncExitStack() as held:
        port = int(gate.url.rpartition(":")[2])
        for _ in range(2):
            _, waiting = await asyncio.open_connection("127.0.0.1", port)
            held.callback(waiting.close)
        reader, third = await asyncio.open_connection("127.0.0.1", port)
        said = await asyncio.wait_for(reader.read(), 10)
        third.close()
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"too_many_connections" in said
        await held.aclose()
        await eventually(lambda: _comes_through(gate))


async def test_one_client_may_not_hold_all_connections_and_this_machine_is_no_client() -> None:
    own = _own_address()
    async with a_gate(OPEN, connections=50, each=2) as gate, contextlib.AsyncExitStack() as held:
        port = int(gate.url.rpartition(":")[2])
        for address in (own, own, "127.0.0.1", "127.0.0.1", "127.0.0.1"):
            _, waiting = await asyncio.open_connection(address, port)
            held.callback(waiting.close)
        reader, third = await asyncio.open_connection(own, port)
        said = await asyncio.wait_for(reader.read(), 10)
        third.close()
        assert said.startswith(b"HTTP/1.1 429 ")
        assert b"too_many_connections" in said
        assert (await gate.call())[0] == 200, "others are served meanwhile"
        await held.aclose()
        gate.url = gate.url.replace("127.0.0.1", own)
        await eventually(lambda: _comes_through(gate))


async def _comes_through(gate: Gate) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        return (await gate.call())[0] == 200
    return False


@pytest.mark.parametrize("sent", [b"", b"GET /thing HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
async def test_a_head_that_does_not_come_costs_its_sender_the_connection(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    async with a_gate(OPEN) as gate:
        reader, slow = await asyncio.open_connection("127.0.0.1", int(gate.url.rpartition(":")[2]))
        slow.write(sent)
        said = await asyncio.wait_for(reader.read(), 10)
        slow.close()
        assert said.startswith(b"HTTP/1.1 408 ")


# ---------------------------------------------------------------- what is remembered of a caller


@pytest.mark.parametrize(
    ("caller", "hand", "place"),
    [
        (Caller(), "api r1", "this machine"),
        (Caller("10.0.0.5", "ci"), "api r1, token ci", "10.0.0.5"),
        (Caller("2001:db8::1"), "api r1", "2001:db8::1"),
        (Caller(user="user anna"), "api r1, user anna", "this machine"),
    ],
)
def test_who_and_from_where_can_be_read_again(caller: Caller, hand: str, place: str) -> None:
    assert hand_and_place(caller.writer("r1")) == (hand, place)


def test_other_writers_are_who_they_are() -> None:
    assert hand_and_place("file") == ("file", "this machine")
    assert hand_and_place("commit 1a2b by Ann <a@b.c>") == ("commit 1a2b by Ann <a@b.c>", "git")
    rolled_back, approved = Caller("10.0.0.5", "ci").writer("r1"), Caller("::9").writer("r2")
    assert hand_and_place(f"{rolled_back}, rollback to 3") == ("api r1, token ci, rollback to 3", "10.0.0.5")
    assert hand_and_place(f"file, approved by {approved}") == ("file, approved by api r2", "::9")
    false = "commit 1a2b by Eve, approved by api r1, from 10.0.0.5 <e@v.e>"
    assert hand_and_place(false) == (false, "git"), "a name of one's own choice is no address"
