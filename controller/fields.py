"""The kinds of values that settings have, and how one is described: its words, what it may be, its default."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from controller.fence import place
from controller.sizes import parse_size, show_size


def _number_only(value: object) -> object:
    """YAML's `yes` is not the number 1."""
    if isinstance(value, bool):
        raise ValueError(value)
    return value


def on_or_off(value: object) -> object:
    """YAML reads `on` and `off` as true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def page_address(value: object) -> str:
    """With something in it that tells one user from another."""
    text = str(value)
    page = text.replace("{user_id}", "1").replace("{http_port}", "1")
    form = r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/([\w.~/-]*/)?"
    if text and (page == text or re.fullmatch(form, page, re.ASCII) is None):
        raise ValueError(value)
    return text


def place_text(text: str) -> str:
    place(text)
    return text


def absolute_path(value: object) -> Path:
    text = os.path.abspath(os.path.expanduser(value)) if isinstance(value, str | Path) and str(value) else "/"
    if text == "/" or not text.isprintable():
        raise ValueError(value)
    return Path(text)


def path_or_none(value: object) -> Path | None:
    return None if value in ("", None) else absolute_path(value)


OnOff = Annotated[Literal["auto", "on", "off"], BeforeValidator(on_or_off)]
OptionalPath = Annotated[
    Path | None, BeforeValidator(path_or_none), PlainSerializer(lambda path: str(path or ""), when_used="json")
]
Whole = Annotated[int, BeforeValidator(_number_only)]
Number = Annotated[float, BeforeValidator(_number_only)]
Folder = Annotated[Path, BeforeValidator(absolute_path)]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(show_size, when_used="json")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\p{C}]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")]

NAME_RULE = "1 to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"


def words(text: str) -> tuple[str, ...]:
    """What a setting lists, with spaces or commas between."""
    return tuple(text.replace(",", " ").split())


def networks(value: object) -> str:
    text = str(value)
    for each in words(text):
        ipaddress.ip_network(each)
    return text


def host_names(value: object) -> str:
    text = str(value)
    for each in words(text):
        if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", each, re.ASCII) is None:
            ipaddress.ip_address(each)
    return text


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback if is_address(host) else host == "localhost"


def clash(sentence: str, *settings: str | tuple[str, ...]) -> PydanticCustomError:
    """A fault in how settings, or the keys that these paths lead to, stand to one another; the sentence says it all."""
    paths = [(each,) if isinstance(each, str) else each for each in settings]
    return PydanticCustomError("clash", "{sentence}", {"sentence": sentence, "paths": paths})


def setting(default: Any, words: str, allowed: str, *, secret: bool = False, **rules: Any) -> Any:
    """`secret`: what somebody wrote there is told to nobody, be it right or wrong."""
    facts: JsonDict = {"allowed": allowed, "default": json.dumps(default), "secret": secret}
    return Field(default, description=words, json_schema_extra=facts, **rules)


def whole(default: int, words: str, low: int, high: int) -> Any:
    return setting(default, words, f"a whole number from {low} to {high}", ge=low, le=high)


def seconds(default: float, words: str, low: float, high: float) -> Any:
    return setting(default, words, f"a number of seconds from {low:g} to {high:g}", ge=low, le=high)


def default_text(field: FieldInfo) -> str:
    """A setting's default as it would be written in the file; the same on every machine."""
    return str(_extra(field)["default"])


def allowed_text(field: FieldInfo) -> str:
    """What a setting may be, in words that follow "it must be"."""
    return str(_extra(field)["allowed"])


def is_secret(field: FieldInfo) -> bool:
    return bool(_extra(field).get("secret"))


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
