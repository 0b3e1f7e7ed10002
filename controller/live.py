"""The routes of `/v1` that go on telling: what is shown of all (`watch`), and what happens (`events`).

A stream is a loop over what it tells of: each part says what is new since it last did, then all rest until something
changes. What is new is found by looking, not by keeping: of a reader there is only how far it has been told.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from aiohttp import web

from controller.caller import Scope
from controller.doorkeeper import CALLER
from controller.events import EVERY_KIND
from controller.http import Handlers, Refusal, listed_answer
from controller.picture import Picture
from controller.plain import timestamp
from controller.sse import MEDIA, Stream, streaming
from controller.store import Recorded
from controller.watch import Reader, Watch
from controller.wishes import Wishes, number, page

ROUND_SECONDS = 0.1
"""Changes that come together are told together."""
STATUS_SECONDS = 0.25
"""Between two looks at the whole, however much happens."""
LOOK_SECONDS = 1.0
"""And where nothing does: some of it changes without a word, such as the work that waits."""
USERS_AT_ONCE = 20
"""Put together in one go: some milliseconds, however many look on."""
REPLAYED = 1000
"""Events from while a reader was away; of more it is told that there are."""
ELSEWHERE_SECONDS = 10.0
"""Between two looks for events that another process wrote: `matlabctl token` tells nobody."""

Json = dict[str, Any]


class Part(Protocol):
    """Of a stream."""

    async def tell(self, stream: Stream, reader: Reader) -> None:
        """Say what is new; the first time, how it is."""
        ...


def handlers(store: Wishes, watch: Watch, picture: Picture, still_known: Callable[[web.Request], bool]) -> Handlers:
    """`still_known`: whether who was let in would be now."""
    live = _Live(store, watch, picture, still_known)
    return {each.__name__: each for each in (live.watch, live.events)}


class _Live:
    def __init__(
        self, store: Wishes, watch: Watch, picture: Picture, still_known: Callable[[web.Request], bool]
    ) -> None:
        self._store = store
        self._watch = watch
        self._picture = picture
        self._still_known = still_known
        self._status = _Status(picture)

    async def watch(self, request: web.Request) -> web.StreamResponse:
        happened = _Happened(self._store, Which(_after(request)))
        users = _Users(self._picture, request[CALLER].scope)
        return await self._stream(request, _Whole(self._status), users, _Usage(self._watch), happened)

    async def events(self, request: web.Request) -> web.StreamResponse:
        user_id, after, limit = page(request)
        kinds = _kinds(request)
        if _wants_stream(request):
            return await self._stream(request, _Happened(self._store, Which(_after(request), user_id, kinds)))
        found = await self._store.events(user_id, after, limit, kinds)
        return await listed_answer("events", found, _told)

    async def _stream(self, request: web.Request, *parts: Part) -> web.StreamResponse:
        async with streaming(request) as stream:
            await stream.begin()
            with self._watch.reading() as reader:
                woken = True
                while self._still_known(request) and not (reader.leaves or stream.lost):
                    for part in parts:
                        await part.tell(stream, reader)
                    await stream.beat()
                    await asyncio.sleep(ROUND_SECONDS)
                    woken = await reader.rest(STATUS_SECONDS if woken else LOOK_SECONDS)
        return stream.response


# ---------------------------------------------------------------- what streams tell of


class _Status:
    """The whole as it stands, put together once for all who look on."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._looked_at = 0.0
        self._now: Json = {}

    def now(self) -> Json:
        """Not older than `STATUS_SECONDS`."""
        at = time.monotonic()
        if at - self._looked_at >= STATUS_SECONDS:
            self._looked_at, self._now = at, self._picture.overview()
        return self._now


class _Whole:
    def __init__(self, status: _Status) -> None:
        self._status = status
        self._told: Json = {}

    async def tell(self, stream: Stream, _: Reader) -> None:
        now = self._status.now()
        if now is not self._told and _lasting(now) != self._told:
            self._told = _lasting(now)
            await stream.say("status", json.dumps(now).encode())


def _lasting(status: Json) -> Json:
    """Without what each answer of the engine renews, though nothing changed."""
    engine = {name: each for name, each in status["engine"].items() if name not in ("last_seen", "age_seconds")}
    return {**status, "engine": engine}


class _Users:
    def __init__(self, picture: Picture, scope: Scope) -> None:
        self._picture = picture
        self._scope = scope
        self._shown: set[int] | None = None
        """Whom the reader knows; `None`: it knows nothing yet."""

    async def tell(self, stream: Stream, reader: Reader) -> None:
        changed, there = reader.users(), self._picture.users()
        known = self._shown or set()
        told = [user_id for user_id in there if user_id in changed or user_id not in known]
        gone = sorted(known.difference(there))
        if told or gone or self._shown is None:
            body = {"all": self._shown is None, "gone": gone}
            self._shown = set(there)
            users = b", ".join([each async for each in self._encoded(told)])
            await stream.say("users", b'{"users": [' + users + b"], " + json.dumps(body).encode()[1:])

    async def _encoded(self, user_ids: Sequence[int]) -> AsyncIterator[bytes]:
        """Their documents; between some of them others have their turn."""
        for so_many, user_id in enumerate(user_ids, 1):
            yield self._picture.encoded(user_id, self._scope)
            if so_many % USERS_AT_ONCE == 0:
                await asyncio.sleep(0)


class _Usage:
    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._last: int | None = None

    async def tell(self, stream: Stream, _: Reader) -> None:
        found = self._watch.samples(self._last or 0)
        if found or self._last is None:
            self._last = found[-1][0] if found else 0
            await stream.say("usage", b'{"samples": [' + b", ".join(sample for _, sample in found) + b"]}")


class _Happened:
    """Events, each once and in order."""

    def __init__(self, store: Wishes, which: Which) -> None:
        self._store = store
        self._which = which
        self._last: int | None = None
        """That was told of, or looked at and not wanted."""
        self._looked_at = 0.0

    async def tell(self, stream: Stream, reader: Reader) -> None:
        now = time.monotonic()
        if not reader.happened() and now - self._looked_at < ELSEWHERE_SECONDS:
            return
        self._looked_at = now
        if self._last is None:
            self._last = await self._begin(stream)
        newest = await self._newest()
        while self._last < newest:
            found = await self._find(self._last or -1, REPLAYED)
            self._last = await self._say(stream, found) if found else newest

    async def _begin(self, stream: Stream) -> int:
        """Where to go on from, after a word about what cannot be told."""
        after = self._which.after
        newest = await self._newest()
        if after is None:
            return newest
        too_many = len(await self._find(after, REPLAYED + 1)) > REPLAYED
        if too_many or after > newest:  # the latter are of another history: an older one was put back
            await stream.say("gap", json.dumps({"after": after}).encode())
        return await self._say(stream, await self._find(0, REPLAYED)) if too_many else min(after, newest)

    async def _newest(self) -> int:
        """Of all events; 0: there is none."""
        return max((each.id for each in await self._store.events(None, 0, 1)), default=0)

    async def _find(self, after: int, limit: int) -> Sequence[Recorded]:
        return await self._store.events(self._which.user_id, after, limit, self._which.kinds)

    async def _say(self, stream: Stream, found: Sequence[Recorded]) -> int:
        """The last of them."""
        for each in found:
            await stream.say("happened", json.dumps(_told(each)).encode(), each.id)
        return found[-1].id


# ---------------------------------------------------------------- reading requests


@dataclass(frozen=True, slots=True)
class Which:
    """Events that a reader wants."""

    after: int | None
    """The last that it knows of; `None`: what was is nothing to it."""
    user_id: int | None = None
    kinds: Sequence[str] = EVERY_KIND


def _wants_stream(request: web.Request) -> bool:
    """JSON is for all who do not say otherwise."""
    return MEDIA in request.headers.get("Accept", "")


def _after(request: web.Request) -> int | None:
    """A reader that comes back says so in the header; what stands in the query is from when it first came."""
    given = request.headers.get("Last-Event-ID") or request.query.get("after")
    return None if given is None else number(given, "after", 0, 10**15)


def _kinds(request: web.Request) -> Sequence[str]:
    kinds = request.query.getall("kind", EVERY_KIND)
    if not set(kinds) <= set(EVERY_KIND):
        raise Refusal(400, "invalid_kind", f"`kind` must be one of {', '.join(EVERY_KIND)}.")
    return kinds


def _told(each: Recorded) -> Json:
    return {"id": each.id, "at": timestamp(each.at), **asdict(each.event)}
