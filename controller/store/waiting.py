"""The one good text that the brake holds until somebody approves or rejects it; it survives a restart."""

from __future__ import annotations

import logging
from dataclasses import replace

from controller.brake import Toll
from controller.caller import request_of
from controller.errors import NotPending
from controller.model import Event, EventKind, EventReason
from controller.store import Pending, account
from controller.store.history import Offer
from controller.store.journal import Journal

log = logging.getLogger(__name__)


class Waiting:
    """`offer` is what waits, `pending` what is told of it; both are `None` where nothing does."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.offer: Offer | None = None
        self.pending: Pending | None = None

    def recall(self) -> None:
        """What waited when the last controller ended. Within `Journal.blocking`. Raises sqlite3.Error."""
        self.offer = self._journal.history.waiting()

    async def hold(self, offer: Offer, cost: Toll, why: str, generation: int) -> None:
        """Let it wait, in the place of any other. Raises NotPersisted."""
        held = replace(offer, why=why)
        same = self.offer is not None and self.offer.text == offer.text
        await self.put(replace(self.offer, why=why) if same and self.offer else held)
        self.pending = account.pending(held, cost)
        if not same:
            self.tell(EventReason.HELD, f"{offer.writer} waits for approval: {why}", generation, offer.writer)

    async def put(self, offer: Offer | None) -> None:
        """Durable on return; `None`: nothing waits any more. Raises NotPersisted."""
        if offer != self.offer:
            await self._journal.asking(lambda: self._journal.history.keep_waiting(offer))
        self.offer = offer
        if offer is None:
            self.pending = None

    def cost(self, cost: Toll) -> None:
        """What it would end was weighed anew."""
        self.pending = account.pending(self.offer, cost) if self.offer else None

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
