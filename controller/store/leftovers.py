"""Texts beside the file: an edit that a write of ours displaced, and what a controller that was killed has left.

Whose they are is judged here, and what becomes of the files. What an edit comes to is the store's to say.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from controller import spec
from controller.errors import NeedsApproval, NotPersisted, WishInvalid
from controller.store import disk
from controller.store.home import Home
from controller.store.journal import Journal

log = logging.getLogger(__name__)


class Leftovers:
    """What is in force does not depend on them: one that cannot be cleared away stays, until the next start at most."""

    def __init__(
        self,
        home: Home,
        journal: Journal,
        adopt: Callable[[str, str], Awaitable[None]],
        remembered: Callable[[int], Awaitable[bool]],
    ) -> None:
        """
        Args:
            adopt: takes a text of a writer as an edit. Raises WishInvalid, NeedsApproval, NotPersisted.
            remembered: whether a text may have been begun from this generation. Raises NotPersisted.
        """
        self._home = home
        self._journal = journal
        self._adopt = adopt
        self._remembered = remembered

    async def take(self, file: Path) -> None:
        """Somebody saved at the very moment in which we wrote: an edit like any other."""
        found = await self._journal.blocking(lambda: disk.read(file, spec.MAX_BYTES))
        try:
            await self._adopt(spec.decode(found.raw or b""), found.writer)
        except NeedsApproval:
            pass  # it waits
        except (WishInvalid, NotPersisted) as error:
            log.warning("an edit that met a write of ours is no good", extra={"pairs": {"why": str(error)}})
            await self._set_aside(file)
            return
        await self._unlink(file)

    async def clear(self) -> None:
        """At a start: texts of ours, whole or not, and the edit that one had just displaced. Raises NotPersisted."""
        for file in await self._journal.blocking(self._home.leftovers):
            found = await self._journal.blocking(lambda file=file: disk.read(file, spec.MAX_BYTES))  # type: ignore[misc]
            raw = found.raw or b""
            try:
                named = spec.stored(spec.decode(raw)).generation
            except WishInvalid:
                if raw.rstrip().endswith(b"..."):  # it has its end, so it is no piece of ours
                    await self._set_aside(file)
                else:
                    await self._unlink(file)
                continue
            if await self._remembered(named):
                await self.take(file)
            else:
                await self._set_aside(file)

    async def _set_aside(self, file: Path) -> None:
        try:
            kept = await self._journal.blocking(lambda: disk.set_aside(file, disk.target_of(file)))
        except OSError as error:
            self._stays(file, error)
        else:
            log.warning("a text was set aside", extra={"pairs": {"file": self._home.name, "aside": kept}})

    async def _unlink(self, file: Path) -> None:
        try:
            await self._journal.blocking(file.unlink)
        except OSError as error:
            self._stays(file, error)

    def _stays(self, file: Path, error: OSError) -> None:
        pairs = {"file": self._home.name, "left": file, "why": error.strerror}
        log.warning("a text beside the file cannot be cleared away", extra={"pairs": pairs})
