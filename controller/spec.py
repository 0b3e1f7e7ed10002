"""YAML text ↔ `DesiredState`. What a wish means for the engine: `target.py`. How two writers' states meet: `merge.py`.

Pure: text and values in, values and text out; a fault of the text is `WishInvalid` with all that is wrong in it, each
with line and column. Where the text is kept, who may write it and when it is read is left to `store/`; how text is
read and spliced without touching its neighbours is left to `yamltext.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, WithJsonSchema, with_config
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import TypedDict  # pydantic's: the one of Python 3.11 does not tell which keys are required

from controller import yamltext
from controller.errors import Problem, WishInvalid
from controller.model import DesiredState, RunState, Wish

MAX_BYTES = 256 * 1024
MAX_USER_ID = 999
"""Where the two ranges of ports touch; the operator's limit is lower."""
MAX_PROBLEMS = 20
"""More than these are not listed: nobody mends more at a time."""


# ---------------------------------------------------------------- names and numbers

_SESSION_ID = r"^[A-Za-z0-9._:@-]{1,128}$"
_SESSION_ID_WORDS = "1 to 128 of letters, digits and `-` `_` `.` `:` `@`"
_USER_ID = r"^[1-9][0-9]{0,2}$"
_INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$"


def valid_session_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(_SESSION_ID, value) is not None


def container_name(prefix: str, user_id: int) -> str:
    return f"{prefix}{user_id}"


def user_id_of(prefix: str, name: str, max_users: int) -> int | None:
    """The user whose container would have this name; `None` if it is no such name."""
    digits = name.removeprefix(prefix)
    if not name.startswith(prefix) or re.fullmatch(r"[1-9][0-9]{0,8}", digits) is None or int(digits) > max_users:
        return None
    return int(digits)


def parse_instant(text: str) -> datetime | None:
    """An ISO 8601 moment with time zone, to the millisecond (finer digits are cut); `None` if it is none."""
    if re.fullmatch(_INSTANT, text, re.ASCII) is None:
        return None
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):  # there is no 30 February, and no year 0
        return None
    return to_the_millisecond(moment)


def to_the_millisecond(moment: datetime) -> datetime:
    """As exact as the file says it; finer digits are cut."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def just_after(moment: datetime) -> datetime:
    """The first moment after this one that the file can say: what had begun by then began before it."""
    return to_the_millisecond(moment) + timedelta(milliseconds=1)


def format_instant(moment: datetime) -> str:
    """`2026-11-22T10:00:00.123Z`; without the milliseconds where they are zero."""
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


# ---------------------------------------------------------------- the file's schema


def _instant(value: object) -> datetime:
    if isinstance(value, str) and (moment := parse_instant(value)):
        return moment
    raise ValueError


def _switched(value: object) -> bool:
    """YAML 1.1's `yes` and `on` are too easily written by accident, and its true equals the number 1."""
    if isinstance(value, _Odd) and value.text in ("true", "false"):
        return value.text == "true"
    raise ValueError


Switch = Annotated[bool, BeforeValidator(_switched), WithJsonSchema({"type": "boolean"})]


@with_config(ConfigDict(extra="forbid", strict=True, title="User"))
class UserText(TypedDict):
    """One user's session. `{}` is a running session with the defaults."""

    state: NotRequired[
        Annotated[
            Literal["running", "stopped"],
            Field(description="Whether the session runs. A stopped one keeps its container. Left out: running."),
        ]
    ]
    profile: NotRequired[
        Annotated[
            str,
            Field(description="Which of the operator's profiles the session has: image, CPUs, memory and so on."),
        ]
    ]
    session_id: NotRequired[
        Annotated[
            str,
            Field(
                pattern=_SESSION_ID,
                description=f"Whose session it is, in the words of the program that asked: {_SESSION_ID_WORDS}.",
            ),
        ]
    ]
    restart_at: NotRequired[
        Annotated[
            datetime,
            BeforeValidator(_instant),
            WithJsonSchema(
                {
                    "type": "string",
                    "format": "date-time",
                    "pattern": _INSTANT,
                    "description": "The session must have started at or after this moment, by the engine's clock: "
                    "an older one is restarted once it has come. With time zone, as in 2026-11-22T10:00:00Z.",
                }
            ),
        ]
    ]
    paused: NotRequired[
        Annotated[Switch, Field(description="Leave this user's container alone, whatever the rest of the entry says.")]
    ]


@with_config(ConfigDict(extra="forbid", strict=True, title="Defaults"))
class DefaultsText(TypedDict):
    """What holds for each user who says nothing else."""

    profile: NotRequired[Annotated[str, Field(description="The profile of users who name none.")]]


@with_config(ConfigDict(extra="forbid", strict=True, title="Desired state of a MATLAB Container Manager"))
class WishText(TypedDict):
    """Which users of this server shall have a MATLAB session, and in which form."""

    version: Annotated[Literal[1], Field(description="The version of this file's form: 1.")]
    generation: NotRequired[
        Annotated[
            int,
            Field(
                ge=1,
                description="Kept by the controller: which state this text was edited from. Leave it as you found it.",
            ),
        ]
    ]
    paused: NotRequired[Annotated[Switch, Field(description="Leave every container alone for now.")]]
    defaults: NotRequired[DefaultsText]
    users: Annotated[
        dict[Annotated[str, Field(pattern=_USER_ID)], UserText | None] | None,
        Field(description="Each user by number. Who is left out has no session; the user's data stays in any case."),
    ]


_WISH: TypeAdapter[WishText] = TypeAdapter(WishText)

_QUOTES = "put it in quotes if it looks like a number or like yes or no"
_ALLOWED: Mapping[str, str] = {
    "version": "version must be 1",
    "generation": "generation must be the whole number that the controller wrote; where there was none, leave it out",
    "defaults": "defaults may only name a profile, as in `defaults: {profile: standard}`",
    "users": "users must list users by number, as in `users: {5: {}}`; for nobody write `users: {}`",
    "state": "state must be `running` or `stopped`",
    "profile": f"profile must be the name of a profile; {_QUOTES}",
    "session_id": f"session_id must be {_SESSION_ID_WORDS}; {_QUOTES}",
    "restart_at": "restart_at must be a moment with its time zone, as in `2026-11-22T10:00:00Z`",
    "paused": "paused must be `true` or `false`",
}


class _JsonSchema(GenerateJsonSchema):
    """Pydantic's, but a key of `users` that is no user id is refused, not passed over."""

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        return {**super().dict_schema(schema), "additionalProperties": False}

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the desired state, for editors."""
    return {"$schema": _JsonSchema.schema_dialect, **_WISH.json_schema(schema_generator=_JsonSchema)}


def json_schema_here(profiles: Collection[str], max_users: int) -> dict[str, Any]:
    """The same with what the operator's settings allow: the names of the profiles, and the ids that users may have."""
    schema = json_schema()
    for owner in ("UserText", "DefaultsText"):
        schema["$defs"][owner]["properties"]["profile"]["enum"] = sorted(profiles)
    users, _ = schema["properties"]["users"]["anyOf"]
    users["propertyNames"] = {"enum": [str(user_id) for user_id in range(1, max_users + 1)]}
    return schema


EMPTY_WISH = """\
# yaml-language-server: $schema=desired_state.schema.json
#
# Who shall have a MATLAB session on this server. Save this file and it is so within seconds; the API and
# `matlabctl` write it, too, and leave your comments alone. Taking a user out removes the session, never the data.
# A mistake here changes nothing: `GET /v1/status` and `matlabctl validate` say what is wrong and where.
version: 1
generation: 1   # kept by the controller: leave it as you find it
users: {}
# users:
#   1: {}                                   # running, with the defaults
#   5: {state: stopped}                     # its container is kept, stopped
#   10: {profile: standard, session_id: "abc-123", restart_at: 2026-11-22T10:00:00Z}
...
"""


# ---------------------------------------------------------------- text → wish


def decode(raw: bytes) -> str:
    """The text of a file's bytes.

    Raises:
        WishInvalid: too large, or not UTF-8.
    """
    if len(raw) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1024} KB; a desired state for 100 users needs about 10"
        raise WishInvalid((Problem(0, 0, message),))
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise WishInvalid((Problem(1, 1, "the file is UTF-16; save it as UTF-8"),))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        good = raw[: error.start].decode("utf-8")
        line, column = good.count("\n") + 1, len(good) - good.rfind("\n")
        message = f"byte 0x{raw[error.start]:02X} is not UTF-8; save the file as UTF-8"
        raise WishInvalid((Problem(line, column, message),)) from None


def parse(
    text: str | bytes, *, max_users: int, profiles: Collection[str] | None, end_mark: bool = False
) -> DesiredState:
    """What a text asks for. A generation of 0 means that the text names none.

    Args:
        profiles: the names that may be used; `None` lets any name pass, for texts that were good when they were taken.
        end_mark: a text without YAML's end mark `...` counts as cut off.

    Raises:
        WishInvalid: with every problem that was found, the first `MAX_PROBLEMS` of them listed.
    """
    if isinstance(text, bytes):
        text = decode(text)
    elif len(text) > MAX_BYTES:
        decode(text.encode("utf-8", "surrogatepass"))
    if all(line.split("#")[0].strip() in ("", "---", "...") for line in text.splitlines()):
        raise WishInvalid((Problem(0, 0, "the file says nothing; to have no users at all, write `users: {}`"),))
    document = yamltext.read(text)
    problems = list(document.problems)
    wish: WishText | None = None
    if isinstance(document.root, yamltext.Mapping):
        problems += _id_problems(document.root, max_users)
        wish, faults = _checked(document.root)
        problems += faults
        if profiles is not None:
            problems += _profile_problems(document.root, profiles)
    elif document.root is not None:
        problems.append(document.root.place.problem("the file must be a mapping that starts with `version: 1`"))
    if end_mark and document.root is not None and not document.end_mark:
        message = "the last line `...` is gone, so the file may be cut off; if it is whole, end it with a line `...`"
        problems.append(Problem(text.count("\n") + 1, 1, message))
    if problems or wish is None:
        raise WishInvalid(_tidy(problems))
    return _desired(wish)


def stored(text: str) -> DesiredState:
    """A text that was good when it was taken, whatever the settings say by now."""
    return parse(text, max_users=MAX_USER_ID, profiles=None)


def problem_with(text: str, user_id: int, message: str) -> Problem:
    """A fault of a text that can be read, at the user's entry; of the whole where it has none."""
    root = yamltext.read(text).root
    users = root.find("users") if isinstance(root, yamltext.Mapping) else None
    entry = users.value.find(str(user_id)) if users and isinstance(users.value, yamltext.Mapping) else None
    return entry.key.place.problem(message) if entry else Problem(0, 0, message)


def _desired(wish: WishText) -> DesiredState:
    entries = {int(user_id): entry or UserText() for user_id, entry in (wish["users"] or {}).items()}
    return DesiredState(
        generation=wish.get("generation", 0),
        default_profile=wish.get("defaults", DefaultsText()).get("profile"),
        users=MappingProxyType(
            {
                user_id: Wish(
                    state=RunState(entry["state"]) if "state" in entry else None,
                    profile=entry.get("profile"),
                    session_id=entry.get("session_id"),
                    restart_at=entry.get("restart_at"),
                    paused=entry.get("paused", False),
                )
                for user_id, entry in sorted(entries.items())
            }
        ),
        paused=wish.get("paused", False),
    )


def _tidy(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """In the order of the file, and one for each place: the first one found knows best."""
    by_place: dict[tuple[int, int], Problem] = {}
    for problem in problems:
        by_place.setdefault((problem.line, problem.column), problem)
    return tuple(problem for _, problem in sorted(by_place.items()))[:MAX_PROBLEMS]


def _id_problems(root: yamltext.Mapping, max_users: int) -> Iterable[Problem]:
    users = root.find("users")
    if users is None or not isinstance(users.value, yamltext.Mapping):
        return
    for key in (entry.key for entry in users.value.entries):
        if key.quoted or re.fullmatch(r"[1-9][0-9]{0,8}", key.text) is None or int(key.text) > max_users:
            yield key.place.problem(
                f"a user id must be a plain number from 1 to {max_users}, without quotes or zeros before it"
            )


def _profile_problems(root: yamltext.Mapping, profiles: Collection[str]) -> Iterable[Problem]:
    owners: list[yamltext.Entry] = [e for e in (root.find("defaults"),) if e is not None]
    users = root.find("users")
    if users is not None and isinstance(users.value, yamltext.Mapping):
        owners += users.value.entries
    for owner in owners:
        named = owner.value.find("profile") if isinstance(owner.value, yamltext.Mapping) else None
        if named is None or not isinstance(_plain(named.value), str):
            continue
        name = str(_plain(named.value))
        if name not in profiles:
            known = ", ".join(sorted(profiles))
            yield named.value.place.problem(
                f"there is no profile `{name[:40]}`{_did_you_mean(name, profiles)}; there are: {known}"
            )


@dataclass(frozen=True, slots=True)
class _Odd:
    """Neither text nor a plain decimal number nor a mapping; a switch takes two of these, no other field any."""

    text: str
    """Of a YAML boolean, else empty."""


def _plain(node: yamltext.Node) -> object:
    """The node as Python data, for the schema. Keys stay text; a moment stays text, too."""
    match node:
        case yamltext.Mapping():
            return {entry.key.text: _plain(entry.value) for entry in node.entries}
        case yamltext.Scalar(kind="str" | "timestamp"):
            return node.text
        case yamltext.Scalar(kind="null"):
            return None
        case yamltext.Scalar(kind="int") if re.fullmatch(r"0|[1-9][0-9]{0,14}", node.text):
            return int(node.text)
        case yamltext.Scalar(kind="bool"):
            return _Odd(node.text)
        case _:
            return _Odd("")


def _checked(root: yamltext.Mapping) -> tuple[WishText | None, list[Problem]]:
    """What the schema says to the tree."""
    try:
        return _WISH.validate_python(_plain(root)), []
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        return None, [_problem(root, fault["type"], fault["loc"]) for fault in faults[:MAX_PROBLEMS]]


def _problem(root: yamltext.Mapping, kind: str, path: tuple[int | str, ...]) -> Problem:
    """One of the schema's complaints as a sentence, at the place that its path leads to."""
    names = [str(step) for step in path if step != "[key]"]
    name = names[-1]
    if kind == "missing":
        return root.place.problem(f"`{name}` is missing: {_ALLOWED[name]}")
    node: yamltext.Node = root
    for step in names:
        entry = node.find(step) if isinstance(node, yamltext.Mapping) else None
        if entry is None:
            break
        node = entry.value
    if entry is None:
        return node.place.problem(_ALLOWED.get(name, "this is not allowed here"))
    if kind == "extra_forbidden":
        allowed = _fields(names[:-1])
        return entry.key.place.problem(
            f"unknown key `{name[:40]}`{_did_you_mean(name, allowed)}; allowed: {', '.join(allowed)}"
        )
    if "[key]" in path:
        return entry.key.place.problem("a user id must be a plain number")
    if len(names) == 2 and names[0] == "users":
        return node.place.problem(f"user {name} must be `{{}}` or have fields, as in `{{state: stopped}}`")
    return node.place.problem(_ALLOWED[name])


def _fields(path: list[str]) -> list[str]:
    owner = {0: WishText, 1: DefaultsText}.get(len(path), UserText)
    return list(owner.__annotations__)


def _did_you_mean(name: str, allowed: Collection[str]) -> str:
    near = difflib.get_close_matches(name[:40], list(allowed), n=1)
    return f" (did you mean `{near[0]}`?)" if near else ""


# ---------------------------------------------------------------- wish → text


class EditFailed(RuntimeError):
    """An edited text does not say what it should: a fault of ours, found before the text was used."""


def edit(text: str, before: DesiredState, after: DesiredState) -> str:
    """The text, changed to ask for `after`; what it says of everything else stays byte for byte, comments and all.

    Args:
        before: what `text` asks for now.
        after: its moments whole to the millisecond (`to_the_millisecond`), since the text cannot say more.

    Raises:
        EditFailed: the result, read again, would not ask for exactly `after`.
    """
    edited = text
    if after.generation != before.generation:
        edited = yamltext.put(edited, ("generation",), str(after.generation), _KEYS.index)
    if after.paused != before.paused:
        paused = ("paused",)
        edited = yamltext.put(edited, paused, "true", _KEYS.index) if after.paused else yamltext.drop(edited, paused)
    if after.default_profile != before.default_profile:
        edited = _edit_default(edited, after.default_profile)
    edited = _edit_users(edited, before, after)
    edited = yamltext.with_end_mark(edited)
    try:
        says = parse(edited, max_users=MAX_USER_ID, profiles=None, end_mark=True)
    except WishInvalid as error:
        raise EditFailed(f"the edited text cannot be read: {error}") from error
    if says != after:
        raise EditFailed("the edited text asks for something else than it should")
    return edited


def changed_users(before: DesiredState, after: DesiredState) -> list[int]:
    """The ids whose entries differ, ascending."""
    ids = before.users.keys() | after.users.keys()
    return sorted(user_id for user_id in ids if before.users.get(user_id) != after.users.get(user_id))


_KEYS = list(WishText.__annotations__)
_USER_KEYS = list(UserText.__annotations__)


def _edit_default(text: str, profile: str | None) -> str:
    if profile is None:
        return yamltext.drop(text, ("defaults", "profile"))
    try:
        return yamltext.put(text, ("defaults", "profile"), yamltext.word(profile), _USER_KEYS.index)
    except KeyError:
        return yamltext.put(text, ("defaults",), f"{{profile: {yamltext.word(profile)}}}", _KEYS.index)


def _edit_users(text: str, before: DesiredState, after: DesiredState) -> str:
    """By each user's own lines where the text is laid out so, since reading all of it for each takes its time."""
    changed = changed_users(before, after)

    def rewritten(user_id: int) -> yamltext.Rewrite:
        was, now = before.users.get(user_id), after.users.get(user_id)

        def rewrite(lines: str) -> str:
            if was is None or now is None:
                return "" if now is None else f"{user_id}: {entry_text(now)}"
            head = "users:\r\n" if "\r\n" in text else "users:\n"
            return _edit_user(head + lines, user_id, was, now).removeprefix(head)

        return rewrite

    if len(changed) > 1:
        edits = {str(user_id): rewritten(user_id) for user_id in changed}
        by_lines = yamltext.rewrite(text, "users", edits, int)
        if by_lines is not None:
            return by_lines
    for user_id in changed:
        text = _edit_user(text, user_id, before.users.get(user_id), after.users.get(user_id))
    return text


def _edit_user(text: str, user_id: int, before: Wish | None, after: Wish | None) -> str:
    path = ("users", str(user_id))
    if after is None:
        return yamltext.drop(text, path)
    fields = _field_texts(after)
    if before is None:
        return yamltext.put(text, path, entry_text(after), int)
    had = _field_texts(before)
    for key in _USER_KEYS:
        if key in had and key not in fields:
            text = yamltext.drop(text, (*path, key))
        elif key in fields and fields[key] != had.get(key):
            text = yamltext.put(text, (*path, key), fields[key], _USER_KEYS.index)
    return text


def entry_text(wish: Wish) -> str:
    """The entry as YAML in braces."""
    return "{" + ", ".join(f"{key}: {text}" for key, text in _field_texts(wish).items()) + "}"


def _field_texts(wish: Wish) -> dict[str, str]:
    """The fields that the wish sets, as YAML."""
    texts = {
        "state": wish.state,
        "profile": yamltext.word(wish.profile) if wish.profile is not None else None,
        "session_id": yamltext.quoted(wish.session_id) if wish.session_id is not None else None,
        "restart_at": format_instant(wish.restart_at) if wish.restart_at is not None else None,
        "paused": "true" if wish.paused else None,
    }
    return {key: str(text) for key, text in texts.items() if text is not None}
