"""The desired state's file on a real disk: how it begins, and how the API changes it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller import spec
from controller.errors import InDoubt, NotPersisted, SettingsInvalid, WishInvalid
from controller.model import RunState, Wish
from controller.store import disk
from controller.store.disk import FileHome
from controller.store.history import History, Undecided
from controller.store.wish_store import WishStore
from tests.fake_store import terms
from tests.support import eventually
from tests.wish_place import START, STOPPED, Place, to

# ---------------------------------------------------------------- start


async def test_a_first_start_makes_the_file(place: Place) -> None:
    store = await place.store()
    assert place.file.read_text() == spec.EMPTY_WISH
    assert (store.current.generation, dict(store.current.users), store.health.valid) == (1, {}, True)


async def test_a_file_that_somebody_makes_at_the_moment_of_a_first_start_is_taken(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = disk._write

    def meddled(temporary: Path, raw: bytes, like: Path) -> None:
        write(temporary, raw, like)
        place.file.write_text(START)

    monkeypatch.setattr(disk, "_write", meddled)
    store = await place.store()
    assert (list(store.current.users), place.file.read_text(), place.strays) == ([1, 2], START, [])


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
    with pytest.raises(WishInvalid) as refused:  # and no word of a disk that is full
        await store.change(5, to(Wish()), "api 1")
    assert refused.value.problems == store.health.problems
    assert place.file.read_text() == text


async def test_a_first_file_that_was_cut_amid_a_line_is_not_taken_for_a_whole_one(place: Place) -> None:
    whole = "version: 1\nusers:\n  1: {}\n  22: {state: stopped}\n"
    store = await place.store(whole.removesuffix(" {state: stopped}\n"))
    assert (store.current.generation, store.current.users) == (0, {}), "user 22 was not to run"
    assert "may be cut off" in str(store.health.problems[0])
    place.file.write_text(whole)
    again = await place.store()
    assert (list(again.current.users), again.health.valid) == ([1, 22], True)
    assert list((await place.store()).current.users) == [1, 22]


@pytest.mark.parametrize("text", ["version: 1\nusers: {5: {}}\n...", "version: 1\nusers: {5: {}}\n"])
async def test_a_first_file_that_says_where_it_ends_is_whole(place: Place, text: str) -> None:
    assert list((await place.store(text)).current.users) == [5]


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


def no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def test_what_cannot_be_written_did_not_happen(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await place.store(START)
    for module, broken in ((os, "fsync"), (disk, "exchange")):
        with monkeypatch.context() as patched:
            patched.setattr(module, broken, no_space)
            with pytest.raises(NotPersisted, match="No space left on device"):
                await store.change(5, to(Wish()), "api 1")
        assert store.current.generation == 1
        assert place.file.read_text() == START
        assert place.strays == []
    assert (await place.store()).current == store.current, "nor does the history tell of it"
    assert (await store.change(5, to(Wish()), "api 2")).generation == 2


@pytest.mark.parametrize("fails", ["the folder's fsync", "the old text's unlink", "the old text's new name"])
async def test_what_is_in_the_file_is_answered_as_in_force(
    place: Place, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    store = await place.store(START)
    if fails == "the old text's new name":
        place.file.write_text(refused := "users: [\n...\n")
    told: list[frozenset[int]] = []
    store.subscribe(told.append)
    unlink, fsync = Path.unlink, os.fsync

    def broken_fsync(descriptor: int) -> None:
        fsync(descriptor) if stat.S_ISREG(os.fstat(descriptor).st_mode) else no_space()

    def broken_unlink(path: Path, missing_ok: bool = False) -> None:
        no_space() if path.name.endswith(".tmp") else unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        match fails:
            case "the folder's fsync":
                patched.setattr(os, "fsync", broken_fsync)
            case "the old text's unlink":
                patched.setattr(Path, "unlink", broken_unlink)
            case _:
                patched.setattr(disk, "set_aside", no_space)
        state = await store.change(5, to(Wish()), "api 1")
    assert (state.generation, told) == (2, [frozenset({5})])
    assert spec.stored(place.file.read_text()) == state
    assert [each.number for each in await store.history(9)] == [2, 1]
    again = await place.store()
    assert (again.current, place.strays) == (state, []), "what was left is cleared away, and undoes nothing"
    assert [each.read_text() for each in place.asides] == ([refused] if "new name" in fails else [])


async def test_a_power_cut_after_a_folder_that_was_not_synced_loses_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await place.store(START)
    monkeypatch.setattr(disk, "_sync_folder", no_space)
    state = await store.change(5, to(Wish()), "api 1")
    place.file.write_text(START)  # as the disk still has it
    assert (await place.store()).current == state
    assert spec.stored(place.file.read_text()) == state


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_can_neither_be_written_nor_forgotten_is_in_force_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    store = await place.store(START)
    told: list[frozenset[int]] = []
    store.subscribe(told.append)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(disk, "exchange", no_space)
        patched.setattr(History, "forget", full)
        state = await store.change(5, to(Wish()), "api 1")
        assert (state.generation, told) == (2, [frozenset({5})])
        patched.setattr(History, "add", full)
        with pytest.raises(NotPersisted, match="disk is full"):
            await store.change(6, to(Wish()), "api 1")
    place.edit("2: {session_id", "2: {state: stopped, session_id")  # by somebody who saw no user 5
    if restarted:
        store = await place.store()
    await store.change(7, to(Wish()), "api 2")
    assert list(store.current.users) == [1, 2, 5, 7]
    assert store.current.users[2].state is RunState.STOPPED
    assert spec.stored(place.file.read_text()) == store.current


@pytest.mark.parametrize("call", ["add", "forget"])
async def test_what_nobody_can_tell_before_the_next_start_is_answered_so(
    place: Place, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A disk that fails at the end of the history's write, and at what was to undo it."""
    store = await place.store(START)

    def undecided(*_: object) -> None:
        raise Undecided("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(disk, "exchange", no_space)
        patched.setattr(History, call, undecided)
        with pytest.raises(InDoubt, match="disk I/O error"):
            await store.change(5, to(Wish()), "api 1")
    assert list(store.current.users) == [1, 2]
    await store.change(6, to(Wish()), "api 1")
    assert list((await place.store()).current.users) == [1, 2, 6]


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
from controller.model import RunState, Wish
from controller.store.disk import FileHome
from controller.store.history import History
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
