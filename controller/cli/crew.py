"""Many users at once: each one's call is sent, its effect waited for, and told as it happens.

On a terminal a bar and the users under way are drawn below what is done; into a pipe each outcome is one line.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import click
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from controller.cli.api import Api, Json
from controller.cli.failures import Refused
from controller.cli.output import console, on_terminal, print_data, print_lines
from controller.cli.users import spelled
from controller.cli.words import BAD, GOOD, QUIET, number
from controller.logs import printable

AT_ONCE = 16
"""Calls under way; the controller itself starts so many sessions at a time as its settings say."""
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
    call: Callable[[Api, int], str]
    """Asks for it; returns what to say of it where nothing is waited for."""
    there: Callable[[Json | None], str]
    """What to say of a user's document that shows the effect; empty while it does not."""


@dataclass(slots=True)
class _Task:
    user_id: int
    began: float
    answered: float | None = None
    under_way: str = "asked"


def carry_out(api: Api, ids: Sequence[int], deed: Deed, wait: float, output: str) -> None:
    """Do it to all of them, and wait up to `wait` seconds for each one's effect.

    Raises:
        ClickException: some failed; the others are done.
    """
    if not ids:
        click.echo("There is no user to do this to.")
        return
    outcomes = []
    loud = output == "table"
    with _Drawn(deed.doing, len(ids), loud and on_terminal()) as drawn:
        for outcome in _done(api, ids, deed, wait, drawn.under_way):
            outcomes.append(outcome)
            drawn.advance()
            if loud:
                drawn.say(outcome)
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
) -> Iterable[Outcome]:
    """The outcomes as they come. The calls are made in threads that a Ctrl-C leaves behind."""
    began = time.monotonic()
    tasks = {user_id: _Task(user_id, began) for user_id in ids}
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[int, str | click.ClickException]] = queue.SimpleQueue()
    for user_id in ids:
        waiting.put(user_id)
    for _ in range(min(AT_ONCE, len(ids))):
        threading.Thread(target=_ask_for_each, args=(api, deed, waiting, answers), daemon=True).start()
    while tasks:
        for user_id, answer in _next_of(answers):
            task = tasks[user_id]
            if isinstance(answer, click.ClickException):
                words = answer.message.removeprefix(f"User {user_id} ")
                yield _outcome(tasks.pop(user_id), words, done=False, refused=_refused(answer))
            elif wait <= 0:
                yield _outcome(tasks.pop(user_id), answer)
            else:
                task.answered = time.monotonic()
        if not tasks:
            return
        documents = {each["user_id"]: each for each in api.get("/v1/users", "users")["users"]}
        for task in list(tasks.values()):
            user = documents.get(task.user_id)
            task.under_way = printable(user["why"]) if user else "asked"
            ended = _judged(task, user, deed, wait)
            if ended:
                del tasks[task.user_id]
                yield ended
        under_way((task.user_id, task.under_way) for task in tasks.values())


def _ask_for_each(
    api: Api,
    deed: Deed,
    waiting: queue.SimpleQueue[int],
    answers: queue.SimpleQueue[tuple[int, str | click.ClickException]],
) -> None:
    while True:
        try:
            user_id = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            answers.put((user_id, deed.call(api, user_id)))
        except click.ClickException as error:
            answers.put((user_id, error))
        except Exception as error:  # noqa: BLE001 - a thread's edge: what it does not report is waited for in vain
            answers.put((user_id, click.ClickException(f"{type(error).__name__}: {error}")))


def _next_of(
    answers: queue.SimpleQueue[tuple[int, str | click.ClickException]],
) -> Iterable[tuple[int, str | click.ClickException]]:
    """What was answered by now, or within a moment."""
    try:
        yield answers.get(timeout=LOOK_SECONDS)
        while True:
            yield answers.get_nowait()
    except queue.Empty:
        return


def _judged(task: _Task, user: Json | None, deed: Deed, wait: float) -> Outcome | None:
    if task.answered is None:  # what is there may be what was there before
        return None
    said = deed.there(user)
    if said:
        return _outcome(task, said, user)
    progress = user["progress"] if user else {}
    if progress.get("error") and progress.get("permanent"):
        return _outcome(task, task.under_way, done=False)
    if time.monotonic() - task.answered > wait:
        return _outcome(task, f"not after {wait:g} s: {task.under_way}", done=False)
    return None


def _outcome(task: _Task, words: str, user: Json | None = None, *, done: bool = True, refused: bool = False) -> Outcome:
    url = user["access_url"] if done and user and user["observed"]["status"] == "running" else None
    return Outcome(task.user_id, done, refused, words, url, round(time.monotonic() - task.began, 1))


def _refused(error: click.ClickException) -> bool:
    return isinstance(error, Refused) and error.status < 500


class _Drawn:
    """The bar, the users under way below it, and the outcomes above; on no terminal only these."""

    def __init__(self, doing: str, total: int, live: bool) -> None:
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
        self._task = self._bar.add_task(doing, total=total)
        self._width = len(str(total)) + 7
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
