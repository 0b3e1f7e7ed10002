"""What every home of the desired state has in common: one suite for a file, a database and a branch of git."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from controller.model import RunState, Wish
from controller.store import sqlite_home
from controller.store.disk import FileHome
from controller.store.git_home import Branch, GitHome
from controller.store.home import Found, Home, Moved, Replaced
from controller.store.sqlite_home import SqliteHome
from controller.store.wish_store import WishStore
from tests.fake_store import terms
from tests.git_world import Forge

STOPPED = Wish(state=RunState.STOPPED)
START = """\
# the lab
version: 1
generation: 1   # ours
users:
  # first row
  1: {}
  2: {session_id: "a"}   # by the window
  3: {}
  4: {}
  5: {}
...
"""
FEWER = START.replace("  1: {}\n", "").replace("  3: {}\n  4: {}\n  5: {}\n", "  8: {}\n")


class Somewhere(Protocol):
    """A home, and another writer's way to it."""

    def home(self) -> Home: ...
    def read(self) -> str: ...
    def write(self, text: str | None) -> None: ...


class AFile:
    def __init__(self, folder: Path) -> None:
        self._file = folder / "desired_state.yaml"

    def home(self) -> Home:
        return FileHome(self._file)

    def read(self) -> str:
        return self._file.read_text()

    def write(self, text: str | None) -> None:
        if text is None:
            self._file.unlink()
        else:
            self._file.write_text(text, newline="")


class ADatabase:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "wish.sqlite3"

    def home(self) -> Home:
        return SqliteHome(self._path)

    def read(self) -> str:
        with contextlib.closing(sqlite3.connect(self._path)) as database:
            return str(database.execute("SELECT text FROM desired_state").fetchone()[0])

    def write(self, text: str | None) -> None:
        self.home().open(make_it=False)
        with contextlib.closing(sqlite3.connect(self._path)) as database, database:
            database.execute("DELETE FROM desired_state")
            if text is not None:
                database.execute("INSERT INTO desired_state VALUES (1, ?)", (text,))


class ABranch:
    def __init__(self, folder: Path) -> None:
        self._forge = Forge(folder, first=None)
        self._folder = folder

    def home(self) -> Home:
        return GitHome(Branch(str(self._forge.remote), "main", "wish.yaml", 600, write=True), self._folder / "git")

    def read(self) -> str:
        return self._forge.text

    def write(self, text: str | None) -> None:
        ann = self._forge.ann
        if ann.git("ls-remote", "origin", "main"):
            ann.pull()
        ann.commit(text)
        ann.push()


KINDS: dict[str, Callable[[Path], Somewhere]] = {"file": AFile, "sqlite": ADatabase, "git": ABranch}


class Place:
    def __init__(self, kind: str, folder: Path) -> None:
        folder.joinpath("wish").mkdir()
        self.somewhere = KINDS[kind](folder / "wish")
        self.read, self.write = self.somewhere.read, self.somewhere.write
        self._state = folder / "controller"
        self._state.mkdir()
        self._open = contextlib.AsyncExitStack()

    async def store(self, text: str | None = None) -> WishStore:
        """A controller's; the one before it has ended."""
        await self.close()
        if text is not None:
            self.write(text)
        store = WishStore(self.somewhere.home(), self._state, terms(settle_seconds=0))
        self._open.push_async_callback(store.close)
        await store.load()
        return store

    def edit(self, old: str, new: str) -> None:
        text = self.read()
        assert old in text
        self.write(text.replace(old, new))

    def share_state_of(self, other: Place) -> None:
        """As where the settings name another home and the state folder stays."""
        self._state = other._state

    async def close(self) -> None:
        await self._open.aclose()


@pytest.fixture(params=list(KINDS))
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(request.param, tmp_path)
    yield place
    await place.close()


async def look(store: WishStore) -> None:
    """As it does by itself from time to time; a branch is fetched first."""
    if isinstance(store._home, GitHome):
        await asyncio.to_thread(store._home.fetch)
    async with store._lock:
        await store._take_file()


def to(wish: Wish | None) -> Callable[[Wish | None], Wish | None]:
    return lambda _: wish


async def test_a_good_text_is_in_force_and_left_as_it_is(place: Place) -> None:
    store = await place.store(START)
    assert list(store.current.users) == [1, 2, 3, 4, 5]
    assert store.current.generation == 1
    assert place.read() == START


async def test_a_change_touches_its_own_entry(place: Place) -> None:
    store = await place.store(START)
    state = await store.change(7, to(Wish(session_id="b")), "api 1")
    assert state.generation == 2
    lines = place.read().splitlines()
    assert '  7: {session_id: "b"}' in lines
    assert [line for line in lines if "7:" not in line and "generation" not in line] == [
        line for line in START.splitlines() if "generation" not in line
    ]


async def test_a_change_that_changes_nothing_writes_nothing(place: Place) -> None:
    store = await place.store(START)
    assert (await store.change(1, to(Wish()), "api 1")).generation == 1
    assert place.read() == START


async def test_what_was_acknowledged_is_there_after_a_restart(place: Place) -> None:
    before = await place.store(START)
    await asyncio.gather(*(before.change(user, to(Wish()), f"api {user}") for user in range(10, 20)))
    after = await place.store()
    assert after.current == before.current
    assert after.current.generation == 11
    assert after.text == place.read()


async def test_another_writer_s_text_comes_into_force(place: Place) -> None:
    store = await place.store(START)
    heard: list[frozenset[int]] = []
    store.subscribe(heard.append)
    place.edit("  1: {}\n", "  1: {state: stopped}\n  9: {}\n")
    await look(store)
    assert store.current.users[1] == STOPPED
    assert heard == [{1, 9}]
    [newest, _] = await store.history(10)
    assert newest.summary == "adds 9; stops 1"
    assert newest.text == store.text == place.read()


async def test_a_comment_is_no_new_generation(place: Place) -> None:
    store = await place.store(START)
    place.edit("# the lab", "# the lab, room 2")
    await look(store)
    assert store.current.generation == 1
    assert "room 2" in store.text


async def test_a_text_that_came_while_a_change_was_made_is_taken_first(place: Place) -> None:
    store = await place.store(START)
    calls = 0

    def meddled(_: Wish | None) -> Wish | None:
        nonlocal calls
        calls += 1
        if calls == 1:
            place.edit("  1: {}\n", "  1: {}\n  8: {}\n")
        return Wish()

    state = await store.change(7, meddled, "api 1")
    assert {7, 8} <= state.users.keys()
    assert calls == 2
    assert {"  7: {}", "  8: {}"} <= set(place.read().splitlines())


@pytest.mark.parametrize("text", [None, "", "version: 1\nusers:\n  5: {stat: stopped}\n...\n", "x: [", "#" * 300_000])
async def test_a_text_that_is_no_good_or_gone_changes_nothing(place: Place, text: str | None) -> None:
    store = await place.store(START)
    good = store.current
    place.write(text)
    await look(store)
    assert store.health.problems
    assert store.current == good
    store = await place.store()
    assert store.current == good, "nor after a restart"
    place.write(START)
    await look(store)
    assert store.health.valid
    assert store.current == good


async def test_a_change_over_a_text_that_is_no_good_goes_on_from_the_last_good_one(place: Place) -> None:
    store = await place.store(START)
    place.edit("  1: {}", "  1: {stat: stopped}")
    await look(store)
    await store.change(7, to(Wish()), "api 1")
    assert store.health.problems == ()
    assert list(store.current.users) == [1, 2, 3, 4, 5, 7]
    assert "stat:" not in place.read()


async def test_what_the_brake_holds_is_approved_beside_what_came_meanwhile(place: Place) -> None:
    store = await place.store(START)
    place.write(FEWER)
    await look(store)
    pending = store.pending
    assert pending is not None
    assert pending.removes == (1, 3, 4, 5)
    assert len(store.current.users) == 5
    await store.change(7, to(Wish()), "api 1")
    await look(store)
    pending = store.pending
    assert pending is not None
    await store.approve(pending.id, "api 2")
    assert list(store.current.users) == [2, 7, 8]
    assert store.pending is None
    assert store.text == place.read()


async def test_what_the_brake_holds_is_rejected(place: Place) -> None:
    store = await place.store(START)
    place.write(FEWER)
    await look(store)
    assert store.pending is not None
    await store.reject(store.pending.id, "api 1")
    await look(store)
    assert store.health.problems == ()
    assert place.read() == START


async def test_a_rollback_brings_the_text_back(place: Place) -> None:
    store = await place.store(START)
    await store.change(1, to(None), "api 1")
    state = await store.rollback(1, "api 2")
    assert state.generation == 3
    assert 1 in state.users
    assert place.read().replace("generation: 3", "generation: 1") == START


@pytest.mark.parametrize("kind", KINDS)
async def test_an_acknowledged_change_survives_a_kill(kind: str, tmp_path: Path) -> None:
    place = Place(kind, tmp_path)
    place.write(START)
    script = """
import asyncio, os, signal, sys
from pathlib import Path
from controller.model import Wish
from tests.contract.test_store_homes import KINDS, ABranch
from controller.store.wish_store import WishStore
from tests.fake_store import terms
ABranch.__init__ = lambda self, folder: vars(self).update(
    _folder=folder, _forge=type("There", (), {"remote": folder / "remote.git"}))
folder = Path(sys.argv[2])
async def main():
    store = WishStore(KINDS[sys.argv[1]](folder / "wish").home(), folder / "controller", terms(settle_seconds=0))
    await store.load()
    for user in range(10, 100):
        await store.change(user, lambda _: Wish(), "api")
        print(user, flush=True)
        if user == 14:
            asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    run = [sys.executable, "-c", script, kind, str(tmp_path)]
    done = await asyncio.to_thread(subprocess.run, run, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    acknowledged = {int(line) for line in done.stdout.split()}
    assert acknowledged >= set(range(10, 15))
    store = await place.store()
    await look(store)
    assert acknowledged <= store.current.users.keys()
    assert len(store.current.users) - 5 - len(acknowledged) <= 1, "one more may have been written, and not answered yet"
    await store.change(99, to(Wish()), "api")
    assert "  99: {}" in place.read()
    await place.close()


def test_a_database_that_somebody_else_wrote_is_not_written_over(tmp_path: Path) -> None:
    there = ADatabase(tmp_path)
    there.write(START)
    home = there.home()
    found = home.look()
    there.write(START.replace("lab", "laboratory"))
    with pytest.raises(Moved):
        home.replace(b"x", found, "", keep=True)
    assert "laboratory" in there.read()
    home.replace(b"x", home.look(), "", keep=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "wish.sqlite3")) as database:
        assert "laboratory" in database.execute("SELECT text FROM set_aside").fetchone()[0]
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_text_that_is_in_a_database_whose_disk_failed_then_is_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
            done = super().execute(sql, *more)
            if sql == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return done

    there = ADatabase(tmp_path)
    there.write(START)
    home = there.home()
    connect = partial(sqlite3.connect, factory=Failing)
    monkeypatch.setattr(sqlite_home, "sqlite3", SimpleNamespace(connect=connect, Error=sqlite3.Error))
    assert home.replace(FEWER.encode(), home.look(), "", keep=False) == Replaced()
    assert there.read() == FEWER


@pytest.mark.parametrize("kind", ["rubbish", "folder", "not to be looked for"])
def test_what_is_no_database_is_a_fault(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "wish.sqlite3"
    match kind:
        case "rubbish":
            path.write_bytes(b"no database " * 1000)
        case "folder":
            path.mkdir()
        case _:  # a folder that may not be entered is one to everybody but root
            path = tmp_path / ("x" * 300)
    assert "cannot be read" in SqliteHome(path).look().fault
    path = tmp_path / "none.sqlite3"
    assert SqliteHome(path).look() == Found(None, f"there is no database {path}", missing=True)
    assert not path.exists()
