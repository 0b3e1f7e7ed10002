"""The settings about webhooks: where events are sent to. A part of `settings.py`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from controller.events import EventKind, EventReason
from controller.fields import OptionalPath, setting


def _http_address(value: object) -> str:
    text = str(value)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or parts.fragment:
        raise ValueError
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError
    return text


def _not_of_webhooks(kind: EventKind) -> EventKind:
    """What befell one webhook is told to none: it could go round for ever."""
    if kind is EventKind.WEBHOOK:
        raise ValueError
    return kind


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def place_of(url: str) -> str:
    """Where an address leads, without what may be a secret in it: name, password, path and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


class WebhookSettings(BaseModel):
    """Where events are sent to: one entry of `webhooks`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    url: Annotated[str, BeforeValidator(_http_address), PlainSerializer(place_of, when_used="json")] = Field(
        description="Where each event is sent to by `POST`. Only its host is ever shown: such addresses are secrets.",
        json_schema_extra={
            "allowed": "an address such as `https://hooks.example.org/mcm`",
            "default": "none",
            "secret": True,
        },
        repr=False,
    )
    format: Literal["json", "slack"] = setting(
        "json", "What is sent: the event as `GET /v1/events` has it, or a line that chats show.", "`json` or `slack`"
    )
    kinds: list[Annotated[EventKind, AfterValidator(_not_of_webhooks)]] = setting(
        [],
        "Kinds of events that are sent; empty means all.",
        f"a list of {_listed(kind for kind in EventKind if kind is not EventKind.WEBHOOK)}",
    )
    reasons: list[EventReason] = setting(
        [],
        "Reasons of events that are sent; empty means all.",
        f"a list of {_listed(reason for reason in EventReason if reason is not EventReason.GAVE_UP)}",
    )
    secret_file: OptionalPath = setting(
        "",
        "File with the secret that what is sent is signed with, as Standard Webhooks has it: at least 16 letters, "
        "or `whsec_` and Base64. It is read at the start; others may not read it.",
        "empty for no signature, or a path",
    )
