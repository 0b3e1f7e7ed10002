"""The one good text that the brake holds until somebody approves or rejects it; it survives a restart."""

from __future__ import annotations

import logging
from dataclasses import replace

from controller.brake import Toll
from controller.caller import request_of
from controller.errors import NotPending, NotPersisted
from controller.events import Event, EventKind, EventReason
from controller.store import Pending, account
from controller.store.history import Offer
from controller.store.journal import Journal

log = logging.getLogger(__name__)


class Waiting:
    """`offer` is what waits, `pending` what is told of it; `None` where nothing does, or that could not be weighed."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.offer: Offer | None = None
        self.pending: Pending | None = None
        self._kept: Offer | None = None
        """`offer` as the history has it."""

    def recall(self) -> None:
        """What waited when the last controller ended. Within `Journal.blocking`. Raises sqlite3.Error."""
        self.offer = self._kept = self._journal.history.waiting()

    async def hold(self, offer: Offer, cost: Toll, why: str, generation: int) -> None:
        """Let it wait, in the place of any other. Raises NotPersisted."""
        held = replace(offer, why=why)
        same = self.offer is not None and self.offer.text == offer.text
        await self.put(replace(self.offer, why=why) if same and self.offer else held)
        self.pending = account.pending(held, cost)
        if not same:
            self.tell(EventReason.HELD, f"{offer.writer} waits for approval: {why}", generation, offer.writer)

    async def put(self, offer: Offer | None) -> None:
        """Durable on return; `None`: nothing waits any more. Raises NotPersisted, and what waits is as before."""
        if offer != self._kept:
            await self._journal.asking(lambda: self._journal.history.keep_waiting(offer))
        self._kept = offer
        self._is(offer)

    async def became(self, offer: Offer | None) -> None:
        """The same by a state that is in force already, so it cannot fail: what is not written now is at a later put.

        A controller that ends before that finds the old one, and judges it anew: it waits, and nothing worse.
        """
        self._is(offer)
        try:
            await self.put(offer)
        except NotPersisted as error:
            log.warning("what became of the text that waited is not written yet", extra={"pairs": {"why": str(error)}})

    def _is(self, offer: Offer | None) -> None:
        self.offer = offer
        if offer is None:
            self.pending = None

    def cost(self, cost: Toll | None) -> None:
        """What it would end was weighed anew; `None`: that could not be."""
        self.pending = account.pending(self.offer, cost) if self.offer and cost else None

    def named(self, pending_id: str) -> tuple[Offer, Pending]:
        """What waits, if that is still what somebody saw. Raises NotPending."""
        if self.offer is None or self.pending is None:
            raise NotPending("Nothing waits for approval.")
        if self.pending.id != pending_id:
            raise NotPending(f"What waits now is {self.pending.id}, not {pending_id[:40]}.")
        return self.offer, self.pending

    def tell(self, reason: EventReason, message: str, generation: int, writer: str) -> None:
        log.warning("the brake", extra={"pairs": {"brake": reason.lower(), "why": message, "generation": generation}})
        call = request_of(writer)
        self._journal.record(
            Event(EventKind.BRAKE, reason, message, generation=generation, writer=writer, request_id=call)
        )
