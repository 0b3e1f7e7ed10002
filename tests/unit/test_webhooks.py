"""Webhooks tell a real receiver what happened: all of it, in order, signed, whatever the receiver does meanwhile."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from controller import webhooks
from controller.errors import NotPersisted
from controller.events import EVERY_KIND, Event, EventKind, EventReason
from controller.store import Recorded
from controller.store.history import FILE, History
from controller.store.wish_store import WishStore
from controller.webhooks import Webhook, Webhooks, chat_line, pause, signed
from tests.serving import on_loopback
from tests.support import eventually
from tests.wish_place import START, Place
from tests.worlds import NOW

SECRET = b"a secret of the operator's"
PRIVATE = "path-that-nobody-may-see"


@dataclass
class Receiver:
    """Listens as a platform would, and answers as it is told: one answer for each call, then 200."""

    url: str = ""
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int | float | web.Response] = field(default_factory=list)
    """Statuses, seconds of silence, or whole answers."""
    at: list[float] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.heard.append((dict(request.headers), body))
        self.at.append(time.monotonic())
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            answer = 200
        return answer if isinstance(answer, web.Response) else web.Response(status=answer, text="thanks")

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]

    @property
    def messages(self) -> list[str]:
        return [each["message"] for each in self.told]


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    receiver, app = Receiver(), web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.take)
    async with on_loopback(web.AppRunner(app, access_log=None, shutdown_timeout=0.1)) as port:
        receiver.url = f"http://127.0.0.1:{port}/{PRIVATE}"
        yield receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "PAUSE_FIRST", 0.02)
    monkeypatch.setattr(webhooks, "PAUSE_LAST", 0.05)


@pytest.fixture
async def store(place: Place) -> WishStore:
    return await place.running(START)


@asynccontextmanager
async def sending(store: WishStore, *hooks: Webhook) -> AsyncIterator[Webhooks]:
    """As a controller does while it lives; its end is sudden."""
    sender = Webhooks(hooks, store, "lab", "1.0")
    task = asyncio.create_task(sender.run())
    await eventually(lambda: _begun(store, hooks))
    yield sender
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _begun(store: WishStore, hooks: Sequence[Webhook]) -> bool:
    def look() -> set[str]:
        rows = store._journal.history._db.execute("SELECT name FROM webhooks")
        return {name for (name,) in rows}

    return {each.name for each in hooks} == await store._journal.blocking(look)


async def _noted(store: WishStore, hook: Webhook) -> bool:
    """Whether what happened last is known to have been taken."""
    *_, last = await store.events(None, -1, 1000)
    return (await store.delivered([hook.name]))[hook.name] == last.id


def an_event(message: str, kind: str = "engine", reason: str = "Lost", user_id: int | None = None) -> Event:
    return Event(EventKind(kind), EventReason(reason), message, user_id)


def happen(store: WishStore, *messages: str, kind: str = "engine", reason: str = "Lost") -> None:
    for message in messages:
        store.record(an_event(message, kind, reason))


def counted(sender: Webhooks, name: str, **labels: str) -> float:
    found = [s for each in sender.counted for family in each.collect() for s in family.samples if s.name == name]
    return sum(s.value for s in found if labels.items() <= s.labels.items())


# ---------------------------------------------------------------- what is sent


async def test_what_happens_is_sent_in_order_as_the_api_tells_it(receiver: Receiver, store: WishStore) -> None:
    async with sending(store, Webhook("platform", receiver.url)):
        happen(store, "first")
        await store.change(7, lambda _: replace(store.current.users[1]), "api me")
        happen(store, "last")
        await eventually(lambda: len(receiver.heard) == 3)
    kept = await store.events(None, 0, 3)
    assert [each["id"] for each in receiver.told] == sorted(each["id"] for each in receiver.told)
    assert {each["reason"] for each in receiver.told} == {"Lost", "Added"}
    [added] = [each for each in receiver.told if each["reason"] == "Added"]
    assert (added["instance"], added["user_id"], added["writer"]) == ("lab", 7, "api me")
    assert added["request_id"] == "me", "of the call that did it"
    assert {each["id"] for each in receiver.told} == {each.id for each in kept}
    headers, _ = receiver.heard[0]
    assert (headers["Content-Type"], headers["User-Agent"]) == ("application/json", "matlab-container-manager/1.0")
    assert "webhook-signature" not in headers, "there is no secret"


async def test_what_was_before_the_webhook_is_not_sent(receiver: Receiver, store: WishStore) -> None:
    happen(store, "before")
    await store.events(None, 0, 1)
    async with sending(store, Webhook("platform", receiver.url)):
        happen(store, "after")
        await eventually(lambda: receiver.heard)
    assert receiver.messages == ["after"]


async def test_only_what_is_wanted_is_sent(receiver: Receiver, store: WishStore) -> None:
    hook = Webhook(
        "chat",
        receiver.url,
        kinds=frozenset({EventKind.SESSION, EventKind.ENGINE}),
        reasons=frozenset({EventReason.LOST, EventReason.HELD}),
    )
    async with sending(store, hook):
        happen(store, "no kind", kind="brake", reason="Held")
        happen(store, "no reason", reason="Reached")
        happen(store, "wanted")
        await eventually(lambda: receiver.heard)
        await asyncio.sleep(0.1)
    assert receiver.messages == ["wanted"]


async def test_the_signature_proves_who_sent_what_and_when(receiver: Receiver, store: WishStore) -> None:
    async with sending(store, Webhook("platform", receiver.url, secret=SECRET)):
        happen(store, "signed")
        await eventually(lambda: receiver.heard)
    headers, body = receiver.heard[0]
    message, stamp = headers["webhook-id"], headers["webhook-timestamp"]
    assert message == f"lab-{receiver.told[0]['id']}"
    assert abs(int(stamp) - time.time()) < 60

    def proof(of: bytes, secret: bytes = SECRET) -> str:
        digest = hmac.new(secret, b".".join((message.encode(), stamp.encode(), of)), hashlib.sha256).digest()
        return f"v1,{base64.b64encode(digest).decode()}"

    assert headers["webhook-signature"] == proof(body)
    assert headers["webhook-signature"] not in (proof(body + b" "), proof(body, b"another"))
    assert SECRET not in body


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """With the example that its libraries are tested by."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_chat_gets_a_line_that_can_call_nobody() -> None:
    line = json.loads(chat_line("lab", an_event("<!everybody> & all", "action", "ActionFailed", 7)))
    assert line == {"text": "[lab] user 7, ActionFailed: &lt;!everybody&gt; &amp; all"}
    assert json.loads(chat_line("lab", an_event("gone"))) == {"text": "[lab] Lost: gone"}


# ---------------------------------------------------------------- what is tried again


async def test_what_fails_is_tried_again_until_it_is_there_before_anything_else_is_sent(
    receiver: Receiver, store: WishStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "controller")
    receiver.answers = [500, 503, 404, web.Response(status=302, headers={"Location": "/elsewhere"}), 204]
    async with sending(store, Webhook("platform", receiver.url)) as sender:
        happen(store, "first", "second")
        await eventually(lambda: len(receiver.heard) == 6)
        await eventually(lambda: counted(sender, "mcm_webhook_failing", webhook="platform") == 0)
        assert receiver.messages == ["first"] * 5 + ["second"]
        assert counted(sender, "mcm_webhook_tries_total", outcome="failed") == 4
        assert counted(sender, "mcm_webhook_tries_total", outcome="delivered") == 2
    told = [each.message for each in caplog.records if "webhook" in each.message]
    assert told == ["webhook fails, and is tried again", "webhook takes events again"], "once each"


async def test_a_receiver_that_is_silent_or_not_there_holds_up_nobody_else(
    receiver: Receiver, store: WishStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE", 0.2)
    async with listening() as silent:
        silent.answers = [5.0]
        nobody = "http://127.0.0.1:9/"
        hooks = (Webhook("platform", receiver.url), Webhook("silent", silent.url), Webhook("nobody", nobody))
        async with sending(store, *hooks) as sender:
            happen(store, "first", "second")
            await eventually(lambda: receiver.messages == ["first", "second"])
            assert (await store.change(7, lambda _: replace(store.current.users[1]), "me")).users[7]
            await eventually(lambda: len(silent.heard) == 4)
            assert silent.messages[:3] == ["first", "first", "second"], "it had not answered the first"
            assert counted(sender, "mcm_webhook_failing", webhook="nobody") == 1
            assert counted(sender, "mcm_webhook_tries_total", webhook="nobody", outcome="delivered") == 0


@pytest.mark.parametrize(
    "says", [lambda: "1", lambda: f"{datetime.now(UTC) + timedelta(seconds=2):%a, %d %b %Y %H:%M:%S} GMT"]
)
async def test_a_receiver_is_left_alone_for_as_long_as_it_asks(
    receiver: Receiver, store: WishStore, says: Callable[[], str]
) -> None:
    receiver.answers = [web.Response(status=429, headers={"Retry-After": says()})]
    async with sending(store, Webhook("platform", receiver.url)):
        happen(store, "first")
        await eventually(lambda: len(receiver.heard) == 2)
    assert receiver.at[1] - receiver.at[0] >= 0.9


def test_the_pauses_grow_to_a_bound_and_are_never_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "PAUSE_FIRST", 1.0)
    monkeypatch.setattr(webhooks, "PAUSE_LAST", 300.0)
    assert [pause(n, 1.0) for n in (1, 2, 3, 9, 10, 5000)] == [1, 2, 4, 256, 300, 300]
    assert pause(10, 0.0) == 150


@pytest.mark.parametrize("said", ["", "soon", "-1", "1.5", "Mon, 30 Nov 2026 02:00:00"])
def test_what_is_no_time_to_wait_is_none(said: str) -> None:
    assert webhooks._asked_for(said, NOW) == 0
    assert webhooks._asked_for("99999999", NOW) == webhooks.LONGEST_PAUSE


async def test_a_name_server_that_hangs_holds_up_neither_others_nor_the_end(
    receiver: Receiver, store: WishStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, hanging, asked = socket.getaddrinfo, threading.Event(), list[str]()

    def slow(host: str, *more: Any) -> Any:
        asked.append(threading.current_thread().name.partition("-")[0])
        if host == "slow.example.org":
            hanging.wait(60)
        return real("127.0.0.1", *more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    by_name = receiver.url.replace("127.0.0.1", "quick.example.org")
    hooks = (Webhook("slow", "http://slow.example.org/"), Webhook("quick", by_name))
    async with sending(store, *hooks):
        happen(store, "first")
        await eventually(lambda: receiver.messages == ["first"] and len(asked) == 2)
        began = time.monotonic()
    assert time.monotonic() - began < 30
    assert set(asked) == {"webhook"}, "the loop's own threads are for others, and are waited for at the end"
    hanging.set()


# ---------------------------------------------------------------- what is given up


async def test_what_is_refused_is_given_up_at_once_and_told_and_that_is_sent_to_nobody(
    receiver: Receiver, store: WishStore
) -> None:
    receiver.answers = [400]
    async with sending(store, Webhook("platform", receiver.url)) as sender:
        happen(store, "refused", "taken")
        await eventually(lambda: receiver.messages == ["refused", "taken"])
        assert counted(sender, "mcm_webhook_tries_total", outcome="given_up") == 1
        [told] = await eventually(lambda: store.events(None, 0, 9, [EventKind.WEBHOOK]))
        assert (told.event.reason, told.event.message) == (
            "GaveUp",
            "the webhook platform was not told of one event: it answered with HTTP status 400",
        )
        happen(store, "and on")
        await eventually(lambda: receiver.messages[2:] == ["and on"])


async def test_what_grew_too_old_is_given_up_together_and_told_in_one_event(
    receiver: Receiver, store: WishStore
) -> None:
    async with sending(store, Webhook("platform", receiver.url)):
        pass
    long_ago = datetime.now(UTC) - webhooks.GIVE_UP - timedelta(minutes=1)
    old = [(long_ago, an_event(f"old {n}")) for n in range(50)]
    await store._journal.blocking(lambda: store._journal.history.add_events(old))
    happen(store, "young")
    receiver.answers = [500, 500]
    async with sending(store, Webhook("platform", receiver.url)) as sender:
        await eventually(lambda: receiver.messages == ["old 0", "young", "young"])
        assert counted(sender, "mcm_webhook_tries_total", outcome="given_up") == 50
        found = await eventually(lambda: store.events(None, 0, 9, [EventKind.WEBHOOK]))
        assert [each.event.message for each in found] == [
            "the webhook platform was not told of 50 events: it answered with HTTP status 500"
        ]


@pytest.mark.parametrize("end", ["the disk is full", "the controller stops"])
async def test_what_was_given_up_is_told_whatever_comes_before_the_rest_was_sent(
    receiver: Receiver, store: WishStore, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.deliver

    async def deliver(name: str, event_id: int) -> None:
        if end == "the disk is full":
            raise NotPersisted("The history cannot be used: it is full.")
        await real(name, event_id)

    monkeypatch.setattr(store, "deliver", deliver)
    receiver.answers = [400, 30.0]
    async with sending(store, Webhook("platform", receiver.url)):
        happen(store, "refused", "not answered")
        await eventually(lambda: receiver.messages[:1] == ["refused"])
        if end == "the controller stops":
            await eventually(lambda: len(receiver.heard) == 2)
        else:
            await eventually(lambda: store.events(None, 0, 9, [EventKind.WEBHOOK]))
    [told] = await store.events(None, 0, 9, [EventKind.WEBHOOK])
    assert "was not told of one event: it answered with HTTP status 400" in told.event.message


async def test_the_threads_that_look_names_up_end_with_it(receiver: Receiver, store: WishStore) -> None:
    by_name = receiver.url.replace("127.0.0.1", "localhost")
    async with sending(store, Webhook("platform", by_name)):
        happen(store, "first")
        await eventually(lambda: receiver.messages == ["first"])
        assert lookups()
    await eventually(lambda: not lookups())


def lookups() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("webhook-names")]


async def test_what_is_old_is_sent_all_the_same_to_who_takes_it(receiver: Receiver, store: WishStore) -> None:
    async with sending(store, Webhook("platform", receiver.url)):
        pass
    long_ago = datetime.now(UTC) - timedelta(days=3)
    await store._journal.blocking(lambda: store._journal.history.add_events([(long_ago, an_event("old"))]))
    async with sending(store, Webhook("platform", receiver.url)):
        await eventually(lambda: receiver.messages == ["old"])


# ---------------------------------------------------------------- what outlives the controller


async def test_a_restart_loses_nothing_and_doubles_nothing_that_was_taken(
    receiver: Receiver, store: WishStore, place: Place
) -> None:
    hook = Webhook("platform", receiver.url)
    async with sending(store, hook):
        happen(store, "one", "two")
        await eventually(lambda: len(receiver.heard) == 2)
        receiver.answers = [500] * 1000
        happen(store, "three", "four")
        await eventually(lambda: len(receiver.heard) > 4)
    receiver.answers, before = [], len(receiver.heard)
    happen(store, "five")
    await store.events(None, 0, 1)
    again = await place.running()  # as the next life reads it
    async with sending(again, hook):
        await eventually(lambda: receiver.messages[before:] == ["three", "four", "five"])
        await eventually(lambda: _noted(again, hook))  # who ends between an answer and its note sends it again
    async with sending(again, hook):
        await asyncio.sleep(0.2)
    assert receiver.messages[before:] == ["three", "four", "five"]


async def test_a_webhook_that_was_taken_away_and_comes_back_begins_anew(receiver: Receiver, store: WishStore) -> None:
    hook = Webhook("platform", receiver.url)
    async with sending(store, hook):
        pass
    async with sending(store):
        happen(store, "while it was away")
        await store.events(None, 0, 1)
    async with sending(store, hook):
        happen(store, "when it was back")
        await eventually(lambda: receiver.messages == ["when it was back"])


async def test_what_another_process_wrote_is_found_as_well(
    receiver: Receiver, store: WishStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "LOOK_EVERY", 0.1)
    async with sending(store, Webhook("platform", receiver.url)):
        other = History(place.state / FILE)  # as `matlabctl token` does
        other.add_events([(datetime.now(UTC), an_event("a token", "token", "TokenMade"))])
        other.close()
        await eventually(lambda: receiver.messages == ["a token"])


async def test_only_a_few_events_are_in_memory(
    receiver: Receiver, store: WishStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "AT_ONCE", 4)
    asked: list[int] = []

    async def events(user_id: int | None, after: int, limit: int, kinds: Sequence[str] = EVERY_KIND) -> Any:
        asked.append(limit)
        found: Sequence[Recorded] = await WishStore.events(store, user_id, after, limit, kinds)
        return found

    monkeypatch.setattr(store, "events", events)
    async with sending(store, Webhook("platform", receiver.url)):
        happen(store, *(f"number {n}" for n in range(30)))
        await eventually(lambda: receiver.messages == [f"number {n}" for n in range(30)])
    assert set(asked) == {4}


# ---------------------------------------------------------------- what nobody is told


async def test_the_address_is_seen_nowhere_whatever_goes_wrong(
    receiver: Receiver, store: WishStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    port = receiver.url.split(":")[2].split("/")[0]
    secret = f"http://somebody:{PRIVATE}@127.0.0.1"
    hooks = (
        Webhook("refuses", f"{secret}:{port}/{PRIVATE}"),
        Webhook("nobody", f"{secret}:9/{PRIVATE}"),
        Webhook("nowhere", f"http://somebody:{PRIVATE}@host.invalid/{PRIVATE}"),
        Webhook("tls", f"https://somebody:{PRIVATE}@127.0.0.1:{port}/{PRIVATE}"),
    )
    receiver.answers = [400]
    async with sending(store, *hooks) as sender:
        happen(store, "first")
        await eventually(lambda: store.events(None, 0, 9, [EventKind.WEBHOOK]))
        await eventually(lambda: all(counted(sender, "mcm_webhook_failing", webhook=each.name) for each in hooks), 60)
    headers, _ = receiver.heard[0]
    assert headers["Authorization"].startswith("Basic "), "a name and a password are sent as such"
    told = "\n".join(f"{each.getMessage()} {each.__dict__.get('pairs')} {each.exc_text}" for each in caplog.records)
    told += "\n".join(each.event.message for each in await store.events(None, 0, 99))
    assert "webhook fails" in told
    assert PRIVATE not in told + repr(hooks)
