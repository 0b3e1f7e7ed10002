"""The client's calls as steps, with no world: what each sends, when it is sent again, and how long it is waited for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from controller.client import Client, NotReady, Refused, Unreachable
from controller.client.calls import Calls
from controller.client.steps import Lost, Pause, Request, Response, Steps, Verb
from controller.endpoints import ENDPOINTS

TEXT = "version: 1\nusers:\n  1: {}\n  2: {}\n...\n"

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "amend_many": ({},),
    "apply": (TEXT,),
    "plan_text": (TEXT,),
    "approve": ("5f1c",),
    "reject": ("5f1c",),
    "declare": (7, {}),
    "amend": (7, {}),
    **dict.fromkeys(("create", "destroy", "restart", "health", "user", "undeclare", "logs"), (7,)),
    **dict.fromkeys(("generation", "rollback"), (7,)),
    **dict.fromkeys(("drain", "activate"), ("7",)),
}
NOT_CALLED = {"refresh", "openapi", "page", "dashboard", "watch", "metrics"}
"""For a forge, for tools, for people and their page, and for Prometheus."""


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.name not in NOT_CALLED], ids=lambda e: e.name)
def test_every_endpoint_has_a_verb_of_its_name(endpoint: Any) -> None:
    request = next(_steps(endpoint.name, *ARGUMENTS.get(endpoint.name, ())))
    assert isinstance(request, Request)
    path = request.target.partition("?")[0].replace("matlab-user-7", "{container_id}")
    assert request.method == endpoint.method
    assert path.replace("/7", "/{user_id}") == re.sub(r"{(generation|node)}", "{user_id}", endpoint.path)
    assert (request.body is not None) <= (endpoint.body is not None)


# ---------------------------------------------------------------- which calls are sent again


def refusal(status: int, error: str, code: str, retry_after: str = "") -> Response:
    return Response(status, json.dumps({"error": error, "code": code, "request_id": "r"}).encode(), retry_after)


BUSY = refusal(429, "slowly", "too_many_requests", "3")
NO_ENGINE = refusal(503, "away", "engine_unavailable")
BROKEN_WISH = refusal(503, "wrong", "wish_invalid")
FAILED = refusal(500, "Port 30007 is taken", "port_taken")
PROXY = Response(502, b"<html>")
CUT, UNSENT = Lost("cut", sent=True), Lost("refused", sent=False)
LOOKS_AND_IDEMPOTENT: tuple[tuple[Any, ...], ...] = (
    ("users",),
    ("create", 7),
    ("declare", 7, {}),
    ("plan_text", TEXT),
    ("destroy", 7, "s-1"),
    ("undeclare", 7, "s-1"),
    ("amend", 7, {}, "s-1"),
    ("drain", "n2"),
    ("activate", "n2"),
)
ONCE: tuple[tuple[Any, ...], ...] = (
    ("restart", 7, "s-1"),
    ("destroy", 7),
    ("undeclare", 7),
    ("amend", 7, {}),
    ("amend_many", {}),
    ("apply", TEXT),
    ("rollback", 7),
    ("approve", "5f1c"),
    ("pause",),
    ("call", "POST", "/create"),
)


@pytest.mark.parametrize("call", [*LOOKS_AND_IDEMPOTENT, *ONCE], ids=lambda call: " ".join(map(str, call)))
def test_which_calls_are_sent_again_and_after_what(call: Sequence[Any]) -> None:
    assert [_again(call, reply) for reply in (UNSENT, BUSY, NO_ENGINE)] == [True, True, True], "nothing was done"
    assert [_again(call, reply) for reply in (FAILED, BROKEN_WISH)] == [False, False], "it would be the same again"
    assert {_again(call, reply) for reply in (CUT, PROXY)} == {call in LOOKS_AND_IDEMPOTENT}


@pytest.mark.parametrize("reply", [CUT, PROXY])
def test_a_destroy_that_nobody_told_of_is_done_where_the_next_one_finds_nothing(reply: Response | Lost) -> None:
    nothing = refusal(404, "Container not found", "not_found")
    assert _played(_steps("undeclare", 7, "s-1"), [reply, nothing], 0) == {"message": "User removed", "user_id": 7}
    for before in ([], [UNSENT], [NO_ENGINE]):
        with pytest.raises(Refused, match="Container not found"):
            _played(_steps("undeclare", 7, "s-1"), [*before, nothing], 0)


def test_no_token_is_shown_with_a_request() -> None:
    steps = Calls.users.steps(Client(token="mcm_secret"))
    assert "mcm_secret" not in repr(next(steps))


def test_the_waits_grow_and_what_the_controller_asks_for_is_waited() -> None:
    steps = _steps("users")
    waits = []
    next(steps)
    for reply in (BUSY, CUT, CUT):
        pause = steps.send(reply)
        assert isinstance(pause, Pause)
        waits.append(pause.seconds)
        assert isinstance(steps.send(0.0), Request)
    assert waits == [3, 2, 4]
    with pytest.raises(Unreachable, match="cut"):
        steps.send(CUT)


# ---------------------------------------------------------------- waiting

HEALTHY = {
    **{"container_id": "matlab-user-7", "status": "running", "started_at": None, "http_port": 1, "ws_port": 2},
    **{"cpu_usage": "", "memory_usage": "", "memory_percent": "", "web_service": "healthy"},
    "websocket_service": "healthy",
}


def test_a_controller_that_is_away_is_waited_for_until_the_time_is_over() -> None:
    replies: list[Any] = [UNSENT, CUT, NO_ENGINE, BUSY, _ok(HEALTHY | {"websocket_service": "unhealthy"}), _ok(HEALTHY)]
    assert _played(_steps("wait_ready", 7), replies, seconds=1)["status"] == "running"
    with pytest.raises(Unreachable, match="refused"):
        _played(_steps("wait_ready", 7, timeout=10), [UNSENT] * 20, seconds=1)
    with pytest.raises(NotReady, match="after 10 s: away"):
        _played(_steps("wait_ready", 7, timeout=10), [NO_ENGINE] * 20, seconds=1)
    with pytest.raises(Refused, match="taken"):
        _played(_steps("wait_ready", 7), [FAILED], seconds=1)


def _again(call: Sequence[Any], reply: Response | Lost) -> bool:
    steps = _steps(call[0], *call[1:])
    next(steps)
    try:
        return isinstance(steps.send(reply), Pause)
    except (Refused, Unreachable):
        return False


def _ok(body: object) -> Response:
    return Response(200, json.dumps(body).encode())


def _played(steps: Steps[Any], replies: list[Any], seconds: float) -> Any:
    """What steps come to where each request takes so many seconds."""
    now, told = 0.0, None
    left = iter(replies)
    while True:
        try:
            step = steps.send(told)
        except StopIteration as end:
            return end.value
        now += step.seconds if isinstance(step, Pause) else seconds
        told = now if isinstance(step, Pause) else next(left)


def _steps(verb: str, *args: Any, **more: Any) -> Steps[Any]:
    found = getattr(Calls, verb)
    assert isinstance(found, Verb)
    assert found.__doc__
    return found.steps(Client(), *args, **more)
