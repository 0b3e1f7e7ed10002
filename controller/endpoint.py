"""What an endpoint is said to be: what it takes, answers and refuses, and what of that holds for any.

Declarations only. Which there are: `endpoints.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.caller import Scope
from controller.doorkeeper import Need
from controller.http import BODY_SECONDS, MAX_BODY


@dataclass(frozen=True, slots=True)
class Body:
    shape: Any
    """`None`: whatever it is."""
    example: Mapping[str, Any] = field(default_factory=dict)
    required: bool = True
    limit: int = MAX_BODY
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    when: str
    shape: Any
    """Of its JSON; `None`: it is a page, or only a stream."""
    messages: Mapping[str, Any] = field(default_factory=dict)
    """Of the stream that it is for whoever asks for one: the name of each kind, and the shape of its data."""
    kinds: tuple[str, ...] = ()
    """Of text that it may be in place of JSON or a page."""


@dataclass(frozen=True, slots=True)
class Fault:
    status: int
    code: str
    """For programs; empty: any, as the engine's trouble is."""
    when: str


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter in the query; the call does without."""

    name: str
    shape: Any
    about: str
    default: int | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    name: str
    """Of its operation, and of what handles it."""
    method: str
    path: str
    summary: str
    answers: tuple[Answer, ...]
    faults: tuple[Fault, ...] = ()
    """Beside those that any call may meet (`COMMON`) and those of any body."""
    body: Body | None = None
    query: tuple[Query, ...] = ()
    about: str = ""
    follow: tuple[tuple[str, str, str], ...] = ()
    """Endpoints that go on from its success: name, parameter, and where in this call its value stands."""
    secret: bool = False
    """It asks for the webhook's secret, and for no token."""
    changes: bool | None = None
    """Whether a token that may only read will not do; `None`: unless it is a GET."""
    vital: bool = False
    """It tells that the controller lives, and no more: to anybody, however often."""
    public: bool = False
    """It tells everybody the same, and nothing of this installation: no token."""

    @property
    def named(self) -> str:
        """As `GET /` names it: `POST /destroy/<container_id>`."""
        return f"{self.method} {self.path}".translate(str.maketrans("{}", "<>"))

    @property
    def need(self) -> Need:
        if self.secret or self.vital or self.public:
            return Need(None, counted=not self.vital)
        changes = self.method != "GET" if self.changes is None else self.changes
        return Need(Scope.WRITE if changes else Scope.READ)

    @property
    def all_faults(self) -> Iterator[Fault]:
        yield from self.faults
        if self.body is not None:
            yield from of_any_body(self.body)
        if self.need.scope is not None:
            yield WITHOUT_TOKEN
        if self.need.scope is Scope.WRITE:
            yield READS_ONLY
        yield from COMMON
        if self.need.counted:
            yield TOO_MANY


# ---------------------------------------------------------------- what any call may meet

WITHOUT_TOKEN = Fault(401, "unauthorized", "Tokens are on here, and this one is missing or wrong.")
READS_ONLY = Fault(403, "forbidden", "The token may only read.")
TOO_MANY = Fault(429, "too_many_requests", "This client calls too often; `Retry-After` says when it may again.")
COMMON = (
    Fault(400, "bad_request", "This was not HTTP."),
    Fault(403, "address_refused", "Calls from this address are not taken."),
    Fault(403, "foreign_host", "`Host` is none of the names that this API goes by."),
    Fault(403, "foreign_origin", "A page of another site made this call."),
    Fault(414, "uri_too_long", "The path is too long."),
    Fault(417, "expectation_failed", "An `Expect` other than `100-continue`."),
    Fault(431, "header_too_large", "A header is too long."),
    Fault(500, "internal_error", "The controller failed; its log has the reason under the `request_id`."),
)


def of_any_body(body: Body) -> Iterator[Fault]:
    if body.shape is not None:
        yield Fault(400, "invalid_json", "The body is not one JSON object in UTF-8, or has a key twice.")
    yield Fault(400, "incomplete_body", "The body broke off.")
    yield Fault(408, "request_timeout", f"The body did not come within {BODY_SECONDS:g} s.")
    yield Fault(413, "body_too_large", f"The body has more than {body.limit} bytes.")
    json_only = "is not `application/json` in UTF-8, or " if body.shape is not None else ""
    yield Fault(415, "unsupported_media_type", f"The body {json_only}is compressed.")
