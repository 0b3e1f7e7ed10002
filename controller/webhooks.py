"""Tells others what happened: each webhook is sent the events that it wants, in order, one after another.

How far one has come is kept beside the events, so that a restart loses none and doubles at most the one under way. What
cannot be delivered is tried again, less and less often, and given up after `GIVE_UP`; that is an event itself, which
goes to no webhook. Nobody else waits for any of this, and no more than `AT_ONCE` events are in memory.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import logging
import random
import re
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from prometheus_client import Counter, Gauge
from prometheus_client.registry import Collector

from controller.engine.threads import Threads
from controller.errors import NotPersisted
from controller.events import EVERY_KIND, Event, EventKind, EventReason
from controller.plain import timestamp
from controller.store import Recorded

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that a receiver has for its answer."""
PAUSE_FIRST, PAUSE_LAST = 1.0, 300.0
"""Seconds between two tries."""
LONGEST_PAUSE = 3600.0
"""Seconds: a receiver may ask for so much, and no more."""
GIVE_UP = timedelta(hours=24)
AT_ONCE = 100
LOOK_EVERY = 30.0
"""Seconds between two looks for what was written without a word to us: by `matlabctl token`, say."""
REFUSED = frozenset({400, 413, 415, 422})
"""Statuses that say: this event will not be taken, however often it comes."""


class Outbox(Protocol):
    """What is asked of the store."""

    def follow(self, listener: Callable[[], None]) -> None: ...

    def record(self, event: Event) -> None: ...

    async def events(
        self, user_id: int | None, after: int, limit: int, kinds: Sequence[str] = EVERY_KIND
    ) -> Sequence[Recorded]: ...

    async def delivered(self, names: Collection[str]) -> Mapping[str, int]:
        """The id of the last event that each webhook is done with; a new one begins with what happens from now on."""
        ...

    async def deliver(self, name: str, event_id: int) -> None:
        """This webhook is done with all up to this event. Raises NotPersisted."""
        ...


@dataclass(frozen=True, slots=True)
class Webhook:
    name: str
    url: str = field(repr=False)
    slack: bool = False
    kinds: frozenset[EventKind] = frozenset()
    reasons: frozenset[EventReason] = frozenset()
    """Of the events that it wants; empty: all."""
    secret: bytes = field(default=b"", repr=False)
    """Empty: nothing is signed."""

    def wants(self, event: Event) -> bool:
        if event.kind == EventKind.WEBHOOK:  # what is read from the database is its word
            return False
        return (not self.kinds or event.kind in self.kinds) and (not self.reasons or event.reason in self.reasons)


class Webhooks:
    def __init__(self, webhooks: Sequence[Webhook], outbox: Outbox, instance: str, version: str) -> None:
        self._webhooks = webhooks
        self._outbox = outbox
        self._instance = instance
        self._agent = f"matlab-container-manager/{version}"
        self._tries = Counter(
            "mcm_webhook_tries",
            "Events sent to a webhook, by outcome: delivered, failed (and tried again), given_up.",
            ("webhook", "outcome"),
            registry=None,
        )
        self._failing = Gauge(
            "mcm_webhook_failing", "1 while a webhook does not take what is sent.", ("webhook",), registry=None
        )
        for each in webhooks:
            self._failing.labels(each.name)  # known from the first scrape on

    @property
    def counted(self) -> tuple[Collector, ...]:
        return self._tries, self._failing

    async def run(self) -> None:
        """Send until cancelled."""
        done = await self._begin()
        headers, timeout = {"User-Agent": self._agent}, aiohttp.ClientTimeout(total=PATIENCE)
        names, nothing = _Names(len(self._webhooks)), aiohttp.DummyCookieJar()
        to = aiohttp.TCPConnector(resolver=names)
        try:
            async with (
                aiohttp.ClientSession(connector=to, timeout=timeout, cookie_jar=nothing, headers=headers) as http,
                asyncio.TaskGroup() as tasks,
            ):
                courier = _Courier(http, self._instance)
                for each in self._webhooks:
                    sender = _Sender(each, self._outbox, courier, done[each.name], self._tries, self._failing)
                    tasks.create_task(sender.run(), name=f"webhook {each.name}")
        finally:
            await names.close()  # aiohttp closes only what it made itself

    async def _begin(self) -> Mapping[str, int]:
        while True:
            try:
                return await self._outbox.delivered([each.name for each in self._webhooks])
            except NotPersisted as error:
                log.warning("webhooks cannot begin", extra={"pairs": {"why": str(error)}})
            except Exception:
                log.exception("webhooks cannot begin")
            await asyncio.sleep(LOOK_EVERY)


# ---------------------------------------------------------------- in order, again and again


class _Sender:
    """Of one webhook."""

    def __init__(
        self, webhook: Webhook, outbox: Outbox, courier: _Courier, done: int, tries: Counter, failing: Gauge
    ) -> None:
        self._webhook = webhook
        self._outbox = outbox
        self._courier = courier
        self._done = done
        self._tries = {each: tries.labels(webhook.name, each) for each in ("delivered", "failed", "given_up")}
        self._failing = failing.labels(webhook.name)
        self._failures = 0
        """In a row."""
        self._why = ""
        """What the last of them was."""
        self._happened = asyncio.Event()

    async def run(self) -> None:
        self._outbox.follow(self._happened.set)
        while True:
            self._happened.clear()
            try:
                await self._catch_up()
            except NotPersisted as error:
                self._log(logging.WARNING, "how far a webhook has come cannot be kept", why=str(error))
            except Exception:
                log.exception("webhook failed", extra={"pairs": {"webhook": self._webhook.name}})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._happened.wait()

    async def _catch_up(self) -> None:
        while found := await self._outbox.events(None, self._done or -1, AT_ONCE):
            left_out = 0
            try:
                for each in found:
                    wanted = self._webhook.wants(each.event)
                    left_out += wanted and not await self._deliver(each)
                    self._done = each.id
                    if wanted or each is found[-1]:
                        await self._outbox.deliver(self._webhook.name, self._done)
            finally:  # the rest may be long in coming, in another life of ours
                if left_out:
                    self._tell_given_up(left_out)

    async def _deliver(self, each: Recorded) -> bool:
        """Whether it got there in the end. While nothing does, what is too old by then is not tried any more."""
        while not (self._failures and datetime.now(UTC) - each.at > GIVE_UP):
            reply = await self._courier.send(self._webhook, each)
            if not reply.why:
                self._tries["delivered"].inc()
                self._goes_well()
                return True
            self._why = reply.why
            self._failing.set(1)
            if reply.refused:
                break
            self._tries["failed"].inc()
            self._fails()
            await asyncio.sleep(max(reply.pause, pause(self._failures, random.random())))  # noqa: S311
        self._tries["given_up"].inc()
        return False

    def _fails(self) -> None:
        self._failures += 1
        if self._failures == 1:
            self._log(logging.WARNING, "webhook fails, and is tried again", why=self._why)

    def _goes_well(self) -> None:
        self._failing.set(0)
        if self._failures:
            self._log(logging.INFO, "webhook takes events again", failures=self._failures)
        self._failures = 0

    def _tell_given_up(self, events: int) -> None:
        self._log(logging.WARNING, "webhook was not told of events", events=events, why=self._why)
        number = "one event" if events == 1 else f"{events} events"
        said = f"the webhook {self._webhook.name} was not told of {number}: it {self._why}"
        self._outbox.record(Event(EventKind.WEBHOOK, EventReason.GAVE_UP, said))

    def _log(self, level: int, words: str, **pairs: object) -> None:
        log.log(level, words, extra={"pairs": {"webhook": self._webhook.name, **pairs}})


def pause(failures: int, chance: float) -> float:
    """Seconds until the next try: twice as long each time, and never quite as long as another's."""
    return min(PAUSE_FIRST * 2.0 ** min(failures - 1, 30), PAUSE_LAST) * (0.5 + chance / 2)


# ---------------------------------------------------------------- one event, once


@dataclass(frozen=True, slots=True)
class Reply:
    why: str = ""
    """What the receiver does in place of taking the event; empty: it took it."""
    refused: bool = False
    """And will do so however often the event comes."""
    pause: float = 0.0
    """Seconds that it wants to be left alone."""


class _Courier:
    def __init__(self, http: aiohttp.ClientSession, instance: str) -> None:
        self._http = http
        self._instance = instance

    async def send(self, webhook: Webhook, each: Recorded) -> Reply:
        """No redirect is followed and no answer read, so that nobody is shown what the address may lead to."""
        body = chat_line(self._instance, each.event) if webhook.slack else payload(self._instance, each)
        headers = {"Content-Type": "application/json"}
        if webhook.secret:
            headers |= signed(webhook.secret, f"{self._instance}-{each.id}", int(time.time()), body)
        try:
            async with self._http.post(webhook.url, data=body, headers=headers, allow_redirects=False) as answer:
                return _reply(answer.status, answer.headers.get("Retry-After", ""))
        except TimeoutError:
            return Reply(f"did not answer within {PATIENCE:g} s")
        except aiohttp.ClientConnectorError as error:
            return Reply(f"cannot be reached: {error.os_error.strerror or type(error.os_error).__name__}")
        except (aiohttp.ClientError, OSError, ValueError) as error:  # whose words may have the whole address
            return Reply(f"broke the connection off ({type(error).__name__})")


class _Names(AbstractResolver):
    """Looks names up in threads of its own: a name server that hangs keeps nobody from theirs, nor us from our end."""

    def __init__(self, lookups: int) -> None:
        self._threads = Threads("webhook-names", lookups)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        asked = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=str(there[0]), port=port, family=kind, proto=proto, flags=flags)
            for kind, _, proto, _, there in await self._threads.run(asked)
        ]

    async def close(self) -> None:
        self._threads.close()


def _reply(status: int, retry_after: str) -> Reply:
    if 200 <= status < 300:
        return Reply()
    return Reply(f"answered with HTTP status {status}", status in REFUSED, _asked_for(retry_after, datetime.now(UTC)))


def _asked_for(retry_after: str, now: datetime) -> float:
    """Seconds; `Retry-After` is a number of them or a moment (RFC 9110, 10.2.3), and anything else is none."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return min(float(retry_after), LONGEST_PAUSE)
    try:
        seconds = (parsedate_to_datetime(retry_after) - now).total_seconds()
    except (ValueError, TypeError):  # the latter of a moment without a time zone
        return 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def payload(instance: str, each: Recorded) -> bytes:
    """The event as `GET /v1/events` has it, and which controller's it is."""
    told = {"instance": instance, "id": each.id, "at": timestamp(each.at), **asdict(each.event)}
    return json.dumps(told).encode()


def chat_line(instance: str, event: Event) -> bytes:
    """In the form of Slack's incoming webhooks, which others take, too."""
    whom = f"user {event.user_id}, " if event.user_id is not None else ""
    text = f"[{instance}] {whom}{event.reason}: {event.message}"
    for letter, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):  # else it could mention everybody
        text = text.replace(letter, escaped)
    return json.dumps({"text": text}).encode()


def signed(secret: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks (https://www.standardwebhooks.com), which has a library for most languages."""
    proof = hmac.new(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(proof).decode()}",
    }
