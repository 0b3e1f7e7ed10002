"""What goes on telling: everything as it changes, and what happens; each reader with all of it, once and in order."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from controller import informer, live, picture, sse, status, wishes
from controller.access import Access
from controller.caller import Scope
from controller.doorkeeper import Door, Doorkeeper
from controller.events import REASONS, Event, EventKind, EventReason
from controller.http import ROWS_AT_ONCE
from controller.model import DesiredState, DiskUse, EngineView, Probe, Progress, Usage, UserView, Wish
from controller.picture import Picture
from controller.store.history import History
from controller.tokens import TokenFile
from controller.watch import SAMPLES_KEPT, Watch
from tests.api_world import SITE, ApiWorld, api_world
from tests.rig import ROOT
from tests.streams import STREAM, Listener, Message, listening
from tests.support import eventually
from tests.wish_place import Place
from tests.worlds import a_container

EMPTY = "version: 1\nusers: {}\n...\n"


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    async with api_world(real_store=await place.running(EMPTY)) as world:
        yield world


def ids(message: Any) -> list[int]:
    return [each["user_id"] for each in message.data["users"]]


async def until_ready(world: ApiWorld, *user_ids: int) -> None:
    await eventually(lambda: all(world.informer.view(user_id).ready_since for user_id in user_ids))


async def begun(listener: Listener) -> None:
    """All that comes first is there, and nothing more is under way."""
    await listener.next("usage")
    await listener.all(seconds=0.4)


# ---------------------------------------------------------------- everything, as it changes


async def test_first_comes_how_everything_is(world: ApiWorld) -> None:
    await world.create(7)
    await world.create(8)
    _, overview = await world.call("GET", "/v1/status")
    async with listening(world.http) as listener:
        status, users, usage = [await listener.next() for _ in range(3)]
    assert [each.event for each in (status, users, usage)] == ["status", "users", "usage"]
    assert status.data.keys() == overview.keys()
    assert (users.data["all"], ids(users), users.data["gone"]) == (True, [7, 8], [])
    assert [each.id for each in (status, users, usage)] == [None] * 3


async def test_then_come_those_who_changed_and_who_are_gone(world: ApiWorld) -> None:
    await world.create(7)
    await world.create(8)
    await until_ready(world, 7, 8)
    async with listening(world.http) as listener:
        await begun(listener)
        await world.call("PUT", "/v1/users/8", json={"state": "stopped"})
        told = [await listener.next("users"), *await listener.all("users")]
        assert {user_id for each in told for user_id in ids(each)} == {8}
        assert not any(each.data["all"] for each in told)
        assert told[-1].data["users"][0]["observed"]["status"] == "exited"
        await world.call("POST", "/destroy/matlab-user-8", json={})
        told = [await listener.next("users"), *await listener.all("users")]
        assert [each.data["gone"] for each in told][-1] == [8]


async def test_what_a_message_says_of_a_user_is_what_a_call_says(world: ApiWorld) -> None:
    await world.create(7)
    await until_ready(world, 7)
    async with listening(world.http) as listener:
        [told] = (await listener.next("users")).data["users"]
    _, said = await world.call("GET", "/v1/users")
    told["observed"]["observed_at"] = said["users"][0]["observed"]["observed_at"]
    assert [told] == said["users"]


async def test_a_look_that_finds_nothing_new_is_not_told(world: ApiWorld) -> None:
    await world.create(7)
    await until_ready(world, 7)
    async with listening(world.http) as listener:
        await begun(listener)
        for _ in range(3):
            checked_at = world.informer.view(7).probe
            await world.informer.refresh(7, 0)
            assert world.informer.view(7).probe != checked_at
        assert await listener.all("users", seconds=1.5) == []


async def test_a_change_of_one_entry_does_not_tell_of_all(world: ApiWorld) -> None:
    for user_id in (7, 8, 9):
        await world.create(user_id)
    await until_ready(world, 7, 8, 9)
    async with listening(world.http) as listener:
        await begun(listener)
        await world.call("PATCH", "/v1/users/8", json={"session_id": "s-2"})
        told = [await listener.next("users"), *await listener.all("users")]
        assert {user_id for each in told for user_id in ids(each)} == {8}
        await world.call("POST", "/v1/pause", json={})
        told = [await listener.next("users"), *await listener.all("users")]
        assert {user_id for each in told for user_id in ids(each)} == {7, 8, 9}


async def test_the_whole_is_told_again_when_it_changed(world: ApiWorld) -> None:
    async with listening(world.http) as listener:
        await begun(listener)
        await world.create(7)
        assert (await listener.next("status")).data["generation"] == 2
        await listener.all()
        await world.engine_leaves()
        assert not (await listener.next("status")).data["engine"]["reachable"]
        await listener.all("status")
        assert await listener.all("status", seconds=1.5) == []  # its age alone is no change


async def test_a_broken_wish_is_told_at_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with api_world(real_store=await place.running(EMPTY)) as world, listening(world.http) as listener:
        await begun(listener)
        place.edit("users: {}", "users: {")
        told = await listener.next("status")
        assert (told.data["desired_state"]["valid"], told.data["desired_state"]["problems"][0]["line"]) == (False, 4)
    await place.close()


async def test_what_sessions_use_is_told_as_it_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(informer, "USAGE_EVERY", 0.05)
    place = Place(tmp_path)
    async with api_world(real_store=await place.running(EMPTY)) as world:
        await world.create(7)
        await eventually(lambda: world.informer.view(7).usage)
        async with listening(world.http) as listener:
            first = (await listener.next("usage")).data["samples"]
            more = (await listener.next("usage")).data["samples"]
    await place.close()
    usage = world.informer.view(7).usage
    assert usage is not None
    assert first[-1]["users"] == more[-1]["users"] == {"7": [round(usage.cpu_percent, 2), usage.memory]}
    moments = [each["at"] for each in first + more]
    assert moments == sorted(set(moments))


async def test_of_a_reader_who_may_only_look_nothing_opens_a_session(tmp_path: Path) -> None:
    place = Place(tmp_path)
    tokens = TokenFile(tmp_path / "tokens")
    keeper = Doorkeeper(Door(locked=True), tokens)
    look, change = (
        {"Authorization": f"Bearer {tokens.add(scope.value, scope)}"} for scope in (Scope.READ, Scope.WRITE)
    )
    site = replace(SITE, access=Access("lab", locked=True, secret=b"s" * 32))
    async with api_world(real_store=await place.running(EMPTY), site=site, doorkeeper=keeper) as world:
        await world.call("PUT", "/v1/users/7", json={}, headers=change)
        for headers, opens in ((look, False), (change, True)):
            async with listening(world.http, headers=headers) as listener:
                [told] = (await listener.next("users")).data["users"]
                assert (told["access_url"] is not None, told["ws_url"] is not None) == (opens, opens)
        status, _ = await world.call("GET", "/v1/watch")
        assert status == 401
    await place.close()


async def test_a_token_that_is_revoked_ends_its_streams(tmp_path: Path) -> None:
    place = Place(tmp_path)
    tokens = TokenFile(tmp_path / "tokens")
    given = tokens.add("page", Scope.READ)
    keeper = Doorkeeper(Door(locked=True), tokens)
    async with (
        api_world(real_store=await place.running(EMPTY), doorkeeper=keeper) as world,
        listening(world.http, headers={"Authorization": f"Bearer {given}"}) as listener,
    ):
        await begun(listener)
        tokens.remove("page")
        await listener.ended(3)
    await place.close()


# ---------------------------------------------------------------- what happens


async def last_of(world: ApiWorld, user_id: int) -> int:
    """The number of the last event, once this user's session is ready: after that nothing happens by itself."""
    await until_ready(world, user_id)
    _, said = await world.call("GET", "/v1/events")
    return int(said["events"][-1]["id"])


async def up_to(listener: Listener, number: int) -> list[Message]:
    """What happens, up to the event of this number, and what is told beyond it."""
    return [*await listener.up_to(number), *await listener.all("happened")]


async def test_what_happens_is_told_with_its_number(world: ApiWorld) -> None:
    async with listening(world.http) as listener, listening(world.http, "/v1/events") as other:
        await begun(listener)
        await world.create(7)
        last = await last_of(world, 7)
        told, told_alone = await up_to(listener, last), await up_to(other, last)
    _, said = await world.call("GET", "/v1/events")
    assert [each.data for each in told] == [each.data for each in told_alone] == said["events"][2:]
    assert [each.id for each in told] == [each.data["id"] for each in told]
    assert [each.data["reason"] for each in told][:3] == ["Added", "ActionDone", "ActionDone"]


@pytest.mark.parametrize("again", ["header", "query"])
async def test_who_comes_back_misses_nothing_and_is_told_nothing_twice(world: ApiWorld, again: str) -> None:
    async with listening(world.http, "/v1/events") as listener:
        await world.create(7)
        before = await up_to(listener, await last_of(world, 7))
    await world.create(8)
    of_eight = await last_of(world, 8)
    headers = {"Last-Event-ID": str(before[-1].id)} if again == "header" else {}
    path = "/v1/events" if again == "header" else f"/v1/events?after={before[-1].id}"
    async with listening(world.http, path, headers) as listener:
        missed = await up_to(listener, of_eight)
        await world.create(9)
        after = await up_to(listener, await last_of(world, 9))
    _, said = await world.call("GET", "/v1/events")
    assert [each.data for each in before + missed + after] == said["events"][2:]
    assert {each.data["user_id"] for each in missed} == {8}


async def test_of_too_much_it_is_said_that_there_is_more(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "REPLAYED", 10)
    for number in range(12):
        world.store.record(Event(EventKind.SESSION, EventReason.READY, f"the {number}.", 7))
    _, said = await world.call("GET", "/v1/events?user_id=7")
    first, last = said["events"][0]["id"], said["events"][-1]["id"]
    async with listening(world.http, f"/v1/events?user_id=7&after={first}") as listener:
        gap, told = await listener.next(), await up_to(listener, last)
        assert (gap.event, gap.data) == ("gap", {"after": first})
        assert [each.data for each in told] == said["events"][-10:]
    async with listening(world.http, f"/v1/events?user_id=7&after={first + 1}") as listener:
        assert [each.data for each in await up_to(listener, last)] == said["events"][2:]


async def test_who_knows_events_that_never_were_is_told_so_and_misses_none_that_will_be(world: ApiWorld) -> None:
    async with listening(world.http, "/v1/events", {"Last-Event-ID": "123456"}) as listener:
        assert (await listener.next()).event == "gap"
        world.store.record(Event(EventKind.SESSION, EventReason.READY, "both services answer", 7))
        assert (await listener.next("happened")).data["user_id"] == 7


async def test_events_of_one_user_or_of_some_kinds_can_be_had_alone(world: ApiWorld) -> None:
    async with (
        listening(world.http, "/v1/events?user_id=7") as of_seven,
        listening(world.http, "/v1/events?kind=wish&kind=brake") as of_wishes,
    ):
        await world.create(7)
        await world.create(8)
        assert {each.data["user_id"] for each in [await of_seven.next(), *await of_seven.all()]} == {7}
        wishes_of = [*[await of_wishes.next() for _ in range(2)], *await of_wishes.all()]
        assert [(each.data["kind"], each.data["user_id"]) for each in wishes_of] == [("wish", 7), ("wish", 8)]
    _, said = await world.call("GET", "/v1/events?kind=wish&user_id=8")
    assert [(each["kind"], each["user_id"]) for each in said["events"]] == [("wish", 8)]
    assert (await world.call("GET", "/v1/events?kind=gossip"))[1]["code"] == "invalid_kind"


async def test_what_another_process_writes_is_told_too(
    world: ApiWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "ELSEWHERE_SECONDS", 0.5)
    async with listening(world.http, "/v1/events") as listener:
        await listener.all()
        await asyncio.to_thread(TokenFile(tmp_path / "state").add, "ci", Scope.READ)
        assert (await listener.next("happened")).data["reason"] == "TokenMade"


async def test_who_does_not_ask_for_a_stream_gets_json(world: ApiWorld) -> None:
    for accept in ("*/*", "application/json", ""):
        async with world.http.get("/v1/events", headers={"Accept": accept}) as response:
            assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    async with world.http.get("/v1/events?after=x", headers=STREAM) as response:
        assert (response.status, (await response.json())["code"]) == (400, "invalid_after")
    async with world.http.get("/v1/watch", headers={"Last-Event-ID": "x"}) as response:
        assert (response.status, (await response.json())["code"]) == (400, "invalid_after")


@pytest.mark.parametrize(("module", "told", "path"), [(live, "_told", "/v1/events"), (wishes, "_audited", "/v1/audit")])
async def test_others_have_their_turn_while_a_long_list_is_put_together(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch, module: Any, told: str, path: str
) -> None:
    turn, turns, tell = 0, Counter[int](), getattr(module, told)

    async def take_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    def noting(each: Any) -> Any:
        turns[turn] += 1
        return tell(each)

    monkeypatch.setattr(module, told, noting)
    for number in range(1000):
        world.store.record(Event(EventKind.ACTION, EventReason.ACTION_DONE, f"start: {number}", 7))
    others = asyncio.create_task(take_turns())
    _, said = await world.call("GET", f"{path}?after=0&limit=10000")
    others.cancel()
    assert [*said] == [path.rpartition("/")[2].replace("audit", "records")]
    assert sum(turns.values()) >= 1000
    assert max(turns.values()) <= ROWS_AT_ONCE


# ---------------------------------------------------------------- how streams live and end


async def test_a_silent_stream_says_that_it_lives(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "BEAT_SECONDS", 0.2)
    async with listening(world.http, "/v1/events") as listener, asyncio.timeout(20):
        assert await listener.response.content.readline() == b":\n"


async def test_streams_end_at_once_when_the_controller_stops(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with (
        api_world(real_store=await place.running(EMPTY)) as world,
        listening(world.http) as listener,
        listening(world.http, "/v1/events") as other,
    ):
        await begun(listener)
        world.runner._shutdown_timeout = 60
        async with asyncio.timeout(20):
            await world.runner.cleanup()
        await listener.ended()
        await other.ended()
    await place.close()


async def test_a_stream_whose_reader_went_is_over(world: ApiWorld) -> None:
    async with listening(world.http) as listener:
        await begun(listener)
        assert not _calls(world, "/v1/watch")
    await eventually(lambda: _calls(world, "/v1/watch"))


async def test_a_reader_who_has_gone_before_the_answer_is_no_failure(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = web.StreamResponse.prepare

    async def too_late(response: web.StreamResponse, request: web.BaseRequest) -> Any:
        assert request.transport is not None
        request.transport.abort()
        return await answer(response, request)

    with monkeypatch.context() as patched:
        patched.setattr(web.StreamResponse, "prepare", too_late)
        with pytest.raises(aiohttp.ClientConnectionError):
            await world.http.get("/v1/events", headers=STREAM)
        await eventually(lambda: _calls(world, "/v1/events"))
    assert {pairs["status"] for pairs in _calls(world, "/v1/events")} == {200}
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_reader_that_takes_nothing_is_let_go(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "SEND_SECONDS", 0.3)
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)
        await asyncio.get_running_loop().sock_connect(lazy, ("127.0.0.1", world.port))
        lazy.send(b"GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
        for _ in range(300):
            for _ in range(200):
                world.store.record(Event(EventKind.SESSION, EventReason.READY, "so much to tell " * 100, 7))
            await asyncio.sleep(0.1)
            if _calls(world, "/v1/events"):
                break
        assert _calls(world, "/v1/events")


async def test_a_stream_is_logged_with_its_callers_id(world: ApiWorld) -> None:
    async with listening(world.http, headers={"X-Request-ID": "page-1"}) as listener:
        assert listener.response.headers["X-Request-ID"] == "page-1"
    await eventually(lambda: _calls(world, "/v1/watch"))
    [pairs] = _calls(world, "/v1/watch")
    assert (pairs["request_id"], pairs["status"]) == ("page-1", 200)


def _calls(world: ApiWorld, path: str) -> list[dict[str, Any]]:
    """That are over."""
    found: list[dict[str, Any]] = [getattr(record, "pairs", {}) for record in world.log]
    return [pairs for pairs in found if pairs.get("path") == path]


# ---------------------------------------------------------------- what is worth telling


NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
SEEN = UserView(
    7,
    EngineView(True, "20.10", NOW, ""),
    a_container(),
    NOW,
    Probe(True, True, NOW, ""),
    NOW,
    Usage(1.0, 2, 3, NOW),
    Progress(settled=True),
    DiskUse(1, True, NOW, None, None),
)


def told(before: UserView | None, after: UserView | None) -> bool:
    watch = Watch(timedelta(minutes=1))
    with watch.reading() as reader:
        watch.saw(7, before, after)
        return reader.users() == {7}


@pytest.mark.parametrize(
    "renewed",
    [
        replace(SEEN, observed_at=LATER, engine=replace(SEEN.engine, last_seen=LATER)),
        replace(SEEN, probe=Probe(True, True, LATER, "")),
        replace(SEEN, usage=Usage(50.0, 2, 3, LATER)),
        replace(SEEN, progress=Progress(settled=True, passes=5)),
        replace(SEEN, disk=DiskUse(1, True, LATER, None, None)),
    ],
)
def test_what_each_look_renews_is_no_news(renewed: UserView) -> None:
    assert not told(SEEN, renewed)


@pytest.mark.parametrize(
    "changed",
    [
        None,
        replace(SEEN, container=None),
        replace(SEEN, probe=Probe(True, False, NOW, "silent")),
        replace(SEEN, ready_since=None),
        replace(SEEN, engine=replace(SEEN.engine, reachable=False)),
        replace(SEEN, progress=Progress(settled=True, doing="stop: asked")),
        replace(SEEN, disk=DiskUse(2, True, NOW, None, None)),
    ],
)
def test_all_else_is(changed: UserView | None) -> None:
    assert told(SEEN, changed)
    assert told(changed, SEEN)


def test_a_session_that_had_its_time_to_answer_is_told_of_once() -> None:
    silent = replace(SEEN, ready_since=None, container=a_container(started_at=NOW))
    at = [
        replace(silent, probe=Probe(False, False, NOW + timedelta(seconds=seconds), "silent"))
        for seconds in (20, 50, 61, 71)
    ]
    assert [told(one, next_one) for one, next_one in pairwise(at)] == [False, True, False]


def test_of_changes_that_come_together_none_takes_anothers_place() -> None:
    watch = Watch(timedelta(minutes=1))
    with watch.reading() as reader:
        watch.saw(7, None, SEEN)
        watch.changed((8,))
        watch.measured(NOW, {})
        assert reader.users() == {7, 8}
        assert reader.users() == set()


@pytest.mark.parametrize("page", ["api.md", "api.zh-CN.md"])
def test_every_kind_of_event_is_on_the_page_with_all_its_reasons(page: str) -> None:
    rows = re.findall(r"^\| (`[a-z]+`)? *\| ((?:`\w+`[,、 ]*)+) \|", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    told: dict[str, list[str]] = {}
    kind = ""
    for name, reasons in rows:
        kind = name.strip("`") or kind
        told.setdefault(kind, []).extend(re.findall(r"\w+", reasons))
    assert {kind: told.get(kind) for kind in EventKind} == {kind: list(of) for kind, of in REASONS.items()}
    assert sorted(each for of in REASONS.values() for each in of) == sorted(EventReason)


def test_the_last_samples_are_kept_whoever_looks_on() -> None:
    watch = Watch(timedelta(minutes=1))
    for _ in range(SAMPLES_KEPT + 5):
        watch.measured(NOW, {7: Usage(1.234, 5, 6, NOW)})
    assert [number for number, _ in watch.samples(0)] == list(range(6, SAMPLES_KEPT + 6))
    assert watch.samples(SAMPLES_KEPT + 4) == [
        (SAMPLES_KEPT + 5, b'{"at": "2026-11-30T12:00:00Z", "users": {"7": [1.23, 5]}}')
    ]


# ---------------------------------------------------------------- what looking on costs


class Everybody:
    """A hundred users, as the store and the informer know them."""

    def __init__(self) -> None:
        self.current = DesiredState(1, None, {user_id: Wish() for user_id in range(1, 101)})
        self.engine = EngineView(True, "20.10", NOW, "")
        self.seen = {user_id: replace(SEEN, user_id=user_id) for user_id in self.current.users}

    def asked(self, _: int) -> None:
        return None

    def view(self, user_id: int) -> UserView:
        return self.seen[user_id]

    def views(self) -> tuple[UserView, ...]:
        return tuple(self.seen.values())


class Heard:
    """In the place of a stream."""

    def __init__(self) -> None:
        self.data: list[Any] = []

    async def say(self, _: str, data: bytes, number: int | None = None) -> None:
        self.data.append(json.loads(data))


def the_picture(all_of_them: Any) -> Picture:
    return Picture(all_of_them, all_of_them, all_of_them, SITE, "1.0")


def the_reader() -> Any:
    with Watch(timedelta(minutes=1)).reading() as reader:
        return reader


async def test_a_user_is_put_together_once_for_all_who_look_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made, real = list[int](), status.user_document

    def counting(site: Any, state: Any, view: UserView, *more: Any) -> Any:
        made.append(view.user_id)
        return real(site, state, view, *more)

    monkeypatch.setattr(status, "user_document", counting)
    monkeypatch.setattr(picture, "ENCODED_SECONDS", 60.0)
    everybody, heard = Everybody(), Heard()
    shared = the_picture(everybody)
    parts = [live._Users(shared, Scope.WRITE) for _ in range(10)]
    for part in parts:
        await part.tell(cast(Any, heard), the_reader())
    assert made == list(range(1, 101))
    assert all(each == heard.data[0] for each in heard.data)
    everybody.seen[7] = replace(everybody.seen[7], probe=Probe(False, True, NOW, "silent"))
    reader = the_reader()
    reader.changed([7])
    await parts[0].tell(cast(Any, heard), reader)
    assert made[100:] == [7]
    assert heard.data[-1]["users"][0]["observed"]["services"]["web"] == "unhealthy"
    everybody.current = replace(everybody.current, generation=2)
    reader.changed([7])
    await parts[0].tell(cast(Any, heard), reader)
    assert heard.data[-1]["users"][0]["generation"] == 2


async def test_who_may_only_look_is_not_shown_what_was_put_together_for_others() -> None:
    everybody = Everybody()
    shared = the_picture(everybody)
    may_open, may_look = (json.loads(shared.encoded(7, scope)) for scope in (Scope.WRITE, Scope.READ))
    assert may_open["access_url"]
    assert (may_look["access_url"], may_look["ws_url"]) == (None, None)


async def test_others_have_their_turn_while_everybody_is_put_together() -> None:
    turns, over = 0, False

    async def another() -> None:
        nonlocal turns
        while not over:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(another())
    await live._Users(the_picture(Everybody()), Scope.WRITE).tell(cast(Any, Heard()), the_reader())
    over = True
    await task
    assert turns >= 100 // live.USERS_AT_ONCE


async def test_who_wants_little_does_not_have_the_same_looked_through_again(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, real = list[int](), History.events

    def counting(self: History, user_id: int | None, after: int, limit: int, kinds: Any) -> Any:
        if user_id == 99:
            looked.append(after)
        return real(self, user_id, after, limit, kinds)

    monkeypatch.setattr(History, "events", counting)
    await world.create(8)
    newest = (await world.store.events(None, 0, 1))[-1].id
    async with listening(world.http, "/v1/events?user_id=99") as listener:
        await listener.all()
        for number in range(3):
            before = len(looked)
            world.store.record(Event(EventKind.SESSION, EventReason.READY, f"the {number}.", 8))
            await eventually(lambda: len(looked) > before)  # noqa: B023
        assert len(set(looked)) == len(looked) >= 3, looked
        assert min(looked) >= newest
        world.store.record(Event(EventKind.SESSION, EventReason.READY, "at last", 99))
        told = await listener.next("happened")
        assert (told.data["message"], told.id) == ("at last", told.data["id"])
