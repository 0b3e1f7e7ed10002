"""A bare repository for a remote, clones of it that people work in, and a store that follows it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path

from controller.store.git_home import Branch, GitHome
from controller.store.wish_store import WishStore
from tests.fake_store import terms

FIRST = """\
# the lab
version: 1
users:
  1: {}
  2: {session_id: "a"}   # by the window
  3: {}
  4: {}
  5: {}
"""
ANN = {"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org"}
COMMITTER = {"GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org"}


def git(folder: Path, *command: str, author: str = "Ann", given: str = "") -> str:
    """As a person runs it, whatever is configured on this machine."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        **ANN,
        **COMMITTER,
        "GIT_AUTHOR_NAME": author,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    done = subprocess.run(
        ["git", *command], input=given, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"git {' '.join(command)}: {done.stderr}"
    return done.stdout


class Clone:
    """Somebody's work tree."""

    def __init__(self, folder: Path, remote: Path, author: str = "Ann") -> None:
        self.folder = folder
        self.file = folder / "wish.yaml"
        self._author = author
        git(folder.parent, "clone", "--quiet", str(remote), str(folder))
        git(folder, "checkout", "--quiet", "-B", "main")

    def git(self, *command: str) -> str:
        return git(self.folder, *command, author=self._author)

    def commit(self, text: str | None, subject: str = "an edit") -> str:
        """The commit's id. `None` takes the file away."""
        if text is None:
            self.file.unlink()
        else:
            self.file.write_text(text, newline="")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD").strip()

    def push(self, *options: str) -> None:
        self.git("push", "--quiet", *options, "origin", "HEAD:main")

    def pull(self) -> None:
        self.git("pull", "--quiet", "--rebase", "origin", "main")

    def publish(self, old: str, new: str, subject: str = "an edit") -> str:
        """Pull, replace one text by another, commit and push."""
        self.pull()
        text = self.file.read_text()
        assert old in text
        commit = self.commit(text.replace(old, new), subject)
        self.push()
        return commit


class Forge:
    """The remote, by its path: ssh and https are the same to git."""

    def __init__(self, folder: Path, first: str | None = FIRST) -> None:
        self._folder = folder
        self.remote = folder / "remote.git"
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.remote))
        self.ann = Clone(folder / "ann", self.remote)
        if first is not None:
            self.ann.commit(first, "the first one")
            self.ann.push()
        self.state = folder / "state"
        self.state.mkdir()
        self._open = contextlib.AsyncExitStack()

    def clone(self, name: str) -> Clone:
        return Clone(self._folder / name, self.remote, name)

    @property
    def text(self) -> str:
        return git(self.remote, "show", "main:wish.yaml")

    def log(self, form: str = "%s") -> list[str]:
        return git(self.remote, "log", f"--format={form}", "main").splitlines()

    def home(self, write: bool = True) -> GitHome:
        return GitHome(Branch(str(self.remote), "main", "wish.yaml", 600, write), self.state / "git")

    async def store(self, write: bool = True) -> WishStore:
        """A controller's; the one before it has ended."""
        await self.close()
        store = WishStore(self.home(write), self.state, terms(settle_seconds=0))
        self._open.push_async_callback(store.close)
        await store.load()
        return store

    async def running(self, write: bool = True) -> WishStore:
        store = await self.store(write)
        task = asyncio.get_running_loop().create_task(store.run())
        self._open.push_async_callback(_end, task)
        return store

    async def close(self) -> None:
        await self._open.aclose()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def look(store: WishStore) -> None:
    """As it does after each fetch."""
    await asyncio.to_thread(store._home.fetch)  # type: ignore[attr-defined]
    async with store._lock:
        await store._take_file()
