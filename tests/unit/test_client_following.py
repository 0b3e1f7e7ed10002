"""Events as they happen, on both faces: each once, whatever becomes of the streams that tell them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from controller.client import Client, calls
from controller.client.aio import AsyncClient
from controller.client.calls import PAGE
from controller.client.sse import Message, Messages
from controller.events import Event, EventKind, EventReason
from tests.api_world import ApiWorld, api_world
from tests.faces import SOON
from tests.serving import served
from tests.support import eventually
from tests.wish_place import Place

TEXT = "version: 1\nusers:\n  1: {}\n  2: {}\n...\n"


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    async with api_world(real_store=await place.running(TEXT)) as world:
        yield world


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
def following(face: str, server: str, after: int | None, into: list[int]) -> Iterator[None]:
    """The events' ids as they come, until the block ends."""
    if face == "awaiting":

        async def listen() -> None:
            async with AsyncClient(server, patience=SOON) as client:
                async for event in client.follow_events(after=after):
                    into.append(event["id"])  # noqa: PERF401 - they are wanted as they come

        task = asyncio.create_task(listen())
        try:
            yield
        finally:
            task.cancel()
        return
    over = False

    def listen_in_thread() -> None:
        for event in Client(server, patience=SOON).follow_events(after=after):
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
    with following(face, world.url, 0, found):
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
    with following(face, world.url, 0, found):
        await eventually(lambda: len(found) >= len(kept))
        await world.create(9)  # so that who blocks has one more to take, and sees that it is over
    assert found[: len(kept)] == kept
    assert len(kept) >= 10
    for path, key in (("/v1/events", "events"), ("/v1/audit", "records")):
        _, first = await world.call("GET", f"{path}?after=0&limit=1")
        _, last = await world.call("GET", f"{path}?limit=1")
        assert first[key][0]["id"] < last[key][0]["id"], path
