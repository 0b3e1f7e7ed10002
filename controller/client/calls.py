"""Every call once: what is sent, how its answer is read, and when it is sent again. No socket, no clock, no loop here.

A verb is written as `steps.py` has it: a generator that says what to send and how long to wait, is told what came of
it, and returns the answer.

Answers are what `shapes.py` and its like say that they are, and are held to it: a time is a `datetime`, a condition a
`Condition`. What a newer controller says besides is left out; `call` gives any answer's JSON as it came.
"""

from __future__ import annotations

import copy
import functools
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar, cast
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from controller import event_shapes, node_shapes, shapes, state_shapes
from controller.client.address import address_of
from controller.client.errors import NotReady, NotThisController, Refused, Unreachable
from controller.client.sse import Messages
from controller.client.steps import Following, Happened, Listen, Lost, More, Pause, Request, Response, Steps, Verb
from controller.events import EventKind

HERE = "http://127.0.0.1:8080"
PREFIX = "matlab-user-"
READY_TIMEOUT, READY_LOOK = 60.0, 0.5
"""Seconds that a session is waited for, unless asked otherwise, and between two looks at it."""
REFUSAL = {"error", "request_id"}
"""What every refusal of a controller has; others, such as a session's own page, say `error` as well."""
NOTHING_DONE = ("engine_unavailable", "not_persisted", "too_many_connections")
"""Codes of a 503 after which any call may be sent again: nothing was done, and it passes by itself."""
LONGEST_WAIT = 60.0
"""Seconds that an answer may ask for with `Retry-After`."""
PAGE = 1000
"""Events that are asked for at once by who follows them."""
STREAM_SILENCE = 45.0
"""Seconds: a stream that lives says something every 10."""
STREAM_REST = 1.0
"""Seconds between the end of one stream and the beginning of the next."""

Json = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    look: float = 10.0
    """Seconds that the answer to a call may take that only looks; it takes milliseconds."""
    change: float = 330.0
    """The same of a change: it is answered when it took effect, or after the controller's `create_timeout_seconds`."""
    again: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Seconds before each further attempt of a call that may be sent again; empty: there is none."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json


class Calls:
    """What an API can be asked. Each verb has the name that its endpoint has in the API's own description (`/docs`).

    Whichever it is, it may raise
        Refused: the controller said no. A call refused with 4xx changed nothing, but for 409 `superseded`.
        Unreachable: there was no answer, after as many attempts as are safe.
    """

    def __init__(
        self,
        server: str = HERE,
        *,
        token: str = "",
        certificate: Path | None = None,
        container_prefix: str = PREFIX,
        patience: Patience = Patience(),
    ) -> None:
        """`certificate`: the controller's own, for `https`, in place of the authorities that this machine trusts.

        Raises:
            ValueError: there can be no API at `server`.
        """
        self.server = server
        self._address = address_of(server, certificate)
        self._token = token
        self._prefix = container_prefix
        self._patience = patience
        self._request_id = ""

    def under(self, request_id: str) -> Self:
        """The same client, whose calls go under this id: 1 to 128 of letters, digits, `-`, `_`, `.`, `:`, `@`.

        The controller's log, events and audit tell by it what a call did. Without it each call makes its own.
        """
        other = copy.copy(self)
        other._request_id = request_id
        return other

    # ------------------------------------------------------------ what callers rely on

    @Verb
    def create(self, user_id: int, session_id: str | None = None) -> Steps[shapes.Created]:
        """Give a user a session. Where its `status` is `pending`, it does not run yet; `wait_ready` waits for it."""
        body = _given(user_id=user_id, session_id=session_id)
        return self._ask(shapes.Created, self._change("POST", "/create", body, again=True))

    @Verb
    def destroy(self, user_id: int, session_id: str | None = None) -> Steps[shapes.Told]:
        """Take a user's session away; the user's files stay. With a `session_id`: only if it is the current one."""
        name, body = self._container(user_id), _given(session_id=session_id)
        gone: shapes.Told = {"message": "Container destroyed successfully", "container_id": name}
        request = self._change("POST", f"/destroy/{name}", body, again=session_id is not None)
        return self._ask(shapes.Told, request, gone=gone)

    @Verb
    def restart(self, user_id: int, session_id: str | None = None) -> Steps[shapes.Told]:
        """Start a user's session anew. With a `session_id`: only if it is the current one."""
        path, body = f"/restart/{self._container(user_id)}", _given(session_id=session_id)
        return self._ask(shapes.Told, self._change("POST", path, body))

    @Verb
    def health(self, user_id: int) -> Steps[shapes.Health]:
        """Whether a session runs, what it uses, and whether its page and its WebSocket answer."""
        return self._health(user_id)

    @Verb
    def list_containers(self) -> Steps[shapes.Containers]:
        """All containers, by ascending user id."""
        return self._ask(shapes.Containers, self._look("/list"))

    @Verb
    def service(self) -> Steps[shapes.ServiceDocument]:
        """What answers here, and its endpoints."""
        return self._ask(shapes.ServiceDocument, self._look("/"))

    @Verb
    def wait_ready(
        self, user_id: int, timeout: float = READY_TIMEOUT, look: float = READY_LOOK
    ) -> Steps[shapes.HealthRunning]:
        """Wait until a session can be used: it runs, and its page and its WebSocket have really answered.

        `look`: seconds between two looks at it. A controller or an engine that is away meanwhile is waited for, too.

        Raises:
            NotReady: not within `timeout` seconds, and why not.
            Unreachable: the same, and the controller does not answer.
            Refused: nobody wants a session for this user (404), or this caller may not ask.
        """
        now: float = yield Pause(0)
        end = now + timeout
        while True:
            failure: Unreachable | None = None
            rest = look
            try:
                health = yield from self._health(user_id, once=True)
                if health["status"] == "running" and health["web_service"] == health["websocket_service"] == "healthy":
                    return health
            except Unreachable as error:
                failure = error
            except Refused as error:
                if error.status not in (429, 503):
                    raise
                rest = max(rest, error.retry_after)
            now = yield Pause(0)
            if now + rest > end:
                raise failure or (yield from self._not_ready(user_id, timeout))
            yield Pause(rest)

    # ------------------------------------------------------------ users

    @Verb
    def users(self) -> Steps[shapes.Users]:
        """Everybody who is declared or has a container."""
        return self._ask(shapes.Users, self._look("/v1/users"))

    @Verb
    def user(self, user_id: int) -> Steps[shapes.User]:
        """All that is known of one user; `why` says it in a sentence."""
        return self._ask(shapes.User, self._look(f"/v1/users/{user_id}"))

    @Verb
    def declare(self, user_id: int, entry: shapes.UserEntry) -> Steps[shapes.User]:
        """Say all that is wanted of a user: `{}` is a running session with the defaults."""
        return self._ask(shapes.User, self._change("PUT", f"/v1/users/{user_id}", entry, again=True))

    @Verb
    def amend(self, user_id: int, change: shapes.UserChange, session_id: str | None = None) -> Steps[shapes.User]:
        """Change what is wanted of a user: the fields that are named; `None` is the default again.

        With a `session_id`: only if it is the current one.
        """
        path = with_query(f"/v1/users/{user_id}", session_id=session_id)
        return self._ask(shapes.User, self._change("PATCH", path, change, again=session_id is not None))

    @Verb
    def amend_many(
        self, users: Mapping[int, shapes.OneOfMany | None], *, force: bool = False
    ) -> Steps[state_shapes.InForce]:
        """Change many users' entries at once, all or none; `None` takes a user out. No effect is waited for.

        `force` passes the brake, which refuses a change that would end many sessions.
        """
        body = {"users": {str(user_id): each for user_id, each in users.items()}, "force": force}
        return self._ask(state_shapes.InForce, self._change("PATCH", "/v1/users", body))

    @Verb
    def undeclare(self, user_id: int, session_id: str | None = None) -> Steps[shapes.UserRemoved]:
        """Take a user out of the desired state, as `destroy` does."""
        path = with_query(f"/v1/users/{user_id}", session_id=session_id)
        gone: shapes.UserRemoved = {"message": "User removed", "user_id": user_id}
        request = self._change("DELETE", path, again=session_id is not None)
        return self._ask(shapes.UserRemoved, request, gone=gone)

    @Verb
    def logs(self, user_id: int, tail: int | None = None) -> Steps[shapes.LogLines]:
        """The last lines of a session's output: 100, unless asked otherwise."""
        return self._ask(shapes.LogLines, self._look(f"/v1/users/{user_id}/logs", tail=tail))

    # ------------------------------------------------------------ the desired state as a whole

    @Verb
    def text(self) -> Steps[state_shapes.TextInForce]:
        """The desired state in force, as YAML."""
        return self._ask(state_shapes.TextInForce, self._look("/v1/desired-state"))

    @Verb
    def schema(self) -> Steps[dict[str, Any]]:
        """What may stand in it here, as a JSON Schema."""
        return self._ask(dict[str, Any], self._look("/v1/desired-state/schema"))

    @Verb
    def apply(self, text: str, force: bool = False, generation: int | None = None) -> Steps[state_shapes.InForce]:
        """Bring a whole text into force, merged from the generation that it was edited from. `force`: past the brake.

        That generation stands in the text, or, where the text lies on a branch of git, is `generation`.
        """
        body = _given(text=text, force=force, generation=generation)
        return self._ask(state_shapes.InForce, self._change("PUT", "/v1/desired-state", body))

    @Verb
    def plan(self) -> Steps[state_shapes.Planned]:
        """What would be done now, and why."""
        return self._ask(state_shapes.Planned, self._look("/v1/plan"))

    @Verb
    def plan_text(self, text: str, generation: int | None = None) -> Steps[state_shapes.TextPlanned]:
        """What would be done if this text were applied, or where it is wrong. Nothing is changed."""
        body = _given(text=text, generation=generation)
        return self._ask(state_shapes.TextPlanned, self._change("POST", "/v1/plan", body, again=True))

    @Verb
    def approve(self, pending_id: str) -> Steps[state_shapes.InForce]:
        """Let a change through that the brake holds: the `id` of `pending` in `overview`."""
        return self._ask(state_shapes.InForce, self._change("POST", "/v1/approve", {"id": pending_id}))

    @Verb
    def reject(self, pending_id: str) -> Steps[state_shapes.InForce]:
        """Drop such a change."""
        return self._ask(state_shapes.InForce, self._change("POST", "/v1/reject", {"id": pending_id}))

    @Verb
    def pause(self, user_ids: Sequence[int] | None = None) -> Steps[state_shapes.PausedNow]:
        """Leave these users' containers alone; `None`: everybody's."""
        return self._ask(state_shapes.PausedNow, self._change("POST", "/v1/pause", _given(user_ids=user_ids)))

    @Verb
    def resume(self, user_ids: Sequence[int] | None = None) -> Steps[state_shapes.PausedNow]:
        """Leave them alone no longer."""
        return self._ask(state_shapes.PausedNow, self._change("POST", "/v1/resume", _given(user_ids=user_ids)))

    @Verb
    def history(self, limit: int | None = None) -> Steps[state_shapes.Generations]:
        """The last generations of the desired state, newest first: 50, unless asked otherwise."""
        return self._ask(state_shapes.Generations, self._look("/v1/history", limit=limit))

    @Verb
    def generation(self, generation: int) -> Steps[state_shapes.OneGeneration]:
        """One of them, with its text and what it changed."""
        return self._ask(state_shapes.OneGeneration, self._look(f"/v1/history/{generation}"))

    @Verb
    def rollback(self, generation: int) -> Steps[state_shapes.InForce]:
        """Bring an earlier text into force again, as a new generation."""
        return self._ask(state_shapes.InForce, self._change("POST", "/v1/rollback", {"generation": generation}))

    @Verb
    def events(
        self,
        user_id: int | None = None,
        after: int | None = None,
        limit: int | None = None,
        kinds: Sequence[EventKind] = (),
    ) -> Steps[event_shapes.Events]:
        """What happened, oldest first: the first ones after the id `after` (0: of all), or without it the last ones."""
        return self._ask(event_shapes.Events, self._events(user_id=user_id, after=after, limit=limit, kind=kinds))

    @Verb
    def audit(
        self, user_id: int | None = None, after: int | None = None, limit: int | None = None
    ) -> Steps[event_shapes.Audit]:
        """Who changed what, from where, and why."""
        return self._ask(event_shapes.Audit, self._look("/v1/audit", user_id=user_id, after=after, limit=limit))

    # ------------------------------------------------------------ the controller

    @Verb
    def nodes(self) -> Steps[node_shapes.SwarmNodes]:
        """The nodes of a swarm, whose sessions are on each, and who is on the way; none where there is one host."""
        return self._ask(node_shapes.SwarmNodes, self._look("/v1/nodes"))

    @Verb
    def drain(self, node: str) -> Steps[node_shapes.SwarmNode]:
        """Have the sessions of a node, by its name or id, move to others. `nodes` tells how far that is."""
        path = f"/v1/nodes/{quote(node, safe='')}/drain"
        return self._ask(node_shapes.SwarmNode, self._change("POST", path, again=True))

    @Verb
    def activate(self, node: str) -> Steps[node_shapes.SwarmNode]:
        """Take a node back, by its name or id."""
        path = f"/v1/nodes/{quote(node, safe='')}/activate"
        return self._ask(node_shapes.SwarmNode, self._change("POST", path, again=True))

    @Verb
    def overview(self) -> Steps[shapes.Overview]:
        """How the controller is doing: desired state, engine, queue, and what waits for approval."""
        return self._ask(shapes.Overview, self._look("/v1/status"))

    @Verb
    def alive(self) -> Steps[shapes.Alive]:
        """Whether the controller lives."""
        return self._ask(shapes.Alive, self._look("/healthz"))

    @Verb
    def ready(self) -> Steps[shapes.Ready]:
        """Whether the controller can do its work; if not, it is Refused with 503 `not_ready`."""
        return self._ask(shapes.Ready, self._look("/readyz"))

    @Verb
    def call(self, method: str, path: str, body: Json | None = None) -> Steps[Answer]:
        """Any call, its JSON as it came. Only a GET is sent again where something of it was sent."""
        return self._answer(self._look(path) if method == "GET" else self._change(method, path, body))

    # ------------------------------------------------------------ steps of several verbs

    def _health(self, user_id: int, *, once: bool = False) -> Steps[shapes.Health]:
        shape = cast("type[shapes.Health]", shapes.Health)  # an alias, which is no type to a checker
        return self._ask(shape, self._look(f"/health/{self._container(user_id)}"), once=once)

    def _not_ready(self, user_id: int, seconds: float) -> Steps[NotReady]:
        try:
            user = yield from self._ask(shapes.User, self._look(f"/v1/users/{user_id}"), once=True)
        except (Refused, Unreachable) as error:
            return NotReady(user_id, seconds, str(error))
        return NotReady(user_id, seconds, user["why"])

    def _events(self, **query: object) -> Request:
        return self._look("/v1/events", **query)

    def _following(self, user_id: int | None, after: int | None, kinds: Sequence[EventKind]) -> Following[None]:
        """Steps without end that tell each event once: those after the id `after`, or without it those from now on.

        What happened before a stream began, or between two, is asked for in pages.
        """
        which: Json = {"user_id": user_id, "kind": kinds}
        if after is None:
            last = (yield from self._ask(event_shapes.Events, self._events(limit=1)))["events"]
            after = last[-1]["id"] if last else 0
        while True:
            page = yield from self._ask(event_shapes.Events, self._events(**which, after=after, limit=PAGE))
            for each in page["events"]:
                yield Happened(each)
                after = each["id"]
            if not page["events"]:
                after = yield from self._listening(self._events(**which), after)
                yield Pause(STREAM_REST)

    def _listening(self, look: Request, after: int) -> Following[int]:
        """Steps for as long as one stream lives and leaves nothing out; the id of the last event."""
        stream = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        opened: int | Lost = yield Listen(replace(look, headers={**look.headers, **stream}, timeout=STREAM_SILENCE))
        messages = Messages()
        while opened == 200:
            piece: bytes | Lost = yield More()
            if isinstance(piece, Lost) or not piece:
                break
            for message in messages.feed(piece):
                if message.event == "gap":
                    return after
                if message.event == "happened":
                    told = self._read(look, Response(200, message.data.encode())).body
                    event = self._shaped(event_shapes.HappenedEvent, told, look)
                    yield Happened(event)
                    after = event["id"]
        return after

    # ------------------------------------------------------------ one call

    def _look(self, path: str, **query: object) -> Request:
        return self._request("GET", with_query(path, **query), None, again=True)

    def _change(self, method: str, path: str, body: Json | None = None, *, again: bool = False) -> Request:
        return self._request(method, path, body, again=again)

    def _request(self, method: str, target: str, body: Json | None, *, again: bool) -> Request:
        headers = {"Accept": "application/json", "X-Request-ID": self._request_id or secrets.token_hex(16)}
        headers |= {} if body is None else {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {self._token}"} if self._token else {}
        timeout = self._patience.look if method == "GET" else self._patience.change
        return Request(method, target, headers, None if body is None else to_json(body), timeout, again)

    def _ask(self, shape: type[T], request: Request, *, gone: T | None = None, once: bool = False) -> Steps[T]:
        """`gone`: the answer where an attempt was lost and the next finds nothing, which was the lost one's doing.

        `once`: it is not sent again, whatever comes of it.
        """
        response, lost = yield from self._sent(request, () if once else self._patience.again)
        try:
            answer = self._read(request, response)
        except Refused as error:
            if gone is None or not lost or error.status != 404:
                raise
            return gone
        return self._shaped(shape, answer.body, request)

    def _answer(self, request: Request) -> Steps[Answer]:
        response, _ = yield from self._sent(request, self._patience.again)
        return self._read(request, response)

    def _sent(self, request: Request, waits: tuple[float, ...]) -> Steps[tuple[Response, bool]]:
        """The last attempt's response, and whether one before it was lost that may have done its work.

        Raises:
            Unreachable: the last attempt has none.
        """
        lost = False
        for wait in (*waits, None):
            reply: Response | Lost = yield request
            if wait is None or not _may_go_again(request, reply):
                break
            lost = lost or _may_be_done(reply)
            yield Pause(max(wait, _asked_to_wait(reply)))
        if isinstance(reply, Lost):
            raise Unreachable(f"No controller can be reached at {self.server}: {reply.why}.")
        return reply, lost

    def _read(self, request: Request, response: Response) -> Answer:
        body = _json(response)
        if response.status in (502, 503, 504) and not (isinstance(body, dict) and "error" in body):
            raise Unreachable(f"No controller can be reached at {self.server}: what stands before it says so.")
        if body is None:
            raise self._another(f"{request.target} is not JSON there")
        if not isinstance(body, dict) or (response.status >= 400 and REFUSAL - body.keys()):
            raise self._another(f"{request.target} is another's answer")
        if response.status >= 400:
            raise Refused(response.status, body, _asked_to_wait(response))
        return Answer(response.status, body)

    def _shaped(self, shape: type[T], body: Json, request: Request) -> T:
        try:
            return cast(T, _adapter(cast(Any, shape)).validate_python(body))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise self._another(f"{request.target} answers otherwise there, or in another version: {place}") from error

    def _another(self, why: str) -> NotThisController:
        return NotThisController(f"What answers at {self.server} is not this controller: {why}.")

    def _container(self, user_id: int) -> str:
        return f"{self._prefix}{user_id}"


# ---------------------------------------------------------------- helpers


def _may_go_again(request: Request, reply: Response | Lost) -> bool:
    match reply:
        case Lost() | Response(status=429):
            return request.again or not _may_be_done(reply)
        case Response(status=502 | 503 | 504):
            return _code(reply) in NOTHING_DONE or (request.again and _may_be_done(reply))
        case _:
            return False


def _may_be_done(reply: Response | Lost) -> bool:
    """Nobody told: the answer was lost, or is that of a proxy, which does not know what became of the call."""
    if isinstance(reply, Lost):
        return reply.sent
    return reply.status in (502, 503, 504) and not _code(reply)


def _asked_to_wait(reply: Response | Lost) -> float:
    """Seconds; 0 where nothing was asked."""
    asked = reply.retry_after if isinstance(reply, Response) else ""
    return min(float(asked), LONGEST_WAIT) if asked.isdecimal() else 0.0


def _code(response: Response) -> str:
    """Of a refusal; empty where it is not the controller's."""
    body = _json(response)
    return str(body.get("code", "")) if isinstance(body, dict) else ""


def _json(response: Response) -> Any:
    """`None`: it is none."""
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def with_query(path: str, **query: object) -> str:
    asked = urlencode(_given(**query), doseq=True)
    return f"{path}?{asked}" if asked else path


@functools.cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)
