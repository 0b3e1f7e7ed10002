"""Where the text of the desired state lies: the little that a store asks of a file, a branch of git or a database.

A home finds the text and puts another in its place; what the text means, who may change it and what is in force is the
store's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from controller.store import Sync


@dataclass(frozen=True, slots=True)
class Found:
    """What one look found: bytes, or a sentence why there are none."""

    raw: bytes | None
    fault: str = ""
    missing: bool = False
    """There is none, and a first one may be made."""
    writer: str = field(default="file", compare=False)
    """Who wrote it, as far as the home can tell."""
    doubt: str = field(default="", compare=False)
    """Why it must not come into force before somebody approved it, however little it changes; or empty."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of the text that was there before."""

    kept: Path | None = None
    """The file in which it stays, if it was to be kept and that is beside the new one."""
    displaced: Path | None = None
    """A file with what was there instead of the text expected: somebody wrote at the same moment. Theirs to take; then
    unlink it."""


class Moved(Exception):
    """Somebody else wrote between the look and the replacement; nothing was replaced."""


class Home(Protocol):
    """All of it blocks, except `follow`, `refresh` and the properties."""

    @property
    def name(self) -> str:
        """As people find it."""
        ...

    @property
    def numbered(self) -> bool:
        """The text itself names the generation that it was edited from and says where it ends.

        Else a text that is found goes on from the state in force, and is kept to the byte as it was found.
        """
        ...

    @property
    def read_only(self) -> str:
        """A sentence why the text can only be changed elsewhere; empty where it can be changed here."""
        ...

    @property
    def sync(self) -> Sync | None:
        """How this stands to a place elsewhere that it follows; `None` where it follows none."""
        ...

    def open(self, make_it: bool) -> None:
        """Get ready; where `make_it` and the text is `missing`, make one with nobody in it.

        Raises:
            NotPersisted: it cannot be made.
        """
        ...

    def look(self) -> Found: ...

    def taken(self) -> bytes | None:
        """The text that was last in force here, where the home keeps that; `None`: the texts themselves tell."""
        ...

    def leftovers(self) -> Sequence[Path]:
        """Files that writes which were killed halfway have left: our own texts, whole or not, or one displaced."""
        ...

    def replace(self, raw: bytes, found: Found, note: str, *, keep: bool) -> Replaced:
        """Put `raw` in the place of what was `found`, whole and durably, or not at all; also where both are the same.

        Args:
            note: what changes and who asked for it: a first line, an empty one, more.
            keep: what is replaced must stay to be found.

        Raises:
            Moved: it is no longer what was found.
            NotPersisted, OSError: it could not be written.
        """
        ...

    async def follow(self, poke: Callable[[], object]) -> None:
        """Call `poke`, from any thread, soon after somebody else wrote, until cancelled. A hint only."""
        ...

    def refresh(self) -> None:
        """Look elsewhere now, where there is an elsewhere."""
        ...

    def close(self) -> None: ...
