"""The desired state in one YAML text that people, git and the API write, none of them losing what another wrote.

`change` and `amend` bring the API's wishes into the file, `run` takes in what others wrote. Both first take the file
as it is now, under one lock, so that every writer's text is seen before ours is put in its place. A text that cannot
be taken changes nothing: the last good one stays in force and `health` says what is wrong. A good one that would end
many sessions at once waits, as `pending`, for `approve` or `reject`.

What a text would make of the state in force is left to `weighing.py`, what waits to `waiting.py`, texts beside the file
to `leftovers.py`, where the text lies to the homes, what once held and happened to `history.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from prometheus_client.registry import Collector

from controller import brake, merge, policy, spec
from controller.errors import (
    NeedsApproval,
    NotPersisted,
    Problem,
    SettingsInvalid,
    WishInvalid,
    WishReadOnly,
)
from controller.events import EVERY_KIND, Event, EventKind, EventReason
from controller.model import DesiredState
from controller.store import (
    Asked,
    Change,
    Generation,
    Pending,
    Recorded,
    Sync,
    Weighed,
    WishHealth,
    account,
    weighing,
)
from controller.store.history import FILE, Offer, Undecided
from controller.store.home import Found, Home, Moved, Replaced
from controller.store.journal import Journal
from controller.store.leftovers import Leftovers
from controller.store.turns import in_turn
from controller.store.waiting import Waiting
from controller.store.weighing import Outcome, WishTerms

log = logging.getLogger(__name__)

POLL_SECONDS = 3.0
"""How late a change is seen when the watcher is dead."""
SETTLE_ROUNDS = 20
"""A file that never comes to rest is taken as it is after so many looks."""
TAKEN_AT_ONCE = 3
"""Texts that are taken in one look, lest somebody who saves without a pause keep all others out."""
FOUND = "start"
"""The writer of what was found running where there was no history."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The state in force, and the text that says exactly that."""

    state: DesiredState
    text: str


class WishStore:
    """A `Store` with `Texts`. `load` it first, `run` it for as long as it lives, `close` it last."""

    def __init__(self, home: Home, state_dir: Path, terms: WishTerms) -> None:
        self._home = home
        self._state_dir = state_dir
        self._terms = terms
        self._lock = asyncio.Lock()
        self._journal = Journal()
        self._known = _Known(DesiredState(), "")
        self._seen: Found | None = None
        """The file as it was when it was last taken, refused, held or written."""
        self._refused = Found(None)
        """The file as it was when it was last refused or held; nothing any more once it was written."""
        self._health = WishHealth(home.name, False, (Problem(0, 0, "not read yet"),), account.now())
        self._waiting = Waiting(self._journal)
        self._leftovers = Leftovers(home, self._journal, self._adopt_displaced, self._remembered)
        self._founding: bool | None = None
        """As `History.founding` has it."""
        self._running: Mapping[int, str | None] | None = None
        """Whose containers ran at the last survey."""
        self._asked: dict[int, Asked] = {}
        self._listeners: list[Callable[[frozenset[int]], None]] = []

    @property
    def current(self) -> DesiredState:
        return self._known.state

    @property
    def text(self) -> str:
        return self._known.text

    @property
    def refused(self) -> str | None:
        raw = None if self._health.valid else self._refused.raw
        with contextlib.suppress(WishInvalid):  # no text
            return None if raw is None else spec.decode(raw)
        return None

    @property
    def waiting(self) -> str | None:
        return None if self._waiting.offer is None else self._waiting.offer.text

    @property
    def health(self) -> WishHealth:
        return self._health

    @property
    def pending(self) -> Pending | None:
        return self._waiting.pending

    @property
    def sync(self) -> Sync | None:
        return self._home.sync

    def refresh(self) -> None:
        self._home.refresh()

    @property
    def founded(self) -> bool:
        return self._founding is None

    def asked(self, user_id: int) -> Asked | None:
        return self._asked.get(user_id)

    def subscribe(self, listener: Callable[[frozenset[int]], None]) -> None:
        self._listeners.append(listener)

    def follow(self, listener: Callable[[], None]) -> None:
        self._journal.follow(listener)

    @property
    def counted(self) -> tuple[Collector, ...]:
        """What it counts, once it is loaded."""
        return (self._journal.history.written,)

    # ------------------------------------------------------------ the life of a store

    async def load(self) -> None:
        """Bring the last good state into force, then what the file says now; make the file if there never was one.

        Raises:
            SettingsInvalid: the history cannot be used.
            NotPersisted: the first file cannot be made.
        """
        async with self._lock:
            last = await self._journal.blocking(self._open_history)
            await self._journal.blocking(lambda: self._open_home(make_it=last is None))
            if last is not None:
                self._known = await self._journal.blocking(partial(self._written, last))
            self._founding = await self._journal.blocking(self._journal.history.founding)
            await self._review()
            if last is not None:  # an edit that a kill left displaced is older than what the file says now
                self._seen = Found(self._known.text.encode())
                await self._leftovers.clear()
            await self._take_file()
            await self._leftovers.clear()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_watching(), name="desired state")
            tasks.create_task(self._journal.keep_recording(), name="events")

    async def close(self) -> None:
        self._home.close()
        await self._journal.close()

    async def surveyed(self, running: Mapping[int, str | None]) -> None:
        self._running = running
        if not self.founded:
            async with self._lock:
                await self._take_file()

    # ------------------------------------------------------------ what writers ask for

    async def change(self, user_id: int, change: Change, writer: str) -> DesiredState:
        def amend(state: DesiredState) -> DesiredState:
            wish = account.exact(change(state.users.get(user_id)))
            return state if wish == state.users.get(user_id) else state.with_entry(user_id, wish)

        return await self.amend(amend, writer)

    async def amend(
        self, amend: Callable[[DesiredState], DesiredState], writer: str, *, braked: bool = False
    ) -> DesiredState:
        async def attempt() -> DesiredState:
            await self._take_file()
            before = self._known.state
            if before.generation == 0:
                raise WishInvalid(self._health.problems)
            after = amend(before)
            if after == before:
                return before
            self._must_be_writable()
            policy.check(before, after, self._terms.site)
            if braked:
                cost, limits = (
                    brake.toll(before, after, self._terms.site),
                    replace(self._terms.limits, allow_empty=True),
                )
                if why := brake.verdict(before, after, cost, self._running, limits):
                    raise NeedsApproval(why)
            after = replace(after, generation=before.generation + 1)
            await self._write_change(after, writer)
            return after

        return await in_turn(self._lock, attempt, self._home.name)

    async def apply(self, text: str, writer: str, *, base: int | None = None, force: bool = False) -> DesiredState:
        async def attempt() -> DesiredState:
            await self._take_file()
            await self._adopt(self._offered(text, "api", writer, base), self._seen or Found(None), approved=force)
            return self._known.state

        self._must_be_writable()
        return await in_turn(self._lock, attempt, self._home.name)

    async def weigh(self, text: str, base: int | None = None) -> Weighed:
        async with self._lock:
            outcome = await self._outcome(self._offered(text, "api", "nobody", base))
            return Weighed(outcome.after, outcome.held)

    async def approve(self, pending_id: str, writer: str) -> DesiredState:
        async def attempt() -> DesiredState:
            await self._take_file()
            offer, pending = self._waiting.named(pending_id)
            approved = replace(offer, writer=f"{offer.writer}, approved by {writer}")
            await self._adopt(approved, self._seen or Found(None), approved=True)
            said = f"{writer}, of {offer.writer}: {pending.why}"
            self._waiting.tell(EventReason.APPROVED, said, self.current.generation, writer)
            return self._known.state

        return await in_turn(self._lock, attempt, self._home.name)

    async def reject(self, pending_id: str, writer: str) -> None:
        async def attempt() -> None:
            await self._take_file()
            offer, pending = self._waiting.named(pending_id)
            if offer.in_file:
                self._must_be_writable()
                await self._persist(self._known.state, self._known.text, writer, self._seen or Found(None))
            await self._waiting.put(None)
            said = f"{writer}, of {offer.writer}: {pending.why}"
            self._waiting.tell(EventReason.REJECTED, said, self.current.generation, writer)

        await in_turn(self._lock, attempt, self._home.name)

    async def rollback(self, generation: int, writer: str) -> DesiredState:
        past, _ = await self.generation(generation)
        state = spec.stored(past.text)
        # As if somebody had just opened the file and put the old text there.
        text = self._edited(past.text, state, replace(state, generation=self._known.state.generation))
        return await self.apply(text, f"{writer}, rollback to {generation}")

    # ------------------------------------------------------------ what was

    def record(self, event: Event) -> None:
        self._journal.record(event)

    async def history(self, limit: int) -> Sequence[Generation]:
        return await self._journal.newest(limit)

    async def generation(self, number: int) -> tuple[Generation, Generation | None]:
        return await self._journal.generation(number)

    async def events(
        self, user_id: int | None, after: int, limit: int, kinds: Sequence[str] = EVERY_KIND
    ) -> Sequence[Recorded]:
        return await self._journal.events(user_id, after, limit, kinds)

    async def delivered(self, names: Collection[str]) -> Mapping[str, int]:
        return await self._journal.delivered(names)

    async def deliver(self, name: str, event_id: int) -> None:
        await self._journal.deliver(name, event_id)

    # ------------------------------------------------------------ the start

    def _open_history(self) -> _Known | None:
        path = self._state_dir / FILE
        try:
            history = self._journal.open(path)
            last = history.last()
            self._asked = history.asked()
            self._waiting.recall()
            if last is None:
                return None
            return _Known(replace(spec.stored(last.text), generation=last.number), last.text)
        except (sqlite3.Error, WishInvalid) as error:
            raise SettingsInvalid(
                f"The history of desired states in {path} cannot be used: {error}. "
                "Mend it, or move it away to begin a new one from the file."
            ) from error

    def _written(self, last: _Known) -> _Known:
        """The state to begin with: the last generation, or the one before it where the last never got to its branch.

        A text on a branch names no generation. So the older one there would be taken for an edit of the last one, which
        takes back what that had asked for.
        """
        taken, text = self._home.taken(), last.text.encode()
        if taken is None or text in (taken, self._home.look().raw) or self._home.read_only:
            return last
        history = self._journal.history
        before = history.get(last.state.generation - 1)
        if before is None or before.text.encode() != taken:
            return last
        pairs = {**self._where, "generation": last.state.generation}
        log.warning("the last generation is not on its branch, and is forgotten", extra={"pairs": pairs})
        with contextlib.suppress(sqlite3.Error):
            history.forget(last.state.generation)
            self._asked = history.asked()
        return _Known(replace(spec.stored(before.text), generation=before.number), before.text)

    def _open_home(self, make_it: bool) -> None:
        if make_it and self._journal.history.founding() is None:
            self._journal.history.begin_founding(file_made=self._home.look().missing)
        self._home.open(make_it)

    async def _found(self, running: Mapping[int, str | None]) -> None:
        """Sessions run, and no history tells who wanted them: they are declared, paused, before anything else counts.

        What the file says of them is an edit then, for the brake to judge; where we made the file ourselves it says
        nothing, so that waits in any case.

        Raises:
            NotPersisted: it could not be written.
            Moved: somebody wrote to the file.
        """
        wished = self._known.state
        before = account.declared(wished, running)
        if before != wished:
            cost = brake.toll(before, wished, self._terms.site)
            why = brake.verdict(before, wished, cost, running, self._terms.limits)
            if self._founding:
                why = f"nobody asked for the end of {merge.ranges(cost.ends)}"
            if why:
                before = replace(before, generation=wished.generation + 1)
                # The edit first: once they are declared, nothing tells that it was ever there.
                text = self._edited(self._saying(before), before, replace(wished, generation=before.generation))
                why = f"sessions ran that nothing remembers: {why}"
                offer = self._offered(text, FOUND, FOUND, before.generation)
                await self._waiting.hold(offer, cost, why, before.generation)
                await self._write_change(before, FOUND)
        await self._journal.asking(self._journal.history.end_founding)
        self._founding = None

    # ------------------------------------------------------------ the file → the state

    async def _keep_watching(self) -> None:
        loop = asyncio.get_running_loop()
        touched = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            poke = partial(loop.call_soon_threadsafe, touched.set)
            tasks.create_task(self._home.follow(poke), name="desired state's home")
            while True:
                touched.clear()
                try:
                    async with self._lock:
                        await self._take_file()
                except Exception:
                    log.exception("the desired state could not be looked at", extra={"pairs": self._where})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await touched.wait()

    async def _take_file(self) -> None:
        """Bring into force what others wrote since the last look. The lock is held."""
        if not self._health.valid:  # it may have failed for a reason outside of the text: try that again
            self._seen = None
        await self._catch_up()
        for _ in range(TAKEN_AT_ONCE):
            found = await self._settled()
            if found == self._seen:
                break
            await self._take(found)
        if not self.founded and self._running is not None and self._known.state.generation > 0:
            try:
                await self._found(self._running)
            except Moved:
                self._seen = None  # the next look finds what somebody wrote just now

    async def _settled(self) -> Found:
        """The file, when nobody has written to it for the settle time."""
        found = await self._journal.blocking(self._home.look)
        for _ in range(SETTLE_ROUNDS):
            if found == self._seen:
                break
            await asyncio.sleep(self._terms.settle_seconds)
            before, found = found, await self._journal.blocking(self._home.look)
            if found == before:
                break
        return found

    async def _take(self, found: Found) -> None:
        """Bring what the file says into force, or say why not."""
        try:
            if found.raw is None:
                raise WishInvalid((Problem(0, 0, found.fault),))
            await self._take_text(spec.decode(found.raw), found)
        except Moved:
            return  # the next look finds what somebody wrote just now
        except NeedsApproval as error:
            self._refuse(found, (Problem(0, 0, f"this waits for approval: {error}"),))
        except WishInvalid as error:
            self._refuse(found, error.problems)
        except NotPersisted as error:
            self._refuse(found, (Problem(0, 0, f"the edit is good, but it cannot be recorded: {error}"),))

    async def _take_text(self, text: str, found: Found) -> None:
        generation = self._known.state.generation
        if self._waiting.offer is not None and text == self._waiting.offer.text:
            await self._waiting.put(replace(self._waiting.offer, in_file=True))
            raise NeedsApproval(self._waiting.offer.why)  # as before, whatever has become of the sessions since
        offer = replace(self._offered(text, "file", found.writer), in_file=True)
        theirs = await self._adopt(offer, found, approved=False)
        if theirs.generation != self._known.state.generation == generation:
            pairs = {**self._where, "named": theirs.generation or None, "generation": generation}
            log.info("the edited file held nothing new and was brought up to date", extra={"pairs": pairs})

    async def _adopt_displaced(self, text: str, writer: str) -> None:
        """Raises WishInvalid, NeedsApproval, NotPersisted."""
        offer = self._offered(text, "file", writer)
        try:
            await self._adopt(offer, self._seen or Found(None), approved=False)
        except Moved:  # somebody has saved since: that is newer, stays where it is and is taken after this
            await self._adopt(offer, None, approved=False)

    async def _remembered(self, generation: int) -> bool:
        """Raises NotPersisted."""
        return generation == self._known.state.generation or await self._base(generation) is not None

    async def _adopt(self, offer: Offer, found: Found | None, *, approved: bool) -> DesiredState:
        """Bring a text into force, merged with what happened since the state that it was edited from.

        Returns what it asked for by itself. `found` as for `_persist`.

        Raises:
            WishInvalid: it is no good.
            NeedsApproval: the brake holds it; it waits now.
            NotPersisted: the outcome cannot be written.
            Moved: somebody wrote to the file.
        """
        outcome = await self._outcome(offer)
        doubt = found.doubt if found is not None and offer.in_file and outcome.after != self._known.state else ""
        held = outcome.held or doubt
        if held and not approved:
            await self._waiting.hold(offer, outcome.cost, held, self.current.generation)
            raise NeedsApproval(held)
        current, waited = self._known.state, self._waiting.offer
        # One of ours may not have got to its home: the older text there is nobody's word on what waits.
        overdue = outcome.after == current and outcome.theirs.generation < current.generation
        restored = overdue or offer.text == self._known.text
        try:
            text = self._edited(offer.text, outcome.theirs, outcome.after)
        except spec.EditFailed as error:
            raise NotPersisted(f"The text cannot be changed in place: {error}.") from error
        await self._persist(outcome.after, text, offer.writer, found, offered=offer.text, conflicts=outcome.conflicts)
        if waited is not None and (waited.in_file or not restored):
            await self._waiting.became(None)
            if waited.text != offer.text:
                said = f"{offer.writer} put another text in the place of what waited"
                self._waiting.tell(EventReason.WITHDRAWN, said, self.current.generation, offer.writer)
        return outcome.theirs

    async def _outcome(self, offer: Offer) -> Outcome:
        """Raises WishInvalid, NotPersisted."""
        current = self._known.state
        theirs = weighing.read(offer, current, self._terms, numbered=self._home.numbered)
        base = await self._base(theirs.generation)
        outcome = weighing.weigh(theirs, current, base, self._terms, self._running)
        policy.check_text(offer.text, current, outcome.after, self._terms.site)
        return outcome

    async def _base(self, generation: int) -> DesiredState | None:
        """The state that an edit began from, if it was an earlier one that we remember. Raises NotPersisted."""
        if not 0 < generation < self._known.state.generation:
            return None
        past = await self._journal.asking(lambda: self._journal.history.get(generation))
        return None if past is None else spec.stored(past.text)

    def _refuse(self, found: Found, problems: tuple[Problem, ...]) -> None:
        self._seen = self._refused = found
        if problems == self._health.problems:
            return
        self._health = WishHealth(self._home.name, False, problems, account.now())
        for problem in problems:
            facts = {"line": problem.line or None, "column": problem.column or None, "problem": problem.message}
            log.warning(
                "desired state refused, the last good one stays in force",
                extra={"pairs": {**self._where, **facts, "generation": self._known.state.generation}},
            )
        told = f"The file is not in force: {problems[0]}"
        self.record(Event(EventKind.WISH, EventReason.REFUSED, told, writer=found.writer))

    async def _review(self) -> None:
        """Judge what waits against what is in force now; it goes on waiting unless there is nothing left of it."""
        offer = self._waiting.offer
        if offer is None:
            return
        try:
            outcome = await self._outcome(offer)
        except NotPersisted:  # nobody can approve what is not weighed; the next look tries again
            self._waiting.cost(None)
            return
        except WishInvalid as error:
            log.warning("what waited for approval is no longer possible", extra={"pairs": {"why": str(error)}})
            await self._waiting.became(None)
            return
        if outcome.after == self._known.state:
            await self._waiting.became(None)
            return
        self._waiting.cost(outcome.cost)

    async def _catch_up(self) -> None:
        """Write and weigh what waits, where that failed after a state had come into force."""
        with contextlib.suppress(NotPersisted):
            await self._waiting.put(self._waiting.offer)
        if self._waiting.pending is None:
            await self._review()

    # ------------------------------------------------------------ the state → the file

    async def _write_change(self, after: DesiredState, writer: str) -> None:
        """Raises NotPersisted or Moved."""
        await self._persist(after, self._saying(after), writer, self._seen or Found(None))

    def _saying(self, after: DesiredState) -> str:
        """The text in force, changed to say another state. Raises NotPersisted."""
        try:
            return self._edited(self._known.text, self._known.state, after)
        except spec.EditFailed as error:
            raise NotPersisted(f"The desired state's text cannot be changed in place: {error}.") from error

    async def _persist(
        self,
        after: DesiredState,
        text: str,
        writer: str,
        found: Found | None,
        *,
        offered: str = "",
        conflicts: tuple[merge.Conflict, ...] = (),
    ) -> None:
        """Make the state durable as file and history, then bring it into force.

        Args:
            found: what is replaced by it; `None`: nothing, the next look finds something newer there and joins the two.
            offered: what the text goes on from, where that is not the one in force.

        Raises:
            NotPersisted: it could not be written; nothing changed.
            InDoubt: the same, but the next start may find it.
            Moved: the file is not as it was `found`; nothing changed.
        """
        before, raw = self._known.state, text.encode()
        newer = after.generation > before.generation
        record = account.record(before, after, writer, text, account.now()) if newer else None
        events = [
            *account.changes(before, after, writer),
            *(account.met(each, writer, after.generation) for each in conflicts),
        ]
        note = account.note(before, after, writer)
        # A text that was refused or held is somebody's work: it stays beside the one that takes its place.
        ours = (self._known.text.encode(), offered.encode())
        keep = found is not None and not found.missing and found.raw not in ours
        try:
            replaced = await self._journal.asking(lambda: self._write(raw, record, events, found, note, keep))
        except OSError as error:
            where = self._home.name
            raise NotPersisted(f"The desired state cannot be written to {where}: {error.strerror}.") from error
        self._known, self._seen, self._refused = _Known(after, text), Found(raw), Found(None)
        self._judge(text)
        if replaced.kept is not None:
            aside = {**self._where, "aside": replaced.kept}
            log.warning("the text that was there was set aside", extra={"pairs": aside})
        if record is not None:
            self._asked |= dict.fromkeys(record.users, Asked(record.number, record.at, writer, record.request_id))
            pairs = {
                "generation": after.generation,
                "writer": writer,
                "request_id": record.request_id,
                "changes": record.summary,
            }
            log.info("desired state changed", extra={"pairs": pairs})
        replaces = found is not None and raw != found.raw
        if self._waiting.offer is not None and self._waiting.offer.in_file and replaces:
            await self._waiting.became(replace(self._waiting.offer, in_file=False))
        await self._review()
        for conflict in conflicts:
            facts = {"user": conflict.user_id, "field": conflict.field, "kept": conflict.kept, "lost": conflict.lost}
            log.warning(
                "an edit of the file and an earlier change met in one field; the edit was kept",
                extra={"pairs": {**facts, "generation": after.generation}},
            )
        self._tell(before, after)
        if replaced.displaced is not None:
            await self._leftovers.take(replaced.displaced)

    def _write(
        self, raw: bytes, record: Generation | None, events: Sequence[Event], found: Found | None, note: str, keep: bool
    ) -> Replaced:
        """The history first: a generation that never reaches its home is forgotten, or merged at the next start.

        One that can be neither written nor forgotten would come into force at that start, so it does at once: the next
        look finds an older text in its home, sees that by its number, and joins the two. Of a text that is not
        `numbered` nobody could see it: then this fails.
        """
        if record is not None:
            self._journal.history.add(record, events)
        if found is None or (self._home.read_only and raw != found.raw):
            return Replaced()  # read only: what was found running, noted for ourselves until the text is approved
        try:
            return self._home.replace(raw, found, note, keep=keep)
        except BaseException as error:
            if record is None or self._forgotten(record.number) or not self._home.numbered:
                raise
            pairs = {**self._where, "generation": record.number, "why": str(error) or "somebody wrote to it"}
            log.warning("what is in force is not in its home yet; the next look tries again", extra={"pairs": pairs})
            return Replaced()

    def _forgotten(self, number: int) -> bool:
        """Raises Undecided."""
        try:
            self._journal.history.forget(number)
        except Undecided:
            raise
        except sqlite3.Error:
            return False
        return True

    def _edited(self, text: str, before: DesiredState, after: DesiredState) -> str:
        """Raises spec.EditFailed."""
        return weighing.edited(text, before, after, numbered=self._home.numbered)

    def _offered(self, text: str, source: str, writer: str, base: int | None = None) -> Offer:
        base = self._known.state.generation if base is None else base
        return Offer(text, source, writer, account.now(), in_file=False, base=base)

    def _must_be_writable(self) -> None:
        """Raises WishReadOnly."""
        if self._home.read_only:
            raise WishReadOnly(self._home.read_only)

    def _judge(self, text: str) -> None:
        """What we wrote is good, unless it goes on from a state that the operator's settings no longer allow."""
        if self._health.valid:
            return
        problems = weighing.faults(text, self._terms)
        if problems != self._health.problems:
            self._health = WishHealth(self._home.name, not problems, problems, account.now())

    def _tell(self, before: DesiredState, after: DesiredState) -> None:
        changed = frozenset(spec.changed_users(before, after))
        if after.default_profile != before.default_profile or after.paused != before.paused:
            changed |= after.users.keys()
        if changed or after.paused != before.paused:
            for listener in self._listeners:
                listener(changed)

    # ------------------------------------------------------------ helpers

    @property
    def _where(self) -> dict[str, str]:
        return {"file": self._home.name}
