"""The desired state's file on a real disk, with people and the API both writing it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller import spec
from controller.errors import NotPersisted, SettingsInvalid
from controller.model import RunState, Wish
from controller.store import disk, wish_store
from controller.store.disk import FileHome
from controller.store.wish_store import WishStore
from tests.fake_store import terms
from tests.support import eventually

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

    async def store(self, text: str | None = None, profiles: set[str] | None = None) -> WishStore:
        if text is not None:
            self.file.write_text(text, newline="")
        store = WishStore(FileHome(self.file), self.state, terms(profiles or {"standard", "large"}))
        self._open.push_async_callback(store.close)
        await store.load()
        return store

    async def running(self, text: str | None = None) -> WishStore:
        store = await self.store(text)
        task = asyncio.get_running_loop().create_task(store.run())
        self._open.push_async_callback(self._end, task)
        return store

    @staticmethod
    async def _end(task: asyncio.Task[None]) -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

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


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    yield place
    await place.close()


def to(wish: Wish | None) -> Callable[[Wish | None], Wish | None]:
    return lambda _: wish


# ---------------------------------------------------------------- start


async def test_a_first_start_makes_the_file(place: Place) -> None:
    store = await place.store()
    assert place.file.read_text() == spec.EMPTY_WISH
    assert (store.current.generation, dict(store.current.users), store.health.valid) == (1, {}, True)


async def test_a_good_file_is_taken_as_it_is(place: Place) -> None:
    store = await place.store(START)
    assert dict(store.current.users) == {1: Wish(), 2: Wish(session_id="a")}
    assert place.file.read_text() == START
    assert place.strays == []


async def test_a_file_written_by_hand_gets_what_it_lacks_and_nothing_else(place: Place) -> None:
    await place.store("version: 1\nusers: {5: {}} # me\n")
    assert place.file.read_text() == "version: 1\ngeneration: 1\nusers: {5: {}} # me\n...\n"


@pytest.mark.parametrize("text", ["", "x: [", "version: 1\nusers:\n  5: {state: on}\n"])
async def test_a_broken_file_at_the_first_start_is_not_taken_for_an_empty_one(place: Place, text: str) -> None:
    store = await place.store(text)
    assert store.current.generation == 0
    assert not store.health.valid
    with pytest.raises(NotPersisted, match="There is no good desired state yet"):
        await store.change(5, to(Wish()), "api 1")
    assert place.file.read_text() == text


@pytest.mark.parametrize("text", [None, "", START.removesuffix("...\n"), "version: 1\nusers: {\n"])
async def test_the_last_good_state_outlives_a_restart_over_a_bad_file(place: Place, text: str | None) -> None:
    before = await place.store(START)
    await before.change(7, to(STOPPED), "api 1")
    if text is None:
        place.file.unlink()
    else:
        place.file.write_text(text)
    store = await place.store()
    assert store.current == before.current
    assert not store.health.valid


async def test_an_edit_made_while_we_were_down_is_taken(place: Place) -> None:
    await (await place.store(START)).change(7, to(STOPPED), "api 1")
    place.edit("  1: {}\n", "")
    store = await place.store()
    assert list(store.current.users) == [2, 7]
    assert store.current.generation == 3
    assert "generation: 3   # ours" in place.file.read_text()


async def test_a_profile_that_the_operator_took_away_is_shown_and_ends_nothing(place: Place) -> None:
    before = await place.store(START.replace("1: {}", "1: {profile: large}"))
    store = await place.store(profiles={"standard"})
    assert store.current == before.current
    assert "there is no profile `large`" in str(store.health.problems[0])
    await store.change(9, to(Wish()), "api 1")
    assert list(store.current.users) == [1, 2, 9]
    assert not store.health.valid
    assert place.asides == [], "the text on disk was our own"


async def test_a_history_that_cannot_be_read_stops_the_start(place: Place) -> None:
    (place.state / "history.sqlite3").write_bytes(b"no database " * 100)
    store = WishStore(FileHome(place.file), place.state, terms())
    with pytest.raises(SettingsInvalid, match="cannot be used"):
        await store.load()


# ---------------------------------------------------------------- changes by the API


async def test_a_change_touches_the_lines_of_its_user_and_the_generation(place: Place) -> None:
    store = await place.store(START)
    heard: list[frozenset[int]] = []
    store.subscribe(heard.append)
    state = await store.change(2, lambda wish: replace(wish or Wish(), profile="large"), "api 1")
    await store.change(3, to(Wish()), "api 2")
    await store.change(1, to(None), "api 3")
    assert state.users[2] == Wish(session_id="a", profile="large")
    assert place.file.read_text() == START.replace("generation: 1", "generation: 4").replace("  1: {}\n", "").replace(
        '"a"}   # by the window\n', '"a", profile: large}   # by the window\n  3: {}\n'
    ).replace('{session_id: "a", profile: large}', '{profile: large, session_id: "a"}')
    assert heard == [{2}, {3}, {1}]
    assert (await place.store()).current == store.current


async def test_a_change_to_what_is_there_writes_nothing(place: Place) -> None:
    store = await place.store(START)
    before = place.file.stat()
    assert (await store.change(1, lambda wish: wish, "api 1")).generation == 1
    assert (await store.change(9, to(None), "api 2")).generation == 1
    assert place.file.stat() == before


async def test_a_change_that_is_refused_writes_nothing(place: Place) -> None:
    store = await place.store(START)

    def refuse(_: Wish | None) -> Wish | None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.change(1, refuse, "api 1")
    assert place.file.read_text() == START
    assert (await store.change(1, to(STOPPED), "api 2")).users[1] == STOPPED


async def test_a_moment_is_in_force_as_exactly_as_the_file_says_it(place: Place) -> None:
    store = await place.store(START)
    state = await store.change(1, to(Wish(restart_at=datetime(2026, 11, 22, 10, 0, 0, 123999, UTC))), "api 1")
    assert state.users[1].restart_at == datetime(2026, 11, 22, 10, 0, 0, 123000, UTC)
    assert "{restart_at: 2026-11-22T10:00:00.123Z}" in place.file.read_text()


async def test_many_changes_at_once_all_last(place: Place) -> None:
    store = await place.store()
    await asyncio.gather(*(store.change(i, to(Wish(session_id=f"s{i}")), f"api {i}") for i in range(1, 101)))
    again = await place.store()
    assert {i: wish.session_id for i, wish in again.current.users.items()} == {i: f"s{i}" for i in range(1, 101)}
    assert again.current.generation == 101


async def test_mode_and_owner_stay(place: Place) -> None:
    store = await place.store(START)
    place.file.chmod(0o660)
    if os.getuid() == 0:
        os.chown(place.file, 1234, 2345)
    before = place.file.stat()
    await store.change(1, to(STOPPED), "api 1")
    after = place.file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


async def test_a_symbolic_link_stays_one(place: Place) -> None:
    real = place.state / "real.yaml"
    real.write_text(START)
    place.file.symlink_to(real)
    store = await place.running()
    await store.change(1, to(STOPPED), "api 1")
    assert place.file.is_symlink()
    assert "1: {state: stopped}" in real.read_text()
    real.write_text(real.read_text().replace("{state: stopped}", "{}"))
    await eventually(lambda: store.current.users[1] == Wish())


async def test_what_cannot_be_written_did_not_happen(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await place.store(START)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for module, broken in ((os, "fsync"), (disk, "exchange")):
        with monkeypatch.context() as patched:
            patched.setattr(module, broken, full)
            with pytest.raises(NotPersisted, match="No space left on device"):
                await store.change(5, to(Wish()), "api 1")
        assert store.current.generation == 1
        assert place.file.read_text() == START
        assert place.strays == []
    assert (await place.store()).current == store.current, "nor does the history tell of it"
    assert (await store.change(5, to(Wish()), "api 2")).generation == 2


async def test_a_history_that_cannot_be_written_refuses_the_change(place: Place) -> None:
    store = await place.store(START)
    with contextlib.closing(sqlite3.connect(place.state / "history.sqlite3")) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON generations BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        other.commit()
        with pytest.raises(NotPersisted, match="disk full"):
            await store.change(5, to(Wish()), "api 1")
        assert place.file.read_text() == START
        other.execute("DROP TRIGGER full")
        other.commit()
    await store.change(5, to(Wish()), "api 2")
    assert 5 in store.current.users


async def test_file_and_folder_are_on_the_disk_before_a_change_is_acknowledged(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await place.store(START)
    steps: list[tuple[str, str]] = []
    fsync, exchange = os.fsync, disk.exchange

    def seen_fsync(descriptor: int) -> None:
        steps.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def seen_exchange(new: Path, old: Path) -> None:
        steps.append(("exchange", old.name))
        exchange(new, old)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(disk, "exchange", seen_exchange)
    await store.change(5, to(Wish()), "api 1")
    assert [what for what, _ in steps] == ["fsync", "exchange", "fsync"]
    assert steps[0][1].endswith(".tmp")
    assert steps[1:] == [("exchange", place.file.name), ("fsync", place.file.parent.name)]


async def test_an_acknowledged_change_survives_a_kill(place: Place) -> None:
    place.file.write_text(START)
    script = """
import asyncio, os, signal, sys
from pathlib import Path
from controller.model import Wish
from controller.store.disk import FileHome
from controller.store.wish_store import WishStore
from tests.fake_store import terms
async def main():
    store = WishStore(FileHome(Path(sys.argv[1])), Path(sys.argv[2]), terms(settle_seconds=0))
    await store.load()
    for user in range(10, 100):
        await store.change(user, lambda _: Wish(), "api")
        print(user, flush=True)
        if user == 30:
            os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    run = [sys.executable, "-c", script, str(place.file), str(place.state)]
    done = await asyncio.to_thread(subprocess.run, run, capture_output=True, text=True, check=False, timeout=60)
    acknowledged = [int(line) for line in done.stdout.split()]
    assert acknowledged == list(range(10, 31)), done.stderr
    assert [user for user in (await place.store()).current.users if user >= 10] == acknowledged


async def test_what_a_killed_write_left_behind_is_cleared_away(place: Place) -> None:
    left = place.file.with_name(f".desired_state.yaml.{'0a' * 8}.tmp")
    foreign = place.file.with_name(".desired_state.yaml.swp")
    for path in (left, foreign):
        path.write_text("x")
    await place.store(START)
    assert place.strays == [foreign.name]


# ---------------------------------------------------------------- edits by hand


async def test_an_edit_is_taken_and_counted(place: Place) -> None:
    store = await place.running(START)
    heard: list[frozenset[int]] = []
    store.subscribe(heard.append)
    place.edit("  1: {}\n", "  1: {state: stopped}  # ill\n  3: {}\n")
    await eventually(lambda: store.current.generation == 2)
    assert store.current.users[1] == STOPPED
    assert heard == [{1, 3}]
    assert place.file.read_text() == START.replace("generation: 1", "generation: 2").replace(
        "  1: {}\n", "  1: {state: stopped}  # ill\n  3: {}\n"
    )


async def test_an_edit_in_place_a_piece_at_a_time_is_taken_once_it_is_whole(place: Place) -> None:
    store = await place.running(START)
    with place.file.open("w") as file:
        for line in START.replace("  1: {}\n", "  1: {}\n  5: {}\n").splitlines(keepends=True):
            file.write(line)
            file.flush()
            await asyncio.sleep(0.05)  # longer than the settle time: each piece is looked at
            assert {1, 2} <= store.current.users.keys(), "half a file removed somebody"
    await eventually(lambda: 5 in store.current.users)
    assert store.health.valid


async def test_a_comment_is_no_new_generation(place: Place) -> None:
    store = await place.running(START)
    place.edit("# the lab", "# the lab, room 2")
    await eventually(lambda: "room 2" in store._known.text)
    assert store.current.generation == 1
    await store.change(1, to(STOPPED), "api 1")
    assert place.file.read_text().startswith("# the lab, room 2\n")


async def test_a_change_of_the_default_concerns_everybody(place: Place) -> None:
    store = await place.running(START)
    heard: list[frozenset[int]] = []
    store.subscribe(heard.append)
    place.edit("users:", "defaults: {profile: large}\nusers:")
    await eventually(lambda: bool(heard))
    assert heard == [{1, 2}]


async def test_our_own_writes_are_not_taken_for_edits(place: Place) -> None:
    store = await place.running(START)
    for user in range(10, 20):
        await store.change(user, to(Wish()), "api")
    await asyncio.sleep(0.3)  # what the watcher has to say has been said
    assert store.current.generation == 11


async def test_an_edit_that_the_watcher_has_not_told_of_is_not_lost_to_a_change(place: Place) -> None:
    store = await place.store(START)  # nobody watches
    place.edit("  1: {}\n", "  1: {}\n  5: {}\n")
    state = await store.change(6, to(Wish()), "api 1")
    assert list(state.users) == [1, 2, 5, 6]
    assert state.generation == 3


async def test_a_file_that_moved_between_the_look_and_the_write_is_taken_first(place: Place) -> None:
    store = await place.store(START)
    calls = 0

    def meddled(_: Wish | None) -> Wish | None:
        nonlocal calls
        calls += 1
        if calls == 1:
            place.edit("  1: {}\n", "  1: {}\n  5: {}\n")
        return Wish()

    state = await store.change(6, meddled, "api 1")
    assert list(state.users) == [1, 2, 5, 6]
    assert calls == 2
    assert place.strays == []


@pytest.mark.parametrize("renames", [True, False], ids=["by renaming", "in place"])
async def test_an_edit_in_the_very_moment_of_a_write_is_not_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch, renames: bool
) -> None:
    store = await place.store(START)
    exchange = disk.exchange

    def meddled(new: Path, old: Path) -> None:
        monkeypatch.setattr(disk, "exchange", exchange)
        text = place.file.read_text().replace("  1: {}\n", "  1: {}\n  5: {}  # just now\n")
        if renames:
            place.edit(place.file.read_text(), text)
        else:
            place.file.write_text(text)
        exchange(new, old)

    monkeypatch.setattr(disk, "exchange", meddled)
    await store.change(6, to(Wish()), "api 1")
    assert list(store.current.users) == [1, 2, 5, 6]
    assert "# just now" in place.file.read_text()
    assert (place.strays, place.asides) == ([], [])


async def test_an_edit_that_a_kill_caught_in_that_moment_is_found_again(place: Place) -> None:
    store = await place.store(START)
    await store.change(6, to(Wish()), "api 1")
    left = place.file.with_name(f".desired_state.yaml.{'0a' * 8}.tmp")
    left.write_text(START.replace("  1: {}\n", "  1: {}\n  5: {}\n"))
    again = await place.store()
    assert list(again.current.users) == [1, 2, 5, 6]
    left.write_text(START.replace("generation: 1", "generation: 1000"))
    await place.store()
    assert list((await place.store()).current.users) == [1, 2, 5, 6], "nobody knows what that was made from"
    assert (place.strays, len(place.asides)) == ([], 1)


async def test_where_files_cannot_trade_places_they_are_replaced(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_LIBC", None)
    store = await place.store(START)
    await store.change(6, to(Wish()), "api 1")
    assert list((await place.store()).current.users) == [1, 2, 6]
    assert place.strays == []


async def test_an_edit_from_an_earlier_state_is_merged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    store = await place.running(START)
    await store.change(1, to(Wish(session_id="s", profile="large")), "api 1")
    await store.change(9, to(Wish()), "api 2")
    opened_before = START.replace("  1: {}", "  1: {profile: standard}").replace("  2:", "  4: {}\n  2:")
    place.file.write_text(opened_before)
    await eventually(lambda: 4 in store.current.users)
    assert dict(store.current.users) == {
        1: Wish(session_id="s", profile="standard"),
        2: Wish(session_id="a"),
        4: Wish(),
        9: Wish(),
    }
    assert store.current.generation == 4
    assert (await place.store()).current == store.current, "the file says so, too"
    [met] = [record for record in caplog.records if "met in one field" in record.message]
    assert met.pairs == {"user": 1, "field": "profile", "kept": "standard", "lost": "large", "generation": 4}  # type: ignore[attr-defined]


async def test_an_old_text_saved_once_more_undoes_nothing(place: Place) -> None:
    store = await place.running(START)
    await store.change(9, to(Wish()), "api 1")
    place.file.write_text(START)
    await eventually(lambda: "9: {}" in place.file.read_text())
    assert store.current.generation == 2
    assert store.health.valid


@pytest.mark.parametrize("named", ["", "generation: 77\n"])
async def test_a_text_of_unknown_origin_says_it_all(place: Place, named: str) -> None:
    store = await place.running(START)
    await store.change(9, to(Wish()), "api 1")
    place.file.write_text(f"version: 1\n{named}users: {{5: {{}}}}\n...\n")
    await eventually(lambda: list(store.current.users) == [5])
    assert store.current.generation == 3
    assert "generation: 3\n" in place.file.read_text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file says nothing"),
        ("version: 1\nusers:\n  5: {stat: stopped}\n...\n", "line 3, column 7: unknown key `stat`"),
        (START.removesuffix("...\n"), "the last line `...` is gone"),
        ("#" * 300_000, "larger than 256 KB"),
        ("a: \0", "U+0000"),
    ],
)
async def test_a_bad_edit_changes_nothing_and_is_shown(place: Place, text: str, problem: str) -> None:
    store = await place.running(START)
    good = store.current
    place.file.write_text(text)
    await eventually(lambda: not store.health.valid)
    assert problem in str(store.health.problems[0])
    assert store.current == good
    assert place.file.read_text() == text
    place.file.write_text(START)
    await eventually(lambda: store.health.valid)
    assert store.current == good


async def test_a_missing_file_changes_nothing(place: Place) -> None:
    store = await place.running(START)
    place.file.unlink()
    await eventually(lambda: not store.health.valid)
    assert list(store.current.users) == [1, 2]
    await store.change(5, to(Wish()), "api 1")
    assert place.file.read_text() == START.replace("generation: 1", "generation: 2").replace(
        "  # by the window\n", "  # by the window\n  5: {}\n"
    )
    assert store.health.valid


@pytest.mark.parametrize("kind", ["folder", "fifo", "socket", "loop"])
async def test_what_is_no_file_is_a_fault_and_blocks_nobody(place: Place, kind: str) -> None:
    store = await place.running(START)
    place.file.unlink()
    match kind:
        case "folder":
            place.file.mkdir()
        case "fifo":
            os.mkfifo(place.file)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(place.file))
        case _:
            place.file.symlink_to(place.file)
    await eventually(lambda: not store.health.valid and "no file" not in str(store.health.problems[0]))
    with pytest.raises(NotPersisted):
        await asyncio.wait_for(store.change(5, to(Wish()), "api 1"), 5)
    assert list(store.current.users) == [1, 2]
    assert place.asides == []


async def test_a_change_over_a_broken_edit_keeps_the_broken_text_beside(place: Place) -> None:
    store = await place.running(START)
    broken = START.replace("  1: {}", "  1: {stat: stopped}  # two hours of work")
    place.file.write_text(broken)
    await eventually(lambda: not store.health.valid)
    await store.change(5, to(Wish()), "api 1")
    assert list(store.current.users) == [1, 2, 5]
    assert store.health.valid
    [aside] = place.asides
    assert aside.read_text() == broken


async def test_a_slow_writer_whose_file_was_replaced_finds_the_rest_in_the_text_set_aside(place: Place) -> None:
    store = await place.store(START)
    text = START.replace("  1: {}", "  1: {}\n  8: {}")
    with place.file.open("w") as file:
        file.write(text[:40])
        file.flush()
        await store.change(5, to(Wish()), "api 1")
        file.write(text[40:])
    [aside] = place.asides
    assert aside.read_text() == text
    assert list(store.current.users) == [1, 2, 5]


async def test_a_good_edit_that_cannot_be_recorded_waits(place: Place) -> None:
    store = await place.store(START)
    with contextlib.closing(sqlite3.connect(place.state / "history.sqlite3")) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON generations BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        other.commit()
        place.edit("  1: {}\n", "")
        with pytest.raises(NotPersisted):
            await store.change(5, to(Wish()), "api 1")
        assert "cannot be recorded" in str(store.health.problems[0])
        assert 1 in store.current.users
        other.execute("DROP TRIGGER full")
        other.commit()
    await store.change(5, to(Wish()), "api 2")
    assert list(store.current.users) == [2, 5]
    assert store.health.valid
    assert place.asides == []


async def test_a_dead_watcher_costs_only_delay(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wish_store, "POLL_SECONDS", 0.1)
    store = await place.running(START)
    gone = place.file.parent.rename(place.file.parent.with_name("gone"))  # and the watcher with it
    place.file.parent.mkdir()
    place.file.write_text((gone / place.file.name).read_text().replace("  1: {}\n", ""))
    await eventually(lambda: list(store.current.users) == [2])


async def test_the_folder_of_a_file_that_is_not_there_yet(place: Place) -> None:
    place.file.parent.rmdir()
    store = await place.running()
    assert store.health.valid
    assert place.file.exists()
