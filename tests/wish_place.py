"""A folder with a desired state's file and a state folder, and the stores that a test opens on them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from controller.model import RunState, Wish
from controller.store.disk import FileHome
from controller.store.wish_store import WishStore
from controller.target import UNLIMITED, Load
from tests.fake_store import terms
from tests.support import meanwhile

STOPPED = Wish(state=RunState.STOPPED)
START = """\
# the lab
version: 1
generation: 1   # ours
users:
  # first row
  1: {}
  2: {session_id: "a"}   # by the window
...
"""


class Place:
    """A folder with a desired state, and the stores that were opened on it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "wish" / "desired_state.yaml"
        self.state = folder / "state"
        self.file.parent.mkdir()
        self.state.mkdir()
        self._open = contextlib.AsyncExitStack()

    async def store(
        self, text: str | None = None, profiles: set[str] | None = None, total: Load = UNLIMITED
    ) -> WishStore:
        if text is not None:
            self.file.write_text(text, newline="")
        store = WishStore(FileHome(self.file), self.state, terms(profiles or {"standard", "large"}, total=total))
        self._open.push_async_callback(store.close)
        await store.load()
        return store

    async def running(self, text: str | None = None, total: Load = UNLIMITED) -> WishStore:
        store = await self.store(text, total=total)
        await self._open.enter_async_context(meanwhile(store.run()))
        return store

    def edit(self, old: str, new: str) -> None:
        """As an editor saves: a new file in the place of the old one."""
        text = self.file.read_text()
        assert old in text
        fresh = self.file.with_name("edited~")
        fresh.write_text(text.replace(old, new))
        fresh.replace(self.file)

    @property
    def asides(self) -> list[Path]:
        return sorted(self.file.parent.glob("*.rejected-*"))

    @property
    def strays(self) -> list[str]:
        return [p.name for p in self.file.parent.iterdir() if p != self.file and p not in self.asides]

    async def close(self) -> None:
        await self._open.aclose()


def to(wish: Wish | None) -> Callable[[Wish | None], Wish | None]:
    """The change that makes it this."""
    return lambda _: wish
