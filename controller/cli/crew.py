"""Many users at once: what is asked of them is written as one change, and its effect on each waited for and told.

On a terminal a bar and the users under way are drawn below what is done; into a pipe each outcome is one line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import click
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from controller.cli.api import Api, Json
from controller.cli.output import console, linger, on_terminal, print_data, print_lines
from controller.cli.users import spelled
from controller.cli.words import BAD, GOOD, QUIET, failure, number
from controller.logs import printable

LOOK_SECONDS = 0.3
SHOWN_UNDER_WAY = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    user_id: int
    done: bool
    refused: bool
    """Nothing was changed, so that nothing is waited for."""
    outcome: str
    """What a person reads behind the user's number."""
    url: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to each user."""

    doing: str
    """`starting`; what the bar says."""
    entry: Json | None
    """What changes of a user's entry, as `PATCH /v1/users` takes it; `None`: it goes."""
    there: Callable[[Json | None], str]
    """What to say of a user's document that shows the effect; empty while it does not."""
    new: bool = False
    """Also for users who are not in the desired state."""
    anew: bool = False
    """A run that there was before is not the effect, whatever its times say: an engine's clock may be set back."""


@dataclass(frozen=True, slots=True)
class _Written:
    """The change, once it is in force."""

    generation: int
    passes: dict[int, int]
    """How often each user had been worked on before."""
    runs: dict[int, tuple[str, str | None] | None]
    """And which run of which container there was."""
    at: float


def carry_out(api: Api, ids: Sequence[int], deed: Deed, wait: float, output: str) -> None:
    """Do it to all of them, and wait up to `wait` seconds for its effect.

    Raises:
        ClickException: some failed; the others are done.
    """
    if not ids:
        click.echo("There is no user to do this to.") if output == "table" else print_data([], output)
        return
    outcomes = []
    loud = output == "table"
    try:
        with _Drawn(deed.doing, len(ids), loud and on_terminal()) as drawn:
            for outcome in _done(api, ids, deed, wait, drawn.under_way):
                outcomes.append(outcome)
                drawn.advance()
                if loud:
                    drawn.say(outcome)
    except KeyboardInterrupt as interrupt:
        told = "Not waited for any more. What was asked for stands: `matlabctl list -w` shows how it goes on."
        raise click.ClickException(told) from interrupt
    if not loud:
        print_data([asdict(each) for each in sorted(outcomes, key=lambda each: each.user_id)], output)
    failed = [each for each in outcomes if not each.done]
    if failed:
        ids_failed = spelled([each.user_id for each in failed])
        who = f"user {ids_failed}" if len(ids) == 1 else f"{len(failed)} of {number(len(ids), 'user')}: {ids_failed}"
        waiting = spelled([each.user_id for each in failed if not each.refused])
        hint = f" `matlabctl why {waiting}` tells how it goes on." if waiting else ""
        raise click.ClickException(f"Not done for {who}.{hint}")


def _done(
    api: Api, ids: Sequence[int], deed: Deed, wait: float, under_way: Callable[[Iterable[tuple[int, str]]], None]
) -> Iterator[Outcome]:
    """The outcomes as they come."""
    documents = _documents(api)
    known = [user_id for user_id in ids if deed.new or _concerns(documents.get(user_id), deed)]
    for user_id in sorted(set(ids) - set(known)):
        words = "is not in the desired state; `matlabctl create` takes in new users."
        yield Outcome(user_id, done=False, refused=True, outcome=words, url=None, seconds=0)
    if not known:
        return
    passes = {user_id: user["progress"]["passes"] for user_id, user in documents.items()}
    runs = {user_id: _run(user) for user_id, user in documents.items()}
    began = time.monotonic()
    entries = {str(user_id): deed.entry for user_id in known}  # whoever names them here has agreed
    body = api.send("PATCH", "/v1/users", {"users": entries, "force": True}).body
    written = _Written(body["generation"], passes, runs, began)
    if wait <= 0:
        yield from (_outcome(user_id, written, "asked for") for user_id in known)
        return
    waiting = known
    while waiting:
        documents = _documents(api)
        ended = [each for each in (_judged(u, documents.get(u), deed, written, wait) for u in waiting) if each]
        yield from ended
        waiting = [user_id for user_id in waiting if user_id not in {each.user_id for each in ended}]
        under_way((u, printable(documents[u]["why"]) if u in documents else "asked for") for u in waiting)
        if waiting:
            linger(LOOK_SECONDS)


def _documents(api: Api) -> dict[int, Json]:
    return {each["user_id"]: each for each in api.get("/v1/users", "users")["users"]}


def _run(user: Json) -> tuple[str, str | None] | None:
    container = user["observed"]["container"]
    return (container["id"], container["started_at"]) if container else None


def _concerns(user: Json | None, deed: Deed) -> bool:
    """Whether there is something that this can be done to; what is not wanted any more can still go."""
    return user is not None and (user["desired"] is not None or deed.entry is None)


def _judged(user_id: int, user: Json | None, deed: Deed, written: _Written, wait: float) -> Outcome | None:
    progress = user["progress"] if user else {}
    acted = not user or (
        progress["generation"] >= written.generation and progress["passes"] != written.passes.get(user_id, 0)
    )
    same = deed.anew and user is not None and _run(user) == written.runs.get(user_id)
    said = deed.there(user) if acted and not same else ""  # before that, what is there may be what was there
    if said:
        return _outcome(user_id, written, said, user)
    if user and user["paused"]:
        return _outcome(user_id, written, user["why"], done=False)
    if acted and user and progress["error"] and progress["code"] != "engine_unavailable":
        return _outcome(user_id, written, failure(progress), done=False)
    if time.monotonic() - written.at > wait:
        why = user["why"] if user else "asked for"
        return _outcome(user_id, written, f"not after {wait:g} s: {why}", done=False)
    return None


def _outcome(user_id: int, written: _Written, words: str, user: Json | None = None, *, done: bool = True) -> Outcome:
    url = user["access_url"] if user and user["observed"]["status"] == "running" else None
    seconds = round(time.monotonic() - written.at, 1)
    return Outcome(user_id, done, refused=False, outcome=words, url=url, seconds=seconds)


class _Drawn:
    """The bar, the users under way below it, and the outcomes above; on no terminal only these."""

    def __init__(self, doing: str, total: int, live: bool) -> None:
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
        self._task = self._bar.add_task(doing, total=total)
        self._live = Live(self._bar, console=console(), transient=True, refresh_per_second=8) if live else None

    def __enter__(self) -> _Drawn:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def advance(self) -> None:
        self._bar.advance(self._task)

    def say(self, outcome: Outcome) -> None:
        took = f" ({outcome.seconds:g} s)" if outcome.seconds >= 0.1 else ""
        words = f"user {outcome.user_id}: {outcome.outcome}{took}{f'  {outcome.url}' if outcome.url else ''}"
        line = (words, GOOD if outcome.done else BAD)
        if self._live:
            self._live.console.print(Text(printable(line[0]), style=line[1]))
        else:
            print_lines(line)

    def under_way(self, users: Iterable[tuple[int, str]]) -> None:
        if not self._live:
            return
        all_of_them = list(users)
        lines = [
            Text(f"  user {user_id}: {words}", QUIET, no_wrap=True, overflow="ellipsis")
            for user_id, words in all_of_them[:SHOWN_UNDER_WAY]
        ]
        if len(all_of_them) > SHOWN_UNDER_WAY:
            lines.append(Text(f"  and {len(all_of_them) - SHOWN_UNDER_WAY} more", QUIET))
        self._live.update(Group(self._bar, *lines))
