"""Settings of where the desired state is kept: a file, a branch of git, a database. A part of `settings.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    model_validator,
)

from controller.fields import Number, absolute_path, clash, seconds, setting

HOME_RULE = "a path, or a mapping with either `git` or `sqlite`"


def _git_url(value: object) -> str:
    """An absolute path, `user@host:path`, or an address of one of the kinds that git reaches without a helper."""
    text = str(value)
    form = r"/.+|(file|https?|ssh)://[^/].*|file:///.+|[\w.-]+@[\w.-]+:[^:].*"
    if not text.isprintable() or " " in text or re.fullmatch(form, text, re.ASCII) is None:
        raise ValueError(value)
    return text


def without_password(url: str) -> str:
    """An address as it may be shown."""
    parts = urlsplit(url)
    if not parts.scheme or "@" not in parts.netloc:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.split(':')[0] if parts.scheme == 'ssh' else '***'}@{host}"))


def _branch_name(value: object) -> str:
    """As `git check-ref-format` has it, more or less; git itself has the last word."""
    text = str(value)
    if re.fullmatch(r"(?!.*(\.\.|//|\.lock$|/$|\.$|/\.))[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}", text) is None:
        raise ValueError(value)
    return text


def _path_within(value: object) -> str:
    text = str(value)
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in text.split("/")) or not text.isprintable():
        raise ValueError(value)
    return text


class GitSettings(BaseModel):
    """A branch of git as the home of the desired state: `git` of `desired_state`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    url: Annotated[str, BeforeValidator(_git_url), PlainSerializer(without_password, when_used="json")] = Field(
        description="Where the repository is. Git's own ways to prove who we are are used: keys and `~/.ssh/config` of "
        "the user that runs the controller, `~/.netrc`, or a token in the address, which is shown to nobody.",
        json_schema_extra={
            "allowed": "an absolute path, or an address such as `https://git.example.org/lab.git`, "
            "`ssh://git@git.example.org/lab.git` or `git@git.example.org:lab.git`",
            "default": "none",
        },
    )
    branch: Annotated[str, BeforeValidator(_branch_name)] = setting(
        "main", "Branch whose newest commit is in force.", "the name of a branch"
    )
    path: Annotated[str, BeforeValidator(_path_within)] = setting(
        "desired_state.yaml", "File in the repository.", "a relative path with `/` between its parts and no `..`"
    )
    interval: Number = seconds(30, "Time between two fetches; `POST /v1/refresh` asks for one at once.", 1, 86400)
    write: bool = setting(
        False,
        "Whether API calls are written as commits and pushed to the branch. Else calls that change anything are "
        "refused with 409: who may push says who has a session.",
        "true or false",
    )


class ElsewhereSettings(BaseModel):
    """Another home of the desired state than a file: `desired_state` as a mapping with one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    git: GitSettings | None = setting(
        None, "A branch of git: see below.", "a mapping with `url` and perhaps `branch`, `path`, `interval`, `write`"
    )
    sqlite: Annotated[Path, BeforeValidator(absolute_path)] | None = setting(
        None, "A database with the text in it; made if it is not there.", "a path"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.git is None) == (self.sqlite is None):
            raise clash(f"desired_state must be {HOME_RULE}", "desired_state")
        return self


def _file_or_elsewhere(value: object) -> object:
    return value if isinstance(value, Mapping | ElsewhereSettings) else absolute_path(value)


HomeSetting = Annotated[
    Annotated[Path, Tag("[file]")] | Annotated[ElsewhereSettings, Tag("[elsewhere]")],
    Discriminator(lambda value: "[file]" if isinstance(value, Path) else "[elsewhere]"),
    BeforeValidator(_file_or_elsewhere),
]


def home_text(home: Path | ElsewhereSettings) -> str:
    """In words."""
    match home:
        case ElsewhereSettings(git=GitSettings() as git):
            return f"{git.path} on branch {git.branch} of {without_password(git.url)}"
        case ElsewhereSettings(sqlite=path):
            return f"database {path}"
        case path:
            return str(path)
