"""What JSON Schema cannot say of this API's calls, for the calls that schemathesis makes up; it loads this itself."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext

ENTRIES = st.sampled_from(["{}", "{state: stopped}", "{profile: large}", "{session_id: s-1, paused: true}"])
USERS = st.dictionaries(st.integers(1, 8), ENTRIES, max_size=8)
TAKES_TEXTS = ("PUT /v1/desired-state", "POST /v1/plan")


@schemathesis.hook
def map_body(context: HookContext, body: Any) -> Any:
    """`5.0` is an integer to JSON Schema and none to the contract with callers."""
    match body:
        case dict():
            return {name: map_body(context, value) for name, value in body.items()}
        case list():
            return [map_body(context, value) for value in body]
        case float() if body.is_integer():
            return int(body)
        case _:
            return body


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """One session is meant, wherever it is named; two that differ are refused."""
    named = case.query.get("session_id") if case.query else None
    if named is not None and isinstance(case.body, dict) and "session_id" in case.body:
        case.query.pop("session_id")
    return case


@schemathesis.hook
def before_generate_body(context: HookContext, strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Where a text is taken, some that are a desired state, too."""
    if context.operation is not None and context.operation.label in TAKES_TEXTS:
        return strategy | st.builds(lambda users: {"text": text_of(users)}, USERS)
    return strategy


def text_of(users: dict[int, str]) -> str:
    lines = [f"  {user_id}: {entry}" for user_id, entry in sorted(users.items())]
    return "\n".join(["version: 1", "users:" if lines else "users: {}", *lines, "...", ""])
