"""The desired state in one YAML file that people, git and the API write, none of them losing what another wrote.

`change` brings the API's wishes into the file, `run` takes in what others wrote. Both first take the file as it is
now, under one lock, so that every writer's text is seen before ours is put in its place. A text that cannot be taken
changes nothing: the last good one stays in force and `health` says what is wrong.

What a text means is left to `spec.py`, how a file is read and replaced to `disk.py`, what once held to `history.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from controller import spec
from controller.errors import NotPersisted, Problem, SettingsInvalid, WishInvalid
from controller.model import DesiredState, Wish
from controller.store import Change, WishHealth, disk
from controller.store.disk import Found
from controller.store.history import Generation, History

log = logging.getLogger(__name__)

T = TypeVar("T")

POLL_SECONDS = 3.0
"""How late a change is seen when the watcher is dead."""
SETTLE_ROUNDS = 20
"""A file that never comes to rest is taken as it is after so many looks."""
WRITER = "file"
"""The writer of an edit by hand."""
ABSURD = 10**9
"""No count of changes: a generation so high, in a file that comes to us without history, is not gone on from."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The state in force, and the text that says exactly that."""

    state: DesiredState
    text: str


class YamlFileStore:
    """A `Store`. `load` it first, `run` it for as long as it lives, `close` it last."""

    _history: History

    def __init__(
        self, path: Path, state_dir: Path, *, max_users: int, profiles: Collection[str], settle_seconds: float
    ) -> None:
        self._path = path
        self._state_dir = state_dir
        self._max_users = max_users
        self._profiles = profiles
        self._settle_seconds = settle_seconds
        self._lock = asyncio.Lock()
        # One thread for all that blocks: a cancelled caller leaves no write behind that could race with the next one.
        self._thread = ThreadPoolExecutor(1, "desired-state")
        self._known = _Known(DesiredState(), "")
        self._seen: Found | None = None
        """The file as it was when it was last taken, refused or written."""
        self._health = WishHealth(str(path), False, (Problem(0, 0, "not read yet"),), datetime.now(UTC))
        self._listeners: list[Callable[[frozenset[int]], None]] = []

    @property
    def current(self) -> DesiredState:
        return self._known.state

    @property
    def health(self) -> WishHealth:
        return self._health

    def subscribe(self, listener: Callable[[frozenset[int]], None]) -> None:
        self._listeners.append(listener)

    async def load(self) -> None:
        """Bring the last good state into force, then what the file says now; make the file if there never was one.

        Raises:
            SettingsInvalid: the history cannot be used.
            NotPersisted: the first file cannot be made.
        """
        async with self._lock:
            last = await self._blocking(self._open_history)
            if last is not None:
                self._known = last
            await self._blocking(lambda: self._prepare_file(make_it=last is None))
            await self._take_file()

    async def change(self, user_id: int, change: Change, writer: str) -> DesiredState:
        async with self._lock:
            while True:
                await self._take_file()
                before = self._known.state
                if before.generation == 0:
                    raise NotPersisted(f"There is no good desired state yet: {self._health.problems[0]}.")
                wish = _exact(change(before.users.get(user_id)))
                if wish == before.users.get(user_id):
                    return before
                after = replace(_with_entry(before, user_id, wish), generation=before.generation + 1)
                with contextlib.suppress(disk.Moved):  # somebody wrote just now: that comes first
                    await self._write_change(after, writer)
                    return after

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        touched = asyncio.Event()
        with _watched(self._path, lambda: loop.call_soon_threadsafe(touched.set)):
            while True:
                touched.clear()
                try:
                    async with self._lock:
                        await self._take_file()
                except Exception:
                    log.exception("the desired state could not be looked at", extra={"pairs": {"file": self._path}})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await touched.wait()

    async def close(self) -> None:
        await self._blocking(self._history.close)
        self._thread.shutdown()

    # ------------------------------------------------------------ the start

    def _open_history(self) -> _Known | None:
        path = self._state_dir / "history.sqlite3"
        try:
            self._history = History(path)
            last = self._history.last()
            return None if last is None else _Known(_state_of(last), last.text)
        except (sqlite3.Error, WishInvalid) as error:
            raise SettingsInvalid(
                f"The history of desired states in {path} cannot be used: {error}. "
                "Mend it, or move it away to begin a new one from the file."
            ) from error

    def _prepare_file(self, make_it: bool) -> None:
        """Clear away what a killed write left behind, and make a file where there never was one."""
        disk.clear_leftovers(self._path)
        if not make_it or not self._look().missing:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            disk.replace(self._path, spec.EMPTY_WISH.encode(), still=lambda: self._look().missing)
        except OSError as error:
            raise NotPersisted(f"The desired state's file {self._path} cannot be made: {error.strerror}.") from error
        log.info("desired state made, with nobody in it", extra={"pairs": {"file": self._path}})

    # ------------------------------------------------------------ the file → the state

    async def _take_file(self) -> None:
        """Bring into force what others wrote since the last look. The lock is held."""
        if not self._health.valid:  # it may have failed for a reason outside of the text: try that again
            self._seen = None
        while (found := await self._settled()) != self._seen:
            try:
                await self._take(found)
            except disk.Moved:
                continue
            except WishInvalid as error:
                self._refuse(found, error.problems)
            except (NotPersisted, spec.EditFailed) as error:
                self._refuse(found, (Problem(0, 0, f"the edit is good, but it cannot be recorded: {error}"),))

    async def _settled(self) -> Found:
        """The file, when nobody has written to it for the settle time."""
        found = await self._blocking(self._look)
        for _ in range(SETTLE_ROUNDS):
            if found == self._seen:
                break
            await asyncio.sleep(self._settle_seconds)
            before, found = found, await self._blocking(self._look)
            if found == before:
                break
        return found

    async def _take(self, found: Found) -> None:
        """Bring one text into force, merged with what happened since the state that it was edited from.

        Raises:
            WishInvalid: it is no good.
            NotPersisted: the outcome cannot be written.
            Moved: somebody wrote once more.
        """
        if found.raw is None:
            raise WishInvalid((Problem(0, 0, found.fault),))
        text, current = spec.decode(found.raw), self._known.state
        end_mark = current.generation > 0  # from then on we wrote it, or took it when it had one
        theirs = spec.parse(text, max_users=self._max_users, profiles=self._profiles, end_mark=end_mark)
        base = await self._blocking(lambda: self._base(theirs.generation))
        after, conflicts = _adopted(current, base, theirs)
        await self._persist(after, spec.edit(text, theirs, after), WRITER, found, keep=False)
        for conflict in conflicts:
            _log_conflict(conflict, after.generation)
        if after == current and theirs.generation != current.generation:
            pairs = {"file": self._path, "named": theirs.generation or None, "generation": current.generation}
            log.info("the edited file held nothing new and was brought up to date", extra={"pairs": pairs})

    def _base(self, generation: int) -> DesiredState | None:
        """The state that an edit began from, if it was an earlier one that we remember."""
        if not 0 < generation < self._known.state.generation:
            return None
        try:
            past = self._history.get(generation)
        except sqlite3.Error as error:
            raise NotPersisted(f"The history cannot be read: {error}.") from error
        return None if past is None else _state_of(past)

    def _refuse(self, found: Found, problems: tuple[Problem, ...]) -> None:
        self._seen = found
        if problems == self._health.problems:
            return
        self._health = WishHealth(str(self._path), False, problems, datetime.now(UTC))
        for problem in problems:
            facts = {"line": problem.line or None, "column": problem.column or None, "problem": problem.message}
            log.warning(
                "desired state refused, the last good one stays in force",
                extra={"pairs": {"file": self._path, **facts, "generation": self._known.state.generation}},
            )

    # ------------------------------------------------------------ the state → the file

    async def _write_change(self, after: DesiredState, writer: str) -> None:
        """Raises NotPersisted or Moved."""
        found = self._seen or Found(None)
        try:
            text = spec.edit(self._known.text, self._known.state, after)
        except spec.EditFailed as error:
            raise NotPersisted(f"The desired state's text cannot be changed in place: {error}.") from error
        # A text that was refused is somebody's work: it stays beside the one that takes its place.
        theirs = found.raw != self._known.text.encode() and not found.missing
        await self._persist(after, text, writer, found, keep=theirs and not self._health.valid)

    async def _persist(self, after: DesiredState, text: str, writer: str, found: Found, *, keep: bool) -> None:
        """Make the state durable as file and history, then bring it into force.

        Raises:
            NotPersisted: it could not be written; nothing changed.
            Moved: the file is not as it was `found`; nothing changed.
        """
        before, raw, now = self._known.state, text.encode(), datetime.now(UTC)
        record = Generation(after.generation, now, writer, text) if after.generation > before.generation else None
        try:
            kept = await self._blocking(lambda: self._write(raw, record, found, keep))
        except OSError as error:
            raise NotPersisted(f"The desired state cannot be written to {self._path}: {error.strerror}.") from error
        except sqlite3.Error as error:
            raise NotPersisted(f"The history in {self._state_dir} cannot be written: {error}.") from error
        self._known, self._seen = _Known(after, text), Found(raw)
        self._judge(text)
        if kept is not None:
            log.warning(
                "the refused text was set aside for a change", extra={"pairs": {"file": self._path, "aside": kept}}
            )
        self._tell(before, after, writer)

    def _write(self, raw: bytes, record: Generation | None, found: Found, keep: bool) -> Path | None:
        """The history first: a generation that never reaches the file is forgotten, or merged at the next start."""
        if record is not None:
            self._history.add(record)
        try:
            if raw == found.raw:
                return None
            return disk.replace(self._path, raw, still=lambda: self._look() == found, keep=keep)
        except BaseException:
            if record is not None:
                self._history.forget(record.number)
            raise

    def _judge(self, text: str) -> None:
        """What we wrote is good, unless it goes on from a state that the operator's settings no longer allow."""
        if self._health.valid:
            return
        problems: tuple[Problem, ...] = ()
        try:
            spec.parse(text, max_users=self._max_users, profiles=self._profiles)
        except WishInvalid as error:
            problems = error.problems
        if problems != self._health.problems:
            self._health = WishHealth(str(self._path), not problems, problems, datetime.now(UTC))

    def _tell(self, before: DesiredState, after: DesiredState, writer: str) -> None:
        changed = frozenset(spec.changed_users(before, after))
        if after.generation > before.generation:
            users = ",".join(map(str, sorted(changed)))
            pairs = {"generation": after.generation, "writer": writer, "users": users or "none"}
            log.info("desired state changed", extra={"pairs": pairs})
        if after.default_profile != before.default_profile:
            changed |= after.users.keys()
        if changed:
            for listener in self._listeners:
                listener(changed)

    # ------------------------------------------------------------ helpers

    def _look(self) -> Found:
        return disk.read(self._path, spec.MAX_BYTES)

    async def _blocking(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _adopted(
    current: DesiredState, base: DesiredState | None, theirs: DesiredState
) -> tuple[DesiredState, tuple[spec.Conflict, ...]]:
    """The state after an edit. Without a base the edit is a whole new text, and says it all."""
    if current.generation == 0:
        return replace(theirs, generation=theirs.generation if 0 < theirs.generation < ABSURD else 1), ()
    merged, conflicts = (theirs, ()) if base is None else spec.merge(base, current, theirs)
    if replace(merged, generation=current.generation) == current:
        return current, conflicts
    return replace(merged, generation=current.generation + 1), conflicts


def _state_of(past: Generation) -> DesiredState:
    """It was good when it was taken, whatever the settings say by now."""
    return spec.parse(past.text, max_users=spec.MAX_USER_ID, profiles=None)


def _with_entry(state: DesiredState, user_id: int, wish: Wish | None) -> DesiredState:
    users = {**state.users, user_id: wish}
    return replace(
        state, users=MappingProxyType({key: value for key, value in sorted(users.items()) if value is not None})
    )


def _exact(wish: Wish | None) -> Wish | None:
    """As the file can say it."""
    if wish is None or wish.restart_at is None:
        return wish
    return replace(wish, restart_at=spec.to_the_millisecond(wish.restart_at))


def _log_conflict(conflict: spec.Conflict, generation: int) -> None:
    pairs = {"user": conflict.user_id, "field": conflict.field, "kept": conflict.kept, "lost": conflict.lost}
    log.warning(
        "an edit of the file and an earlier change met in one field; the edit was kept",
        extra={"pairs": {**pairs, "generation": generation}},
    )


class _Watcher(FileSystemEventHandler):
    """Pokes when something happens to a file of one of these names. Called in the observer's thread."""

    def __init__(self, names: frozenset[str], poke: Callable[[], object]) -> None:
        self._names = names
        self._poke = poke

    def on_any_event(self, event: FileSystemEvent) -> None:
        if self._names & {os.path.basename(os.fsdecode(path)) for path in (event.src_path, event.dest_path)}:
            self._poke()


@contextlib.contextmanager
def _watched(path: Path, poke: Callable[[], object]) -> Iterator[None]:
    """Poke soon after each change of the file. A hint only: where there can be no watcher, the poll does it alone.

    The folder is watched, not the file, since editors put a new file in its place. Our own looks are no changes.
    """
    real = Path(os.path.realpath(path))
    kinds: list[type[FileSystemEvent]] = [
        FileCreatedEvent,
        FileModifiedEvent,
        FileMovedEvent,
        FileDeletedEvent,
        FileClosedEvent,
    ]
    observer = Observer()
    try:
        handler = _Watcher(frozenset({path.name, real.name}), poke)
        for folder in {path.parent.resolve(), real.parent}:
            observer.schedule(handler, folder, event_filter=kinds)
        observer.start()
    except OSError as error:
        pairs = {"folder": path.parent, "why": error.strerror, "poll_seconds": POLL_SECONDS}
        log.warning("the desired state's folder cannot be watched, only polled", extra={"pairs": pairs})
        yield
        return
    try:
        yield
    finally:
        observer.stop()
        observer.join()
