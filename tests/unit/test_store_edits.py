"""The desired state's file on a real disk, with people and the API both writing it: nobody's words are lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import sqlite3
import threading
from pathlib import Path

import pytest

from controller import spec
from controller.errors import NotPersisted, Overtaken
from controller.model import Wish
from controller.store import disk, turns, wish_store
from tests.support import eventually
from tests.wish_place import START, STOPPED, Place, to


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


async def test_two_edits_around_a_write_are_both_taken_and_the_later_one_wins(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await place.store(START)
    exchange = disk.exchange

    def meddled(new: Path, old: Path) -> None:
        monkeypatch.setattr(disk, "exchange", exchange)
        place.edit('  2: {session_id: "a"}', '  5: {}\n  2: {session_id: "before"}')
        exchange(new, old)
        place.edit('  2: {session_id: "a"}', '  8: {}\n  2: {session_id: "after"}')

    monkeypatch.setattr(disk, "exchange", meddled)
    await store.change(6, to(Wish()), "api 1")
    state = await store.change(9, to(Wish()), "api 2")
    assert list(state.users) == [1, 2, 5, 6, 8, 9]
    assert state.users[2].session_id == "after"
    assert spec.parse(place.file.read_text(), max_users=100, profiles=None) == state
    assert (place.strays, place.asides) == ([], [])
    [conflict] = [each.event for each in await store.events(None, 0, 100) if each.event.kind == "conflict"]
    assert "kept after, lost before" in conflict.message


async def test_an_edit_that_a_kill_left_does_not_win_over_one_made_since(place: Place) -> None:
    await (await place.store(START)).change(6, to(Wish()), "api 1")
    left = place.file.with_name(f".desired_state.yaml.{'0a' * 8}.tmp")
    left.write_text(START.replace('  2: {session_id: "a"}', '  5: {}\n  2: {session_id: "before"}'))
    place.edit('session_id: "a"', 'session_id: "after"')
    state = (await place.store()).current
    assert list(state.users) == [1, 2, 5, 6]
    assert state.users[2].session_id == "after"
    assert spec.parse(place.file.read_text(), max_users=100, profiles=None) == state
    assert (place.strays, place.asides) == ([], [])


async def test_an_editor_that_saves_without_a_pause_keeps_nobody_waiting_for_ever(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "SECONDS", 0.5)
    store = await place.store(START)
    stop = threading.Event()

    def save() -> None:
        for n in itertools.count():
            if stop.wait(0.002):
                return
            place.edit("users:", f"users:   # {n}") if n == 0 else place.edit(f"   # {n - 1}", f"   # {n}")

    saving = asyncio.get_running_loop().run_in_executor(None, save)
    try:
        async with asyncio.timeout(30):
            with contextlib.suppress(Overtaken):
                await store.change(6, to(Wish()), "api 1")
    finally:
        stop.set()
        await asyncio.gather(saving, return_exceptions=True)
    await store.change(7, to(Wish()), "api 2")
    assert 7 in store.current.users


async def test_a_file_that_comes_back_in_the_very_moment_of_a_write_is_not_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await place.store(START)
    place.file.unlink()
    exchange = disk.exchange

    def meddled(new: Path, old: Path) -> None:
        monkeypatch.setattr(disk, "exchange", exchange)
        place.file.write_text(START.replace("  1: {}\n", "  1: {}\n  5: {}  # just now\n"))
        exchange(new, old)

    monkeypatch.setattr(disk, "exchange", meddled)
    await store.change(6, to(Wish()), "api 1")
    assert list(store.current.users) == [1, 2, 5, 6]
    assert (place.strays, place.asides) == ([], [])


async def test_an_edit_that_is_no_good_and_that_a_kill_caught_in_that_moment_is_set_aside(place: Place) -> None:
    await place.store(START)
    left = place.file.with_name(f".desired_state.yaml.{'0a' * 8}.tmp")
    left.write_text(bad := START.replace("  1: {}\n", "  1: {state: on\n"))
    store = await place.store()
    assert (list(store.current.users), place.strays) == ([1, 2], [])
    assert [each.read_text() for each in place.asides] == [bad]


@pytest.mark.parametrize("step", [1, 2])
async def test_where_files_cannot_trade_places_a_failure_leaves_all_as_it_was(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    store = await place.store(START)
    replace, calls = os.replace, itertools.count(1)

    def broken(old: Path, new: Path) -> None:
        if next(calls) == step:
            raise OSError(28, "No space left on device")
        replace(old, new)

    with monkeypatch.context() as patched:
        patched.setattr(disk, "_LIBC", None)
        patched.setattr(os, "replace", broken)
        with pytest.raises(NotPersisted, match="No space"):
            await store.change(6, to(Wish()), "api 1")
    assert (place.file.read_text(), place.strays) == (START, [])


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
        await asyncio.wait_for(store.change(5, to(Wish()), "api 1"), 20)
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
