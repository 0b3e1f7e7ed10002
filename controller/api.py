"""The REST API: what callers rely on (docs/api.md), and the fuller `/v1` beside it.

A call that changes something writes the wish, asks the loop for a pass, and answers from what that pass made of it; it
never touches a container itself. How HTTP is read and errors are written is `http.py`'s business, the words of the
answers `status.py`'s.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Protocol, assert_never

from aiohttp import web
from prometheus_client.registry import Collector

from controller import dashboard, entries, live, metrics, nodes, openapi, picture, refresh, shapes, spec, status, wishes
from controller.caller import Scope
from controller.calls import Calls
from controller.conditions import STARTING
from controller.doorkeeper import CALLER, Doorkeeper, writer
from controller.endpoints import ENDPOINTS, LOG_LINES, MAX_LOG_LINES
from controller.errors import EngineUnavailable, NeedsApproval
from controller.http import (
    Handlers,
    Refusal,
    answer,
    encoded_answer,
    flag,
    note,
    read_object,
    read_optional_object,
    refuse_unknown,
    speaks_json,
    unknown_fields,
)
from controller.model import DesiredState, EngineView, Phase, RunState, UserView, Wish
from controller.picture import Picture
from controller.plain import timestamp
from controller.spec import container_name, user_id_of
from controller.store import Change
from controller.target import Site
from controller.watch import Watch
from controller.wishes import MAX_TEXT_BODY, Wishes

LOOK_SECONDS = 5.0
"""So long a caller waits for a look at the engine; then the last knowledge has to do, and is marked as such."""
HEALTH_AGE = 2.0
"""Seconds: older knowledge is looked up again before health is told from it."""
NOW = "now"
"""As `restart_at` in `PATCH /v1/users`: this moment, by the engine's clock."""


class Observer(picture.Observer, Protocol):
    """What the API asks of the informer."""

    def subscribe(self, watcher: Watch) -> None: ...

    async def refresh(self, user_id: int, max_age: float) -> UserView:
        """Container, probe and usage not older than `max_age` seconds; where the engine is away, the last view."""
        ...

    async def wait(self, user_id: int, until: Callable[[UserView], bool], seconds: float) -> UserView:
        """The first view for which `until` holds, or the last one when the time is over."""
        ...

    async def logs(self, user_id: int, tail: int) -> str: ...

    async def engine_now(self) -> datetime: ...


class Loop(metrics.Loop, nodes.Loop, wishes.Planner, Protocol):
    """What the API asks of the reconciler."""

    def retry_now(self, user_id: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """What callers are promised, and what they are told of the other parts."""

    max_users: int
    create_timeout: float
    """Seconds that a call waits for its effect before it answers 202."""
    version: str
    refresh_secret: str = field(default="", repr=False)
    """Whoever knows it may have the branch fetched; empty: nobody."""
    counted: tuple[Collector, ...] = ()
    """What those count, for `GET /metrics`."""


class Outcome(Enum):
    """What became of a change while its caller waited."""

    DONE = auto()
    FAILED = auto()
    PENDING = auto()
    """Not yet, or the engine is away: the wish stands and is worked on."""
    SUPERSEDED = auto()
    """Another writer asked for the opposite meanwhile."""


@dataclass(frozen=True, slots=True)
class Effect:
    outcome: Outcome
    before: UserView
    after: UserView
    was: Wish | None
    """The entry before the change."""


def build_app(
    store: Wishes, observer: Observer, loop: Loop, site: Site, terms: Terms, doorkeeper: Doorkeeper
) -> web.Application:
    """The API as an application; serve it with `connections.Runner`."""
    shown = Picture(store, observer, loop, site, terms.version)
    api = _Api(store, observer, loop, site, terms, shown)
    watch = Watch(STARTING)
    observer.subscribe(watch)
    store.subscribe(watch.changed)
    store.follow(watch.happened)
    needs = {(each.method, each.path): each.need for each in ENDPOINTS}
    calls = Calls()
    app = web.Application(middlewares=[speaks_json(calls), doorkeeper.middleware(needs)])
    build = {"version": terms.version, "instance_id": site.instance}
    handlers = {
        **api.handlers,
        **wishes.handlers(store, loop, spec.json_schema_here(site.profiles, terms.max_users)),
        **nodes.handlers(loop, observer.views, store.record),
        **live.handlers(store, watch, shown, doorkeeper.still_knows),
        **refresh.handlers(store, terms.refresh_secret),
        **dashboard.handlers(),
        **metrics.handlers(store, observer, loop, build, (calls, *terms.counted)),
        **openapi.handlers(site, terms.max_users, terms.version, doorkeeper.locked),
    }
    handlers["service"] = dashboard.for_browsers(handlers["service"])
    app.add_routes(web.route(each.method, each.path, handlers[each.name]) for each in ENDPOINTS)
    app.add_routes(dashboard.routes(handlers))

    async def say_goodbye(_: web.Application) -> None:
        watch.close()

    app.on_shutdown.append(say_goodbye)
    return app


class _Api:
    def __init__(self, store: Wishes, observer: Observer, loop: Loop, site: Site, terms: Terms, shown: Picture) -> None:
        self._store = store
        self._observer = observer
        self._loop = loop
        self._site = site
        self._terms = terms
        self._picture = shown
        self._rows = _Rows(site)
        named = {each.named: each.summary for each in ENDPOINTS if each.name != "service"}
        self._service = json.dumps(status.service_document(named)).encode()
        self.handlers: Handlers = {
            each.__name__: each
            for each in (
                *(self.service, self.create, self.destroy, self.restart, self.health, self.list_containers),
                *(self.users, self.amend_many, self.user, self.declare, self.amend, self.undeclare, self.logs),
                *(self.overview, self.alive, self.ready),
            )
        }

    # ------------------------------------------------------------ what callers rely on

    async def service(self, _: web.Request) -> web.Response:
        return encoded_answer(self._service)

    async def create(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        user_id = body.get("user_id")
        if type(user_id) is not int or not 1 <= user_id <= self._terms.max_users:  # True is an int to isinstance
            raise self._no_such_id()
        session_id = entries.session_id(body, request)
        note(request, user=user_id, session_id=session_id)

        def change(wish: Wish | None) -> Wish:
            held = wish or Wish()
            return replace(held, state=None, session_id=held.session_id if session_id is None else session_id)

        effect = await self._carry_out(request, user_id, change, _running)
        return answer(
            self._created(effect) | _warnings(body, shapes.fields(shapes.Creation)), self._created_status(effect)
        )

    async def destroy(self, request: web.Request) -> web.Response:
        user_id = self._container_of(request)
        session_id, warnings = await _session_asked_for(request)
        effect = await self._remove(request, user_id, session_id)
        there = {"container_id": self._name(user_id)}
        if effect is None:
            raise Refusal(404, "not_found", "Container not found", message="Container not found", **there)
        return self._told(effect, "destroy", {"message": "Container destroyed successfully", **there} | warnings)

    async def restart(self, request: web.Request) -> web.Response:
        user_id = self._container_of(request)
        session_id, warnings = await _session_asked_for(request)
        note(request, user=user_id, session_id=session_id)
        self._known(user_id)
        before = self._observer.view(user_id)
        restart_at = spec.just_after(await self._engine_now())

        def change(wish: Wish | None) -> Wish:
            if wish is None:
                raise self._not_found(user_id)
            entries.check_session(user_id, wish, session_id)
            return replace(wish, state=None, restart_at=restart_at)

        def restarted(view: UserView) -> bool:
            container = view.container
            started = container.started_at if container is not None and _running(view) else None
            return started is not None and started >= restart_at and not _same_run(before, view)

        effect = await self._carry_out(request, user_id, change, restarted)
        there = {"container_id": self._name(user_id)}
        return self._told(effect, "restart", {"message": "Container restarted successfully", **there} | warnings)

    async def health(self, request: web.Request) -> web.Response:
        user_id = self._container_of(request)
        view = await self._found(user_id)
        return answer(status.health_answer(self._site, view, _now()))

    async def list_containers(self, _: web.Request) -> web.Response:
        return encoded_answer(self._rows.encoded(self._observer.views(), self._observer.engine))

    # ------------------------------------------------------------ /v1

    async def users(self, request: web.Request) -> web.Response:
        documents = list(self._picture.documents(self._picture.users(), request[CALLER].scope))
        old = status.staleness(self._observer.engine, _now())
        return answer({"total": len(documents), "users": documents, **old})

    async def user(self, request: web.Request) -> web.Response:
        user_id = self._user_of(request)
        return answer(self._picture.document(await self._found(user_id), request[CALLER].scope))

    async def declare(self, request: web.Request) -> web.Response:
        user_id = self._user_of(request)
        wish = entries.entry(await read_object(request), request, self._site.profiles)
        note(request, user=user_id, session_id=wish.session_id)
        return await self._declared(request, user_id, lambda _: wish)

    async def amend(self, request: web.Request) -> web.Response:
        user_id = self._user_of(request)
        body = await read_object(request)
        changes = entries.changes(body, self._site.profiles)
        meant = entries.session_id({}, request)
        note(request, user=user_id, session_id=meant)

        def change(wish: Wish | None) -> Wish:
            if wish is None:
                raise self._not_found(user_id)
            entries.check_session(user_id, wish, meant)
            return replace(wish, **changes)

        return await self._declared(request, user_id, change, pause_alone=changes == {"paused": True})

    async def amend_many(self, request: web.Request) -> web.Response:
        """Several users' entries as one change, and so one generation. What becomes of each is not waited for."""
        body = await read_object(request, MAX_TEXT_BODY)
        refuse_unknown(body, shapes.fields(shapes.UsersChange))
        asked, force = body.get("users"), flag(body, "force")
        if not isinstance(asked, dict) or not all(each is None or isinstance(each, dict) for each in asked.values()):
            raise Refusal(400, "invalid_users", "`users` must map user ids to what changes of each, or to null.")
        patches = {self._user_id(word): each for word, each in asked.items()}
        if any(each and each.get("restart_at") == NOW for each in patches.values()):
            now = timestamp(spec.just_after(await self._engine_now()))
            patches = {
                user_id: {**each, "restart_at": now} if each and each.get("restart_at") == NOW else each
                for user_id, each in patches.items()
            }
        known = {
            user_id: None if each is None else entries.changes(each, self._site.profiles)
            for user_id, each in patches.items()
        }

        def amend(state: DesiredState) -> DesiredState:
            for user_id, changes in known.items():
                held = state.users.get(user_id)
                state = state.with_entry(user_id, None if changes is None else replace(held or Wish(), **changes))
            return state

        try:
            state = await self._store.amend(amend, writer(request), braked=not force)
        except NeedsApproval as error:
            sentence = f"Nothing was changed, for {error}."
            raise Refusal(409, error.code, sentence, details="Say `force`: true once somebody has agreed.") from error
        note(request, generation=state.generation)
        for user_id in patches:
            self._loop.retry_now(user_id)
        return answer({"generation": state.generation})

    async def _declared(
        self, request: web.Request, user_id: int, change: Change, *, pause_alone: bool = False
    ) -> web.Response:
        """`pause_alone`: nothing else is asked for."""

        def done(view: UserView) -> bool:
            """By what is wanted now: another call may have changed that before this one's turn came."""
            if self._store.current.pauses(user_id):  # it runs or rests as it did before, whatever else is declared
                return pause_alone
            rests = _asked(self._store.current.users.get(user_id)) is RunState.STOPPED
            return _stopped(view) if rests else _running(view)

        effect = await self._carry_out(request, user_id, change, done)
        if effect.outcome is Outcome.SUPERSEDED:
            raise self._superseded(user_id)
        in_force = effect.outcome is Outcome.DONE and not effect.after.progress.error
        return answer(
            self._picture.document(effect.after, Scope.WRITE), (201 if effect.was is None else 200) if in_force else 202
        )

    async def undeclare(self, request: web.Request) -> web.Response:
        user_id = self._user_of(request)
        session_id, _ = await _session_asked_for(request, closed=True)
        effect = await self._remove(request, user_id, session_id)
        if effect is None:
            raise self._not_found(user_id)
        return self._told(effect, "destroy", {"message": "User removed", "user_id": user_id})

    async def logs(self, request: web.Request) -> web.Response:
        user_id = self._user_of(request)
        tail = request.query.get("tail", str(LOG_LINES))
        if re.fullmatch(r"[1-9][0-9]{0,4}", tail) is None or int(tail) > MAX_LOG_LINES:
            raise Refusal(400, "invalid_tail", f"`tail` must be a number of lines from 1 to {MAX_LOG_LINES}.")
        text = await self._observer.logs(user_id, int(tail))
        return answer({"user_id": user_id, "container_id": self._name(user_id), "lines": text.splitlines()})

    async def overview(self, _: web.Request) -> web.Response:
        return answer(self._picture.overview())

    async def alive(self, _: web.Request) -> web.Response:
        return answer({"status": "alive"})

    async def ready(self, _: web.Request) -> web.Response:
        if not self._store.health.valid and self._store.current.generation == 0:
            raise Refusal(503, "not_ready", "No desired state could be read yet; GET /v1/status says why.")
        if not self._observer.engine.reachable:
            raise Refusal(503, "not_ready", f"The engine cannot be reached: {self._observer.engine.error}")
        return answer({"status": "ready"})

    # ------------------------------------------------------------ changing the wish, and seeing what becomes of it

    async def _carry_out(
        self, request: web.Request, user_id: int, change: Change, done: Callable[[UserView], bool]
    ) -> Effect:
        """Write the wish, have it looked at, and wait for its effect; `done` tells the effect from a view.

        Only what was seen after the call came counts, and only a pass that acted on this change or a later one. The
        write is part of the time that the caller waits: a branch of git may take a while.
        """
        asked_at = time.monotonic()
        if not self._loop.activity().resyncs:  # the controller has just started, and does not know what runs
            await self._look(user_id, 0)
        before = self._observer.view(user_id)
        was: list[Wish | None] = []

        def noted(wish: Wish | None) -> Wish | None:
            was[:] = [wish]
            return change(wish)

        state = await self._store.change(user_id, noted, writer(request))
        wanted = _asked(state.users.get(user_id))
        note(request, generation=state.generation)
        if not self._observer.engine.reachable:
            await self._look(user_id, 0)  # it may be back
        passes = self._observer.view(user_id).progress.passes

        def outcome(view: UserView) -> Outcome | None:
            progress = view.progress
            acted = progress.generation >= state.generation
            forgotten = view.observed_at is None and before.observed_at is not None
            seen = forgotten or (acted and view.observed_at is not None and view.asked_at >= asked_at)
            if _asked(self._store.current.users.get(user_id)) is not wanted:
                return Outcome.SUPERSEDED
            if not view.engine.reachable:
                return Outcome.PENDING
            if seen and done(view):
                return Outcome.DONE
            if self._store.current.pauses(user_id):  # what does not hold already will not come about
                return Outcome.PENDING if seen else None
            if acted and progress.error and progress.passes > passes:
                return Outcome.PENDING if progress.code == "engine_unavailable" else Outcome.FAILED
            return None

        self._loop.retry_now(user_id)
        left = max(0.0, self._terms.create_timeout - (time.monotonic() - asked_at))
        after = await self._observer.wait(user_id, lambda v: outcome(v) is not None, left)
        return Effect(outcome(after) or Outcome.PENDING, before, after, was[0])

    async def _remove(self, request: web.Request, user_id: int, session_id: str | None) -> Effect | None:
        """Take the user out of the wish and wait until the container is gone; `None` if there was nothing to remove."""
        note(request, user=user_id, session_id=session_id)
        view = self._observer.view(user_id)
        if view.container is None:
            view = await self._look(user_id, 0)
            if view.engine.reachable and view.container is None and user_id not in self._store.current.users:
                return None

        def change(wish: Wish | None) -> None:
            if wish is not None:
                entries.check_session(user_id, wish, session_id)

        return await self._carry_out(request, user_id, change, lambda view: view.container is None)

    async def _found(self, user_id: int) -> UserView:
        """What is known of who is declared or there. While the engine is away, nobody is said not to be there."""
        view = await self._look(user_id, HEALTH_AGE)
        if view.engine.reachable and view.container is None and user_id not in self._store.current.users:
            raise self._not_found(user_id)
        return view

    async def _look(self, user_id: int, max_age: float) -> UserView:
        """Fresh knowledge; where it cannot be had in time, the last view, marked as one."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._observer.refresh(user_id, max_age)
        except TimeoutError:
            view = self._observer.view(user_id)
            silent = f"it did not answer within {LOOK_SECONDS:g} s"
            return replace(view, engine=replace(self._observer.engine, reachable=False, error=silent))

    async def _engine_now(self) -> datetime:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._observer.engine_now()
        except TimeoutError as error:
            raise EngineUnavailable(f"The engine did not answer within {LOOK_SECONDS:g} s.") from error

    # ------------------------------------------------------------ telling the effect

    def _created(self, effect: Effect) -> dict[str, Any]:
        user_id = effect.after.user_id
        match effect.outcome:
            case Outcome.DONE if _same_run(effect.before, effect.after):
                message = "Container is already running"
                return status.created_answer(self._site, effect.after, "already_running", message)
            case Outcome.DONE:
                return status.created_answer(self._site, effect.after, "running", "Container created successfully")
            case Outcome.PENDING:
                pending = status.created_answer(self._site, effect.after, "pending", self._picture.why(effect.after))
                return pending | {"details": self._where(user_id)}
            case Outcome.FAILED:
                raise self._failure(effect, f"Failed to create container: {effect.after.progress.error}")
            case Outcome.SUPERSEDED:
                raise self._superseded(user_id)
            case _:
                assert_never(effect.outcome)

    def _created_status(self, effect: Effect) -> int:
        if effect.outcome is Outcome.PENDING:
            return 202
        return 200 if _same_run(effect.before, effect.after) else 201

    def _told(self, effect: Effect, verb: str, success: dict[str, Any]) -> web.Response:
        user_id = effect.after.user_id
        match effect.outcome:
            case Outcome.DONE:
                return answer(success)
            case Outcome.PENDING:
                pending = {
                    "status": "pending",
                    "message": self._picture.why(effect.after),
                    "details": self._where(user_id),
                }
                return answer(success | pending, 202)
            case Outcome.FAILED:
                raise self._failure(effect, f"Failed to {verb} container", effect.after.progress.error)
            case Outcome.SUPERSEDED:
                raise self._superseded(user_id)
            case _:
                assert_never(effect.outcome)

    def _failure(self, effect: Effect, error: str, reason: str = "") -> Refusal:
        progress = effect.after.progress
        return Refusal(
            500,
            progress.code,
            error,
            details=" ".join(part for part in (reason, progress.hint) if part) or self._where(effect.after.user_id),
            container_id=self._name(effect.after.user_id),
            message="The desired state stays as asked and is tried again, less and less often.",
            next_try=timestamp(progress.next_try),
        )

    def _where(self, user_id: int) -> str:
        return f"GET /v1/users/{user_id} tells how it goes on."

    # ------------------------------------------------------------ reading requests

    def _container_of(self, request: web.Request) -> int:
        user_id = user_id_of(self._site.container_prefix, request.match_info["container_id"], self._terms.max_users)
        if user_id is None:
            names = f"{self._name(1)} to {self._name(self._terms.max_users)}"
            there = f"Containers are called {names} here."
            raise Refusal(400, "invalid_container_id", "Invalid container_id format", details=there)
        return user_id

    def _user_of(self, request: web.Request) -> int:
        return self._user_id(request.match_info["user_id"])

    def _user_id(self, word: str) -> int:
        user_id = user_id_of("", word, self._terms.max_users)
        if user_id is None:
            raise self._no_such_id()
        return user_id

    # ------------------------------------------------------------ helpers

    def _name(self, user_id: int) -> str:
        return container_name(self._site.container_prefix, user_id)

    def _known(self, user_id: int) -> None:
        if user_id not in self._store.current.users:
            raise self._not_found(user_id)

    def _not_found(self, user_id: int) -> Refusal:
        return Refusal(404, "not_found", "Container not found", container_id=self._name(user_id))

    def _no_such_id(self) -> Refusal:
        return Refusal(400, "invalid_user_id", f"Invalid user_id. Must be between 1 and {self._terms.max_users}")

    def _superseded(self, user_id: int) -> Refusal:
        sentence = "Another writer changed what is wanted of this user while this call waited."
        return Refusal(409, "superseded", sentence, container_id=self._name(user_id), details=self._where(user_id))


class _Rows:
    """The body of `GET /list`. Views are frozen, so the same tuple of them has the same body."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._views: tuple[UserView, ...] | None = None
        self._body = b""

    def encoded(self, views: tuple[UserView, ...], engine: EngineView) -> bytes:
        if not engine.reachable:  # then the answer tells an age
            return self._encode(views, engine)
        if views is not self._views:
            self._views, self._body = views, self._encode(views, engine)
        return self._body

    def _encode(self, views: tuple[UserView, ...], engine: EngineView) -> bytes:
        rows = [
            status.list_row(self._site, view.user_id, view.container, datetime.astimezone)
            for view in views
            if view.container is not None
        ]
        return json.dumps({"total": len(rows), "containers": rows, **status.staleness(engine, _now())}).encode()


async def _session_asked_for(request: web.Request, closed: bool = False) -> tuple[str | None, dict[str, Any]]:
    """The session that a call names, in its query or its body, and warnings about the rest of the body."""
    body = await read_optional_object(request)
    if closed:
        refuse_unknown(body, shapes.fields(shapes.UserSession))
    return entries.session_id(body, request), _warnings(body, shapes.fields(shapes.SessionNamed))


def _warnings(body: dict[str, Any], known: set[str]) -> dict[str, Any]:
    unknown = unknown_fields(body, known)
    return {"warnings": [f"Unknown field ignored: {name}" for name in unknown]} if unknown else {}


def _asked(wish: Wish | None) -> RunState | None:
    return None if wish is None else wish.state or RunState.RUNNING


def _running(view: UserView) -> bool:
    container = view.container
    return container is not None and container.phase is Phase.RUNNING


def _stopped(view: UserView) -> bool:
    container = view.container
    return container is None or container.phase in (Phase.CREATED, Phase.EXITED, Phase.DEAD)


def _same_run(before: UserView, after: UserView) -> bool:
    """The session was running before and nobody started it since."""
    then, now = before.container, after.container
    if then is None or now is None or then.phase is not Phase.RUNNING:
        return False
    return (then.id, then.started_at) == (now.id, now.started_at)


def _now() -> datetime:
    return datetime.now(UTC)
