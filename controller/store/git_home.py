"""The desired state's text on a branch of git, anywhere: fetched, read, and written as a commit that is pushed.

The branch is the truth. What is read is its newest commit as last fetched, in a repository of our own without a work
tree; what is written stands on that commit, and is not written unless the remote took it. A branch that no longer
holds the commit in force was rewritten, and nobody can tell by machine what was meant: that text waits for approval.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from controller import spec
from controller.errors import NotPersisted, NotPushed
from controller.home_settings import without_password
from controller.store import Commit, Sync
from controller.store.git import ADDRESS, NOBODY, Git, GitFailed
from controller.store.home import Found, Moved, Replaced

log = logging.getLogger(__name__)

TIP, TAKEN = "refs/controller/tip", "refs/controller/taken"
"""The branch as last fetched, and the last commit of it whose text came into force."""
REFRESHES_APART = 1.0
"""Seconds: whoever asks for fetches all the time gets no more than this."""


@dataclass(frozen=True, slots=True)
class Branch:
    """What the operator's settings say: whose text is followed."""

    url: str
    name: str
    path: str
    interval: float
    """Seconds from the end of a fetch to the next one."""
    write: bool


@dataclass(frozen=True, slots=True)
class _Tip:
    commit: Commit
    found: Found


class GitHome:
    """A `Home`: one file on a branch."""

    numbered = False

    def __init__(self, branch: Branch, folder: Path) -> None:
        self._branch = branch
        self._git = Git(folder, branch.url)
        self._remote = threading.Lock()
        """Held for as long as the remote is spoken to: a fetch that began before a push must not end after it."""
        self._tip: _Tip | None = None
        self._asked = asyncio.Event()
        self._sync = Sync(without_password(branch.url), branch.name, branch.path, branch.write, None, None, None, "")

    @property
    def name(self) -> str:
        return f"{self._branch.path} on branch {self._branch.name} of {without_password(self._branch.url)}"

    @property
    def read_only(self) -> str:
        if self._branch.write:
            return ""
        return (
            f"The desired state follows {self.name} and is changed there only, by a commit "
            "(`write: false` in the controller's settings)."
        )

    @property
    def sync(self) -> Sync:
        return self._sync

    # ------------------------------------------------------------ reading

    def open(self, make_it: bool) -> None:
        """Nothing is ever made in somebody's repository unasked: a branch without the file is a fault of it."""
        try:
            self._git.open()
            self._read()
        except GitFailed as error:
            raise NotPersisted(f"The repository for {self.name} cannot be used: {error}.") from error
        if self._tip is None:  # else what is known will do for a start, however long the remote takes
            self.fetch()

    def leftovers(self) -> list[Path]:
        return []

    def look(self) -> Found:
        if self._tip is None:
            return Found(None, f"{self.name} was never fetched: {self._sync.error or 'not yet tried'}")
        return self._tip.found

    def taken(self) -> bytes | None:
        with contextlib.suppress(GitFailed):
            commit = self._git.resolve(TAKEN)
            blob = commit and self._git.blob(commit, self._branch.path)
            return self._git.read(blob, spec.MAX_BYTES) if blob else None
        return None

    def fetch(self) -> None:
        """Get the branch as it is now. A failure is kept in `sync`, and said once."""
        with self._remote, contextlib.suppress(GitFailed):
            self._fetch()

    def _fetch(self) -> None:
        """Raises GitFailed."""
        pairs = {"branch": self._branch.name, "url": without_password(self._branch.url)}
        try:
            self._git.fetch(self._branch.name, TIP)
            self._read()
        except GitFailed as error:
            if str(error) != self._sync.error:
                log.warning(
                    "the branch could not be fetched; what is in force stays",
                    extra={"pairs": {**pairs, "why": str(error)}},
                )
            self._sync = replace(self._sync, error=str(error))
            raise
        if self._sync.error:
            log.info("the branch can be fetched again", extra={"pairs": pairs})
        self._sync = replace(self._sync, error="", fetched_at=spec.to_the_millisecond(datetime.now(UTC)))

    def _read(self) -> None:
        """Raises GitFailed."""
        tip, taken = self._git.resolve(TIP), self._git.resolve(TAKEN)
        if tip is None or (self._tip is not None and tip == self._tip.commit.id):
            return
        commit, blob = self._git.commit(tip), self._git.blob(tip, self._branch.path)
        doubt = ""
        if taken is not None and not self._git.holds(tip, taken):
            if blob is not None and blob == self._git.blob(taken, self._branch.path):
                self._git.point(TAKEN, tip)  # other history, same text
                taken = tip
            else:
                doubt = (
                    f"the branch {self._branch.name} was rewritten: commit {taken[:12]}, which is in force, is no "
                    f"longer part of it, and its newest is {tip[:12]} by {commit.author}"
                )
        self._tip = _Tip(commit, self._found(commit, blob, doubt))
        self._sync = replace(self._sync, commit=commit, in_force=taken)

    def _found(self, commit: Commit, blob: str | None, doubt: str) -> Found:
        if blob is None:
            path, branch = self._branch.path, self._branch.name
            return Found(None, f"there is no file {path} in commit {commit.id[:12]}, the newest of branch {branch}")
        raw = self._git.read(blob, spec.MAX_BYTES)
        return Found(raw, writer=f"commit {commit.id[:12]} by {commit.author}", doubt=doubt)

    # ------------------------------------------------------------ writing

    def replace(self, raw: bytes, found: Found, note: str, *, keep: bool) -> Replaced:
        tip = self._tip
        if tip is None:
            raise NotPushed(f"The change did not get anywhere: {self.look().fault}.")
        if tip.found != found:
            raise Moved
        pushed = False
        try:
            with self._remote:
                if tip is not self._tip:
                    raise Moved
                if raw != found.raw:
                    self._commit(tip, raw, note, keep)
                    pushed = True
                self._taken()
        except GitFailed as error:
            if not pushed:
                raise NotPushed(f"The change did not get to {self.name}: {error}.") from error
            self._unwritten(error)
        return Replaced()

    def _commit(self, tip: _Tip, raw: bytes, note: str, keep: bool) -> None:
        """Raises GitFailed, or Moved where somebody else pushed meanwhile."""
        if keep:
            note += f"Instead-of: {tip.commit.id} (its text was not in force)\n"
        commit = self._git.write(tip.commit.id, self._branch.path, raw, note)
        try:
            self._git.push(commit, self._branch.name, tip.commit.id)
        except GitFailed:
            self._fetch()  # somebody else's push was first, or the answer to ours was lost
            if self._tip is not None and self._tip.commit.id == commit:
                return
            if self._tip is not tip:
                raise Moved from None
            raise
        try:
            self._git.point(TIP, commit)
            self._read()
        except GitFailed as error:
            ours = Commit(commit, f"{NOBODY} <{ADDRESS}>", datetime.now(UTC), note.partition("\n")[0])
            self._tip = _Tip(ours, Found(raw))
            self._unwritten(error)

    def _unwritten(self, error: GitFailed) -> None:
        """The remote has the change, so it is made; what we keep of the branch comes with the next fetch or change."""
        pairs = {"branch": self._branch.name, "why": str(error)}
        log.warning("the change is on the branch, and our repository does not say so yet", extra={"pairs": pairs})

    def _taken(self) -> None:
        """The branch's newest text is in force."""
        if self._tip is None or self._sync.in_force == self._tip.commit.id:
            return
        self._git.point(TAKEN, self._tip.commit.id)
        self._tip = replace(self._tip, found=replace(self._tip.found, doubt=""))
        self._sync = replace(self._sync, in_force=self._tip.commit.id)

    # ------------------------------------------------------------ following

    async def follow(self, poke: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._asked.clear()
            try:
                await loop.run_in_executor(None, self.fetch)
            except Exception:
                log.exception("the branch could not be fetched")
            poke()
            await asyncio.sleep(REFRESHES_APART)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._branch.interval):
                    await self._asked.wait()

    def refresh(self) -> None:
        self._asked.set()

    def close(self) -> None:
        self._git.stop()
