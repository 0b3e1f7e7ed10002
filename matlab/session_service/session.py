"""The session: one interpreter at a time, one command at a time, in the order in which they came, and all of it told
to everyone through `publish`. Keeps the interpreter alive; knows nothing of sockets.

Everything happens on one event loop, so a method that does not await is a transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from .figures import Album
from .frames import Frame
from .interpreter import DEBUGGER_PROMPT, Interpreter, Interpreters
from .outcome import CodeError, Ending, read_error
from .recovery import Recovery

log = logging.getLogger(__name__)

COALESCE_SECONDS = 0.005
"""Printed text comes in fragments; it is sent on this long after the first of them, or when something else happens."""

LARGEST_OUTPUT = 32 * 1024
"""Characters in one `output`."""

KEPT_OUTPUT = 64 * 1024
"""Characters of printed text that the answer to `eval` repeats; all of it was streamed."""

SHOWN_CODE = 8 * 1024
"""Characters of a command that the others are shown."""

MOST_WAITING = 100
STARTUP = 0
"""The `eval_id` of the user's startup.m, which everyone hears about but nobody sent."""

SETTLE_SECONDS = 0.3


Json = dict[str, Any]
Publish = Callable[[str, Json], None]
Done = Callable[[Any], None]


class State(StrEnum):
    STARTING = "starting"
    BUSY = "busy"
    """With a command, or with the user's startup.m."""
    IDLE = "idle"
    DOWN = "down"
    """Waiting to be started again."""


class TooManyWaiting(Exception):
    pass


class NothingAsks(Exception):
    pass


@dataclass(slots=True)
class Evaluation:
    number: int
    """Counts up from 1 as long as the service lives; `STARTUP` for the user's startup.m."""
    code: str
    done: Done
    silent: bool = False
    """A program's own business: nobody need see the command and what it prints."""
    debugged: bool = False
    """The debugger asked; from there one may leave a command (`dbquit`)."""
    began: float = 0.0
    printed: list[str] = field(default_factory=list)
    printed_size: int = 0
    end: Frame | None = None
    """What the interpreter said at its end; the evaluation is over when the prompt follows."""


@dataclass(slots=True)
class Question:
    """What a client wants to know of the interpreter. It waits its turn among the commands, but nobody else hears of
    it, and it is no activity."""

    name: str
    """`whos`, `value`, `complete`, `figure` or `export`."""
    params: Json
    done: Done
    failed: Callable[[str], None]
    number: int = 0
    answer: Frame | None = None


class Session:
    """`run` keeps it going until it is cancelled; `ready` is set once an interpreter said so for the first time."""

    def __init__(self, interpreters: Interpreters, folder: Path, publish: Publish) -> None:
        self.ready = asyncio.Event()
        self._interpreters = interpreters
        self._folder = folder
        self._publish = publish
        self._interpreter: Interpreter | None = None
        self._version = ""
        self._starts = 0
        self._recovery = Recovery()
        self._state = State.STARTING
        self._since = self._last_activity = datetime.now(UTC)
        self._count = 0
        self._running: Evaluation | None = None
        self._waiting: deque[Evaluation | Question] = deque()
        self._asking: Question | None = None
        self._questions = 0
        self._input_request: Json | None = None
        """What the command that runs asks of its users."""
        self._last_printed = ""
        self._album = Album()
        self._interrupted = False
        self._settling = 0
        """Number of the line that is to use up a late Ctrl-C; 0 when there is none."""
        self._settled = False
        """That line was carried out."""
        self._restarting: list[Done] = []
        """Who waits for the restart that was asked for."""
        self._asked = False
        """The interpreter that runs was killed by request."""
        self._wake = asyncio.Event()
        self._text: list[str] = []
        self._text_size = 0
        self._flush_timer: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------ asked from outside

    def evaluate(self, code: str, done: Done, *, silent: bool) -> None:
        """Run `code` after all that came before it; `done` gets the outcome.

        Raises:
            TooManyWaiting: so many commands wait already that this one was not taken.
        """
        self._refuse_if_many_wait()
        self.touch()
        self._count += 1
        self._waiting.append(Evaluation(self._count, code, done, silent))
        self._run_next()

    def ask(self, question: Question) -> None:
        """Have it answered at the prompt, after all commands that came before it.

        Raises:
            TooManyWaiting: as `evaluate`.
        """
        self._refuse_if_many_wait()
        self._waiting.append(question)
        self._run_next()

    def input(self, text: str) -> None:
        """Answer what the running command asks; everybody sees the answer, as on a terminal.

        Raises:
            NothingAsks: no command waits for input.
        """
        if self._interpreter is None or self._input_request is None:
            raise NothingAsks
        self.touch()
        self._input_request = None
        self._hear_text(f"{text}\n")
        self._flush()
        self._interpreter.type(text)

    def touch(self) -> None:
        """Somebody does something with the session."""
        self._last_activity = datetime.now(UTC)

    def interrupt(self) -> bool:
        """Ctrl-C for a command or a question; false if there is none."""
        self.touch()
        if self._interpreter is None or (self._state is not State.BUSY and self._asking is None):
            return False
        self._interrupted = True
        self._interpreter.interrupt()
        return True

    def restart(self, done: Done) -> None:
        """End the interpreter, whatever it does, and start a new one, safe mode or not; `done` at its first prompt."""
        self.touch()
        self._restarting.append(done)
        if self._interpreter is not None:
            self._asked = True
            self._interpreter.kill()
        self._wake.set()

    def status(self) -> Json:
        interpreter = self._interpreter
        return {
            "state": self._state,
            "since": _iso(self._since),
            "last_activity": _iso(self._last_activity),
            "waiting": sum(isinstance(w, Evaluation) for w in self._waiting),
            "asks": self._input_request,
            "folder": interpreter.folder() if interpreter is not None else None,
            "interpreter": {
                "name": self._interpreters.name,
                "version": self._version,
                "pid": interpreter.pid if interpreter is not None else None,
                "restarts": max(0, self._starts - 1),
                "safe_mode": self._recovery.safe_mode,
            },
        }

    def figures(self) -> list[Json]:
        return self._album.as_json()

    def figure_revision(self, number: int) -> int:
        return self._album.revision(number)

    # ------------------------------------------------------------ the interpreter's life

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            code = await self._live()
            in_user_startup = self._running is not None and self._running.number == STARTUP
            asked, self._asked = self._asked, False
            self._recovery = (
                Recovery()
                if asked
                else self._recovery.after_death(lived=loop.time() - began, in_user_startup=in_user_startup)
            )
            self._bury(code, asked)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._recovery.delay):
                    await self._wake.wait()
                    self._recovery = Recovery()

    async def _live(self) -> int:
        """Start an interpreter and wait for its end; its exit code."""
        self._starts += 1
        self._enter(State.STARTING)
        log.info("interpreter starting", extra={"start": self._starts, "safe_mode": self._recovery.safe_mode})
        try:
            started = self._interpreters.start(self._folder, self._hear, safe_mode=self._recovery.safe_mode)
            self._interpreter = await started
        except OSError as error:  # no more processes, no memory
            log.error("interpreter could not be started", extra={"reason": str(error)})
            return os.EX_OSERR
        try:
            return await self._interpreter.wait()
        finally:
            self._interpreter = None

    def _bury(self, code: int, asked: bool) -> None:
        self._flush()
        self._enter(State.DOWN)
        self._interrupted, self._settling, self._input_request = False, 0, None
        message = _obituary(code, asked)
        log.info("interpreter ended", extra={"exit_code": code, "asked": asked, "next_start_in": self._recovery.delay})
        if self._running is not None:
            self._finish(self._running, Ending.DIED, CodeError("Session:InterpreterEnded", message))
        if self._asking is not None:
            self._waiting.appendleft(self._asking)
            self._asking = None
        for waiting in self._waiting:
            if isinstance(waiting, Question):
                waiting.failed(message)
            else:
                waiting.done(self._outcome(waiting, Ending.ABORTED, CodeError("Session:NotRun", message)))
        self._waiting.clear()
        self._show_figures([])
        self._publish(
            "exited",
            {
                "exit_code": code,
                "requested": asked,
                "message": message,
                "restart_in": self._recovery.delay,
                "safe_mode": self._recovery.safe_mode,
            },
        )

    # ------------------------------------------------------------ what the interpreter says

    def _hear(self, item: str | Frame) -> None:
        if isinstance(item, str):
            self._hear_text(item)
            return
        self._flush()
        match item.get("frame"):
            case "ready":
                self._on_ready(str(item.get("version", "")))
            case "end" if self._running is not None and item.get("id") == self._running.number:
                self._running.end = item
                self._input_request = None
                self._show_figures(item.get("figures") or [])
            case "answer" if self._asking is not None and item.get("id") == self._asking.number:
                self._asking.answer = item
            case "input":
                self._request_input(str(item.get("prompt", "")), str(item.get("kind", "")))
            case "settled":
                self._settled = item.get("number") == self._settling
            case "prompt":
                self._on_prompt()

    def _hear_text(self, text: str) -> None:
        over = self._interrupted and (self._running is None or self._running.end is not None)
        if (over or self._settling) and not text.strip():
            return  # the line break that Octave prints after a Ctrl-C
        self._text.append(text)
        self._text_size += len(text)
        if self._text_size >= LARGEST_OUTPUT:
            self._flush()
        elif self._flush_timer is None:
            self._flush_timer = asyncio.get_running_loop().call_later(COALESCE_SECONDS, self._flush)

    def _flush(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        text = "".join(self._text)
        self._text.clear()
        self._text_size = 0
        for start in range(0, len(text), LARGEST_OUTPUT):
            self._print(text[start : start + LARGEST_OUTPUT])
        if text:
            self._last_printed = (self._last_printed + text)[-len(DEBUGGER_PROMPT) :]
            if self._last_printed == DEBUGGER_PROMPT:  # `input` tells of itself by a frame
                self._request_input(DEBUGGER_PROMPT, "debugger")
                if self._running is not None:
                    self._running.debugged = True

    def _print(self, text: str) -> None:
        running = self._running
        if running is not None:
            if running.printed_size < KEPT_OUTPUT:
                running.printed.append(text[: KEPT_OUTPUT - running.printed_size])
            running.printed_size += len(text)
            if running.silent:
                return
        self._publish("output", {"eval_id": running.number if running is not None else None, "text": text})

    def _request_input(self, prompt: str, kind: str) -> None:
        if self._running is None:
            return
        self._input_request = {"eval_id": self._running.number, "prompt": prompt, "kind": kind}
        self._publish("input_request", self._input_request)

    def _show_figures(self, told: list[Json]) -> None:
        if self._album.take(told):
            number = self._running.number if self._running is not None else None
            self._publish("figures", {"eval_id": number, "figures": self._album.as_json()})

    def _on_ready(self, version: str) -> None:
        self._version = version
        self._publish("ready", self.status()["interpreter"])
        self._begin(Evaluation(STARTUP, "startup.m", lambda _: None))
        self.ready.set()

    def _on_prompt(self) -> None:
        if self._settling:
            if not self._settled:
                return
            self._settling = 0
        if self._asking is not None:
            self._answer(self._asking)
        elif self._running is not None:
            self._finish(self._running, *self._ending(self._running))
        if self._interrupted:
            self._interrupted = self._settled = False
            self._settle()
            return
        if self._state is not State.IDLE:  # questions leave it as it is
            self._enter(State.IDLE)
            for done in self._restarting:
                done(self.status())
            self._restarting.clear()
        self._run_next()

    def _settle(self) -> None:
        """Ask for a sign that the Ctrl-C is used up, and again in case that it was used up by the question."""
        if self._interpreter is None:
            return
        self._settling += 1
        self._interpreter.settle(self._settling)
        asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._settle_again, self._interpreter, self._settling)

    def _settle_again(self, interpreter: Interpreter, number: int) -> None:
        if interpreter is self._interpreter and number == self._settling and not self._settled:
            self._settle()

    # ------------------------------------------------------------ evaluations and questions

    def _refuse_if_many_wait(self) -> None:
        if len(self._waiting) >= MOST_WAITING:
            raise TooManyWaiting

    def _run_next(self) -> None:
        at_prompt = self._state is State.IDLE and self._asking is None and not self._settling
        if self._interpreter is None or not at_prompt or not self._waiting:
            return
        waiting = self._waiting.popleft()
        if isinstance(waiting, Question):
            self._asking = waiting
            self._questions += 1
            waiting.number = self._questions
            self._interpreter.ask(waiting.number, waiting.name, waiting.params)
        else:
            self._begin(waiting)
            self._interpreter.evaluate(waiting.number, waiting.code)

    def _answer(self, question: Question) -> None:
        self._asking = None
        answer = question.answer
        if answer is None and self._interrupted:
            question.failed("The question was interrupted.")
        elif answer is None:
            question.failed("The session's own functions are gone. Restart the session.")
        elif "error" in answer:
            question.failed(str(answer["error"]))
        else:
            question.done(answer["value"])

    def _begin(self, evaluation: Evaluation) -> None:
        self._running = evaluation
        evaluation.began = asyncio.get_running_loop().time()
        self._enter(State.BUSY)
        shown = evaluation.code[:SHOWN_CODE]
        since = _iso(self._since)
        self._publish(
            "busy", {"eval_id": evaluation.number, "code": shown, "since": since, "silent": evaluation.silent}
        )

    def _finish(self, evaluation: Evaluation, ending: Ending, error: CodeError | None) -> None:
        self._running, self._input_request = None, None
        self.touch()
        outcome = self._outcome(evaluation, ending, error)
        told = {k: v for k, v in outcome.items() if k not in ("output", "output_truncated")}
        self._publish("idle", {**told, "silent": evaluation.silent})
        evaluation.done(outcome)

    def _ending(self, evaluation: Evaluation) -> tuple[Ending, CodeError | None]:
        end = evaluation.end
        if end is None and (self._interrupted or evaluation.debugged):
            return Ending.INTERRUPTED, None
        if end is None and evaluation.number != STARTUP:
            message = "The command's end was not reported: the session's own functions are gone. Restart the session."
            return Ending.ERROR, CodeError("Session:Broken", message)
        if end is None or end.get("status") == "ok":
            return Ending.OK, None
        if end.get("status") == "error":
            return Ending.ERROR, read_error(end.get("error") or {}, self._interpreters.command_file)
        return Ending.INTERRUPTED, None

    def _outcome(self, evaluation: Evaluation, ending: Ending, error: CodeError | None) -> Json:
        elapsed = asyncio.get_running_loop().time() - evaluation.began if evaluation.began else 0.0
        return {
            "eval_id": evaluation.number,
            "status": ending,
            "error": error.as_json() if error is not None else None,
            "elapsed": round(elapsed, 6),
            "output": "".join(evaluation.printed),
            "output_truncated": evaluation.printed_size > KEPT_OUTPUT,
        }

    def _enter(self, state: State) -> None:
        self._state = state
        self._since = datetime.now(UTC)


def _obituary(code: int, asked: bool) -> str:
    if asked:
        return "The interpreter was restarted. Its variables are gone."
    if code < 0:
        return f"The interpreter was ended by signal {-code} and starts again. Its variables are gone."
    return f"The interpreter ended (exit code {code}) and starts again. Its variables are gone."


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
