"""How a request says what is wanted of a user: an entry of the desired state as JSON, or the fields of one that change.

Raises Refusal for whatever cannot be meant; what becomes of a good one is `api.py`'s business.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from aiohttp import web

from controller.errors import SessionConflict
from controller.http import Refusal, flag, refuse_unknown
from controller.model import RunState, Wish
from controller.shapes import UserChange, UserEntry, fields
from controller.spec import parse_instant, to_the_millisecond, valid_session_id

Json = dict[str, Any]


def entry(body: Json, request: web.Request, profiles: Collection[str]) -> Wish:
    """The whole of an entry, as the file has it; its session may stand in the query."""
    refuse_unknown(body, fields(UserEntry))
    return replace(_entry(body, profiles), session_id=session_id(body, request))


def changes(body: Json, profiles: Collection[str]) -> Json:
    """Fields of an entry and what they become; `null` is the default."""
    refuse_unknown(body, fields(UserChange))
    given = _entry({name: value for name, value in body.items() if value is not None}, profiles)
    return {name: getattr(given, name) for name in body}


def session_id(body: Json, request: web.Request) -> str | None:
    """What a call names in its query or its body."""
    return _one_session([*request.query.getall("session_id", []), *_session_of(body)])


def check_session(user_id: int, wish: Wish, meant: str | None) -> None:
    """A late call of a session that is over must not touch the one that is there now. Raises SessionConflict."""
    if meant is not None and meant != wish.session_id:
        current = "has none" if wish.session_id is None else f"is {wish.session_id}"
        raise SessionConflict(f"Session {meant} is not the current one: that of user {user_id} {current}.")


def _entry(body: Json, profiles: Collection[str]) -> Wish:
    state, profile, restart_at = (body.get(name) for name in ("state", "profile", "restart_at"))
    if "state" in body and state not in [each.value for each in RunState]:
        raise Refusal(400, "invalid_state", "`state` must be running or stopped.", allowed=list(RunState))
    if "profile" in body and (not isinstance(profile, str) or profile not in profiles):
        told = f"`profile` must be one of the operator's: {', '.join(sorted(profiles))}."
        raise Refusal(400, "unknown_profile", told, allowed=sorted(profiles))
    moment = parse_instant(restart_at) if isinstance(restart_at, str) else None
    if "restart_at" in body and moment is None:
        example = "2026-11-22T10:00:00Z"
        raise Refusal(400, "invalid_restart_at", f"`restart_at` must be a moment such as {example}.")
    paused = flag(body, "paused")
    named = _one_session(_session_of(body))
    return Wish(RunState(state) if state else None, profile, named, moment and to_the_millisecond(moment), paused)


def _session_of(body: Json) -> list[Any]:
    return [body["session_id"]] if "session_id" in body else []


def _one_session(given: list[Any]) -> str | None:
    if not all(valid_session_id(each) for each in given) or any(each != given[0] for each in given):
        rule = "1 to 128 of letters, digits, `-`, `_`, `.`, `:` and `@`"
        raise Refusal(400, "invalid_session_id", f"`session_id` must be one text of {rule}.")
    return given[0] if given else None
