"""The routes of `/v1` that deal with the desired state as a whole: texts, history, what waits, pauses, plans, audit.

Beside `api.py`, which deals with one user's session at a time. Nothing here waits for an effect: a change of the
text is answered once it is in force, and what becomes of it is told by `/v1/users` and `/v1/events`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import asdict, replace
from typing import Any, Protocol

from aiohttp import web

from controller import spec, state_shapes
from controller.caller import hand_and_place
from controller.doorkeeper import writer
from controller.errors import NeedsApproval, NotPending, WishInvalid
from controller.events import AUDITED
from controller.http import (
    Handlers,
    Refusal,
    answer,
    flag,
    listed_answer,
    note,
    read_object,
    read_optional_object,
    refuse_unknown,
)
from controller.model import DesiredState, Wish
from controller.outlook import Step
from controller.picture import pending_document
from controller.plain import timestamp
from controller.shapes import fields
from controller.store import Generation, Recorded, Store, Texts

MAX_TEXT_BODY = 4 * spec.MAX_BYTES
"""Bytes: JSON may write a character in six, though hardly any text needs that."""
LISTED, MOST_LISTED = 50, 1000
"""Generations or events in one answer, unless asked otherwise, and at most."""
MOST_EVENTS = 10_000
NO_GENERATION = "`generation` must be a whole number from 1 on."

Json = dict[str, Any]


class Wishes(Store, Texts, Protocol):
    """Desired state that can be worked with as a text."""


class Planner(Protocol):
    async def preview(self, state: DesiredState) -> tuple[Step, ...]:
        """What would be done now if this were in force.

        Raises:
            EngineUnavailable: nobody knows.
        """
        ...


def handlers(store: Wishes, planner: Planner, schema: Json) -> Handlers:
    """`schema`: of the text, as the operator's settings have it."""
    wishes = _Wishes(store, planner, schema)
    return {
        each.__name__: each
        for each in (
            *(wishes.text, wishes.schema, wishes.apply, wishes.plan, wishes.plan_text),
            *(wishes.approve, wishes.reject, wishes.pause, wishes.resume),
            *(wishes.history, wishes.generation, wishes.rollback, wishes.audit),
        )
    }


class _Wishes:
    def __init__(self, store: Wishes, planner: Planner, schema: Json) -> None:
        self._store = store
        self._planner = planner
        self._schema = schema

    # ------------------------------------------------------------ the text

    async def text(self, _: web.Request) -> web.Response:
        found = {"text": self._store.text, "refused": self._store.refused, "waiting": self._store.waiting}
        return answer({"generation": self._store.current.generation, **found})

    async def schema(self, _: web.Request) -> web.Response:
        return answer(self._schema)

    async def apply(self, request: web.Request) -> web.Response:
        body = await read_object(request, MAX_TEXT_BODY)
        refuse_unknown(body, fields(state_shapes.TextToApply))
        text, base, force = _text(body), _base(body), flag(body, "force")
        return await self._changed(request, self._store.apply(text, writer(request), base=base, force=force))

    async def plan(self, _: web.Request) -> web.Response:
        return answer(await self._planned(self._store.current))

    async def plan_text(self, request: web.Request) -> web.Response:
        body = await read_object(request, MAX_TEXT_BODY)
        refuse_unknown(body, fields(state_shapes.TextToPlan))
        before = self._store.current
        try:
            weighed = await self._store.weigh(_text(body), _base(body))
        except WishInvalid as error:
            nothing = {"generation": before.generation, "actions": [], "changes": []}
            return answer({**nothing, "problems": _problems(error), "held": ""})
        planned = await self._planned(weighed.state)
        more = {"changes": changes(before, weighed.state), "problems": [], "held": weighed.held}
        return answer({**planned, **more})

    async def _planned(self, state: DesiredState) -> Json:
        steps = await self._planner.preview(state)
        return {"generation": state.generation, "actions": [asdict(step) for step in steps]}

    # ------------------------------------------------------------ what waits

    async def approve(self, request: web.Request) -> web.Response:
        pending_id = await _pending_id(request)
        try:
            state = await self._store.approve(pending_id, writer(request))
        except NotPending as error:
            raise self._stale(error) from error
        except WishInvalid as error:
            raise _invalid(error) from error
        note(request, generation=state.generation)
        return answer({"generation": state.generation})

    async def reject(self, request: web.Request) -> web.Response:
        pending_id = await _pending_id(request)
        try:
            await self._store.reject(pending_id, writer(request))
        except NotPending as error:
            raise self._stale(error) from error
        return answer({"generation": self._store.current.generation})

    def _held(self, error: NeedsApproval) -> Refusal:
        return Refusal(409, error.code, f"This waits for approval: {error}.", details=error.hint, **self._pending())

    def _stale(self, error: NotPending) -> Refusal:
        return Refusal(409, error.code, str(error), details=error.hint, **self._pending())

    def _pending(self) -> Json:
        return {"pending": pending_document(self._store)}

    # ------------------------------------------------------------ pauses

    async def pause(self, request: web.Request) -> web.Response:
        return await self._pause(request, paused=True)

    async def resume(self, request: web.Request) -> web.Response:
        return await self._pause(request, paused=False)

    async def _pause(self, request: web.Request, *, paused: bool) -> web.Response:
        body = await read_optional_object(request)
        refuse_unknown(body, fields(state_shapes.UsersMeant))
        user_ids = _user_ids(body)

        def amend(state: DesiredState) -> DesiredState:
            if user_ids is None:
                return replace(state, paused=paused)
            unknown = [user_id for user_id in user_ids if user_id not in state.users]
            if unknown:
                sentence = f"Not in the desired state: {', '.join(map(str, unknown))}."
                raise Refusal(404, "not_found", sentence, user_ids=unknown)
            for user_id in user_ids:
                state = state.with_entry(user_id, replace(state.users[user_id], paused=paused))
            return state

        state = await self._store.amend(amend, writer(request))
        note(request, generation=state.generation)
        paused_users = [user_id for user_id, wish in state.users.items() if wish.paused]
        return answer({"generation": state.generation, "paused": state.paused, "paused_users": paused_users})

    # ------------------------------------------------------------ what was

    async def history(self, request: web.Request) -> web.Response:
        generations = await self._store.history(_number(request, "limit", LISTED, 1, MOST_LISTED))
        return answer({"generations": [self._told(each) for each in generations]})

    async def generation(self, request: web.Request) -> web.Response:
        number = request.match_info["generation"]
        if re.fullmatch(r"[1-9][0-9]{0,14}", number) is None:
            raise Refusal(400, "invalid_generation", "A generation is a whole number from 1 on.")
        found, before = await self._store.generation(int(number))
        then = DesiredState() if before is None else spec.stored(before.text)
        known = found.number == 1 or before is not None
        what = changes(then, spec.stored(found.text)) if known else None
        return answer({**self._told(found), "text": found.text, "changes": what})

    async def rollback(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        refuse_unknown(body, fields(state_shapes.Rollback))
        generation = _base(body)
        if generation is None:
            raise Refusal(400, "invalid_generation", NO_GENERATION)
        return await self._changed(request, self._store.rollback(generation, writer(request)))

    async def _changed(self, request: web.Request, change: Awaitable[DesiredState]) -> web.Response:
        try:
            state = await change
        except WishInvalid as error:
            raise _invalid(error) from error
        except NeedsApproval as error:
            raise self._held(error) from error
        note(request, generation=state.generation)
        return answer({"generation": state.generation})

    async def audit(self, request: web.Request) -> web.Response:
        found = await self._store.events(*page(request), AUDITED)
        return await listed_answer("records", found, _audited)

    def _told(self, generation: Generation) -> Json:
        return {
            "generation": generation.number,
            "at": timestamp(generation.at),
            "writer": generation.writer,
            "summary": generation.summary,
            "request_id": generation.request_id,
            "in_force": generation.number == self._store.current.generation,
        }


# ---------------------------------------------------------------- words


def changes(before: DesiredState, after: DesiredState) -> list[Json]:
    """Each entry that differs, as the file has it; `user_id` null is what holds for all."""
    for_all = (before.default_profile, before.paused) != (after.default_profile, after.paused)
    found: list[Json] = [{"user_id": None, "before": _for_all(before), "after": _for_all(after)}] if for_all else []
    for user_id in spec.changed_users(before, after):
        was, now = before.users.get(user_id), after.users.get(user_id)
        found.append(
            {"user_id": user_id, "before": was and spec.entry_text(was), "after": now and spec.entry_text(now)}
        )
    return found


def _for_all(state: DesiredState) -> str:
    return spec.entry_text(Wish(profile=state.default_profile, paused=state.paused))


def _audited(each: Recorded) -> Json:
    event = each.event
    who, where = hand_and_place(event.writer)
    return {
        "id": each.id,
        "at": timestamp(each.at),
        "who": who or ("controller" if event.kind in ("action", "token", "node") else "not recorded"),
        "where": where,
        "kind": event.kind,
        "what": event.reason,
        "why": event.message.removeprefix(f"{event.writer}: "),
        "user_id": event.user_id,
        "container": event.container,
        "before": event.before,
        "generation": event.generation,
        "request_id": event.request_id,
    }


def _invalid(error: WishInvalid) -> Refusal:
    return Refusal(422, error.code, "The text cannot be taken; nothing changed.", problems=_problems(error))


def _problems(error: WishInvalid) -> list[Json]:
    return [asdict(problem) for problem in error.problems]


# ---------------------------------------------------------------- reading requests


def _text(body: Json) -> str:
    text = body.get("text")
    if not isinstance(text, str):
        raise Refusal(400, "invalid_text", "`text` must be the desired state as YAML.")
    return text


def _base(body: Json) -> int | None:
    generation = body.get("generation")
    if "generation" in body and (type(generation) is not int or not 1 <= generation < 10**15):
        raise Refusal(400, "invalid_generation", NO_GENERATION)
    return generation


async def _pending_id(request: web.Request) -> str:
    body = await read_object(request)
    refuse_unknown(body, fields(state_shapes.PendingChoice))
    pending_id = body.get("id")
    if not isinstance(pending_id, str) or re.fullmatch(r"[0-9a-f]{1,64}", pending_id) is None:
        raise Refusal(400, "invalid_id", "`id` must be that of `pending` in GET /v1/status.")
    return pending_id


def _user_ids(body: Json) -> list[int] | None:
    """`None`: everybody."""
    if "user_ids" not in body:
        return None
    ids = body["user_ids"]
    if not isinstance(ids, list) or not ids or not all(type(i) is int and 1 <= i <= spec.MAX_USER_ID for i in ids):
        raise Refusal(400, "invalid_user_id", "`user_ids` must list user ids; leave it out to mean everybody.")
    return sorted(set(ids))


def page(request: web.Request) -> tuple[int | None, int, int]:
    """Of which user, after which event (0: the last ones, -1: from the first on), how many."""
    return (
        _number(request, "user_id", 0, 1, spec.MAX_USER_ID) or None,
        (_number(request, "after", 0, 0, 10**15) or -1) if "after" in request.query else 0,
        _number(request, "limit", LISTED, 1, MOST_EVENTS),
    )


def _number(request: web.Request, name: str, default: int, low: int, high: int) -> int:
    text = request.query.get(name)
    return default if text is None else number(text, name, low, high)


def number(text: str, name: str, low: int, high: int) -> int:
    """Raises Refusal."""
    if re.fullmatch(r"0|[1-9][0-9]{0,15}", text) is None or not low <= int(text) <= high:
        raise Refusal(400, f"invalid_{name}", f"`{name}` must be a whole number from {low} to {high}.")
    return int(text)
