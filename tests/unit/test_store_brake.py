"""A change of the whole text that would end many sessions waits: who holds it, who lets it go, and what survives."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import pytest

from controller import spec
from controller.errors import NeedsApproval, NotPending, NotPersisted, WishInvalid
from controller.events import Event, EventKind, EventReason
from controller.model import RunState, Wish
from controller.store import Pending
from controller.store.disk import FileHome
from controller.store.history import History
from controller.store.wish_store import WishStore
from tests.fake_store import terms
from tests.wish_place import Place

HEAD = "# the lab\nversion: 1\ngeneration: 1   # ours\nusers:\n"


def lab(*ids: int, tail: str = "...\n") -> str:
    return HEAD + "".join(f"  {n}: {{}}   # seat {n}\n" for n in ids) + tail


TEN = lab(*range(1, 11))


async def look(store: WishStore) -> None:
    """Have the store take what the file says now."""
    await store.change(99, lambda wish: wish, "nobody")


def founded(store: WishStore) -> bool:
    return store.founded


def waiting(store: WishStore) -> Pending:
    assert store.pending is not None
    return store.pending


def disk_full(*_: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


async def held(place: Place, store: WishStore) -> Pending:
    place.file.write_text(lab(1, 2, 3).replace("seat 1", "seat one"))
    await look(store)
    assert store.pending is not None
    return store.pending


async def test_a_mass_removal_waits_and_is_shown(place: Place) -> None:
    store = await place.store(TEN)
    pending = await held(place, store)
    assert (pending.source, pending.writer) == ("file", "file")
    assert (pending.removes, pending.stops) == (tuple(range(4, 11)), ())
    assert "it would end 7 of 10 sessions (remove 4-10)" in pending.why
    assert list(store.current.users) == list(range(1, 11))
    assert not store.health.valid
    assert "waits for approval" in str(store.health.problems[0])
    assert place.file.read_text() == lab(1, 2, 3).replace("seat 1", "seat one"), "the file is its writer's"


async def test_approval_brings_it_into_force(place: Place) -> None:
    store = await place.store(TEN)
    pending = await held(place, store)
    state = await store.approve(pending.id, "api 7")
    assert list(state.users) == list(store.current.users) == [1, 2, 3]
    assert (store.pending, store.health.valid) == (None, True)
    assert place.file.read_text() == lab(1, 2, 3).replace("seat 1", "seat one").replace(
        "generation: 1", "generation: 2"
    )
    assert place.asides == []
    last = (await store.history(1))[0]
    assert (last.writer, last.summary) == ("file, approved by api 7", "removes 4-10")


async def test_rejection_puts_the_text_in_force_back_and_the_other_aside(place: Place) -> None:
    store = await place.store(TEN)
    pending = await held(place, store)
    await store.reject(pending.id, "api 7")
    assert place.file.read_text() == TEN
    assert [aside.read_text() for aside in place.asides] == [lab(1, 2, 3).replace("seat 1", "seat one")]
    assert (store.pending, store.health.valid, store.current.generation) == (None, True, 1)


async def test_what_waits_survives_a_restart_whether_the_file_says_it_or_not(place: Place) -> None:
    first = await place.store(TEN)
    pending = await held(place, first)
    second = await place.store()
    assert second.pending == pending
    await second.change(50, lambda _: Wish(), "api 1")
    assert second.pending is not None
    assert "  50: {}" in place.file.read_text(), "an acknowledged change is in the file"
    assert len(place.asides) == 1
    third = await place.store()
    assert third.pending == second.pending
    assert third.health.valid
    await third.approve(third.pending.id if third.pending else "", "api 2")
    assert list(third.current.users) == [1, 2, 3, 50]
    assert (await place.store()).current == third.current
    assert (await place.store()).pending is None


async def test_a_file_that_is_put_back_withdraws_it(place: Place) -> None:
    store = await place.store(TEN)
    pending = await held(place, store)
    place.file.write_text(TEN)
    await look(store)
    assert (store.pending, store.health.valid) == (None, True)
    with pytest.raises(NotPending):
        await store.approve(pending.id, "api 1")
    assert (await place.store()).pending is None


async def test_what_is_in_force_is_answered_so_where_only_what_waited_cannot_be_written(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await place.store(TEN)
    told: list[frozenset[int]] = []
    store.subscribe(told.append)
    await held(place, store)
    with monkeypatch.context() as full:
        full.setattr(History, "keep_waiting", disk_full)
        await store.change(50, lambda _: Wish(), "api 1")
        assert told == [{50}]
        state = await store.approve(waiting(store).id, "api 7")
        assert list(state.users) == list(store.current.users) == [1, 2, 3, 50]
        assert told == [{50}, set(range(4, 11))]
        assert (store.pending, store.waiting, store.health.valid) == (None, None, True)
    assert list((await place.store()).current.users) == [1, 2, 3, 50]


async def test_what_became_of_a_text_that_waited_is_written_at_a_later_look(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await place.store(TEN)
    with pytest.raises(NeedsApproval):
        await store.apply(lab(1, 2, 3), "api 1")
    with monkeypatch.context() as full:
        full.setattr(History, "keep_waiting", disk_full)
        await store.approve(waiting(store).id, "api 7")
    for user_id in range(4, 11):  # they come again, and what waited would end them once more
        await store.change(user_id, lambda _: Wish(), "api 1")
    assert (await place.store()).pending is None


async def test_a_rejection_that_cannot_be_written_is_not_answered_as_if_it_were(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await place.store(TEN)
    pending = await held(place, store)
    with monkeypatch.context() as full:
        full.setattr(History, "keep_waiting", disk_full)
        with pytest.raises(NotPersisted):
            await store.reject(pending.id, "api 7")
    assert store.pending == pending
    await store.reject(pending.id, "api 7")
    assert (await place.store()).pending is None


async def test_what_waits_is_weighed_at_the_next_look_where_the_history_could_not_be_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await place.store(TEN)
    await held(place, store)
    with monkeypatch.context() as full:
        full.setattr(History, "get", disk_full)
        await store.change(4, lambda _: None, "api 1")
        assert store.pending is None, "nobody may approve what is not weighed"
    await look(store)
    assert waiting(store).removes == tuple(range(5, 11))


async def test_a_stale_id_is_refused(place: Place) -> None:
    store = await place.store(TEN)
    pending = await held(place, store)
    place.file.write_text(lab(1))
    for deed in (store.approve, store.reject):
        with pytest.raises(NotPending, match=f"not {pending.id}"):
            await deed(pending.id, "api 1")
    assert len(store.current.users) == 10
    assert store.pending is not None
    assert store.pending.removes == tuple(range(2, 11))


async def test_another_writers_change_of_who_is_concerned_makes_another_id(place: Place) -> None:
    store = await place.store(TEN)
    pending = await held(place, store)
    await store.change(2, lambda wish: Wish(profile="large"), "api 1")
    assert store.pending is not None
    assert store.pending.id == pending.id
    await store.change(4, lambda wish: None, "api 2")
    assert store.pending is not None
    assert store.pending.id != pending.id
    assert store.pending.removes == tuple(range(5, 11))


async def test_what_waits_goes_on_waiting_when_fewer_sessions_are_left_of_it(place: Place) -> None:
    store = await place.store(TEN)
    await held(place, store)
    for user_id in range(4, 10):
        await store.change(user_id, lambda wish: None, "api 1")
    place.file.write_text(lab(1, 2, 3).replace("seat 1", "seat one"))
    await look(store)
    assert store.pending is not None
    assert store.pending.removes == (10,)
    assert 10 in store.current.users


async def test_a_state_that_names_nobody_waits_unless_that_is_allowed(place: Place) -> None:
    store = await place.store(lab(1))
    place.file.write_text("version: 1\ngeneration: 1\nusers: {}\n...\n")
    await look(store)
    assert store.pending is not None
    assert store.pending.why == "it names nobody, and 1 users are wanted"
    bold = WishStore(FileHome(place.file), place.state, terms(allow_empty=True))
    await bold.load()
    assert len(bold.current.users) == 1, "what waits, waits"
    place.file.write_text("version: 1\ngeneration: 1\nusers: {}   # on purpose\n...\n")
    await look_quietly(bold)
    assert len(bold.current.users) == 0
    await bold.close()


async def look_quietly(store: WishStore) -> None:
    await store.surveyed({})
    await store.change(98, lambda wish: wish, "nobody")


async def test_each_single_call_is_meant(place: Place) -> None:
    store = await place.store(lab(1))
    await store.change(1, lambda wish: None, "api 1")
    assert (dict(store.current.users), store.pending) == ({}, None)


# ---------------------------------------------------------------- whole texts over the API


async def test_a_whole_text_is_taken_as_an_edit_would_be(place: Place) -> None:
    store = await place.store(TEN)
    await store.change(50, lambda _: Wish(), "api 1")
    state = await store.apply(
        TEN.replace("  1: {}", "  1: {state: stopped}").replace("the lab", "the new lab"), "api 2"
    )
    assert state.users[1].state is RunState.STOPPED
    assert 50 in state.users, "it was made from generation 1"
    assert place.file.read_text().startswith("# the new lab\nversion: 1\ngeneration: 3")
    assert place.asides == []


async def test_a_whole_text_may_be_held_or_forced(place: Place) -> None:
    store = await place.store(TEN)
    with pytest.raises(NeedsApproval):
        await store.apply(lab(1), "api 1")
    assert place.file.read_text() == TEN
    assert store.health.valid
    assert store.pending is not None
    assert store.pending.source == "api"
    await store.reject(store.pending.id, "api 2")
    assert (place.file.read_text(), place.asides) == (TEN, [])
    await store.apply(lab(1), "api 3", force=True)
    assert list(store.current.users) == [1]


@pytest.mark.parametrize("text", ["", "x: [", lab(1, tail=""), "version: 1\nusers: {1: {profile: no-such}}\n"])
async def test_a_whole_text_that_is_no_good_changes_nothing(place: Place, text: str) -> None:
    store = await place.store(TEN)
    with pytest.raises(WishInvalid):
        await store.apply(text, "api 1")
    with pytest.raises(WishInvalid):
        await store.weigh(text)
    assert place.file.read_text() == TEN
    assert store.current.generation == 1


async def test_weighing_tells_and_does_nothing(place: Place) -> None:
    store = await place.store(TEN)
    weighed = await store.weigh(lab(1))
    assert (list(weighed.state.users), weighed.state.generation) == ([1], 2)
    assert "remove 2-10" in weighed.held
    assert (store.pending, store.current.generation) == (None, 1)


async def test_rollback_brings_the_old_text_back_comments_and_all(place: Place) -> None:
    store = await place.store(TEN)
    await store.apply(TEN.replace("# the lab", "# spoilt").replace("  2: {}", "  2: {state: stopped}"), "api 1")
    state = await store.rollback(1, "api 2")
    assert state.generation == 3
    assert place.file.read_text() == TEN.replace("generation: 1", "generation: 3")
    assert [(g.number, g.writer, g.summary) for g in await store.history(9)] == [
        (3, "api 2, rollback to 1", "starts 2"),
        (2, "api 1", "stops 2"),
        (1, "file", "adds 1-10"),
    ]


# ---------------------------------------------------------------- no history, and sessions that run


async def test_with_state_and_file_gone_the_sessions_stay_until_somebody_says(place: Place) -> None:
    store = await place.store()
    assert not founded(store)
    await store.surveyed({7: "abc", 8: None})
    assert founded(store)
    assert dict(store.current.users) == {7: Wish(session_id="abc", paused=True), 8: Wish(paused=True)}
    assert store.pending is not None
    assert (store.pending.source, store.pending.removes) == ("start", (7, 8))
    again = await place.store()
    assert founded(again)
    assert again.pending == store.pending
    await again.approve(store.pending.id, "api 1")
    assert dict(again.current.users) == {}


async def test_rejected_they_are_wanted_and_go_on(place: Place) -> None:
    store = await place.store()
    await store.surveyed({7: "abc"})
    await store.reject(waiting(store).id, "api 1")
    assert dict(store.current.users) == {7: Wish(session_id="abc", paused=True)}
    assert store.pending is None
    assert "7: {session_id" in place.file.read_text()


async def test_a_kill_before_the_first_survey_forgets_nothing(place: Place) -> None:
    await place.store()
    store = await place.store()
    assert not founded(store)
    await store.surveyed({7: None})
    assert store.pending is not None


async def test_without_a_history_a_file_is_weighed_against_what_runs(place: Place) -> None:
    store = await place.store(lab(1, 2).replace("2: {}", "2: {state: stopped}"))
    await store.surveyed(dict.fromkeys(range(1, 11)))
    assert store.pending is not None
    assert (store.pending.removes, store.pending.stops) == (tuple(range(3, 11)), (2,))
    assert list(store.current.users) == list(range(1, 11))
    assert store.current.users[1] == Wish(), "who is wanted as he is needs no pause"
    assert store.current.users[2] == Wish(paused=True)


async def test_without_a_history_a_file_that_names_who_runs_is_simply_taken(place: Place) -> None:
    store = await place.store(TEN)
    await store.surveyed(dict.fromkeys(range(1, 13)))
    assert founded(store)
    assert store.pending is None
    assert place.file.read_text() == TEN


async def test_without_a_history_a_file_that_was_cut_is_refused(place: Place) -> None:
    store = await place.store(TEN[:-40])
    await store.surveyed(dict.fromkeys(range(1, 11)))
    assert store.current.generation == 0
    assert not founded(store)
    place.file.write_text(lab(1, 2))
    await store.surveyed(dict.fromkeys(range(1, 11)))
    assert store.pending is not None
    assert list(store.current.users) == list(range(1, 11))


async def test_what_cannot_be_recorded_is_not_concluded_from(place: Place) -> None:
    store = await place.store()
    text = place.file.read_text()
    place.file.unlink()
    place.file.mkdir()
    with pytest.raises(NotPersisted):
        await store.surveyed({7: None})
    assert not founded(store)
    place.file.rmdir()
    place.file.write_text(text)
    await store.surveyed({7: None})
    assert founded(store)
    assert 7 in store.current.users


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("broken", ["keep_waiting", "add", "end_founding"])
async def test_what_the_file_says_still_waits_where_the_disk_was_full_at_the_first_survey(
    place: Place, monkeypatch: pytest.MonkeyPatch, broken: str, restarted: bool
) -> None:
    store = await place.store(lab(1))
    with monkeypatch.context() as full:
        full.setattr(History, broken, disk_full)
        with pytest.raises(NotPersisted):
            await store.surveyed(dict.fromkeys(range(1, 11)))
    assert not founded(store)
    if restarted:
        store = await place.store()
    await store.surveyed(dict.fromkeys(range(1, 11)))
    assert founded(store)
    assert list(store.current.users) == list(range(1, 11))
    await store.approve(waiting(store).id, "api 1")
    assert list(store.current.users) == [1]
    told = [e.event.reason for e in await store.events(None, 0, 100, ["brake"])]
    assert restarted or told == ["Held", "Approved"]


async def test_a_kill_before_those_who_ran_are_in_the_file_withdraws_nothing(place: Place) -> None:
    store = await place.store(lab(1))
    await store.surveyed(dict.fromkeys(range(1, 11)))
    place.file.write_text(lab(1))  # as it was before that write
    again = await place.store()
    await again.surveyed(dict.fromkeys(range(1, 11)))
    assert waiting(again).removes == tuple(range(2, 11))
    assert spec.stored(place.file.read_text()) == again.current


# ---------------------------------------------------------------- what is told


async def test_events_tell_who_changed_what_and_what_the_brake_did(place: Place) -> None:
    store = await place.store(lab(*range(1, 6)))
    await store.change(1, lambda wish: Wish(session_id="s"), "api 1")
    told = await store.events(1, 0, 10)
    assert [(e.event.kind, e.event.reason, e.event.message, e.event.generation) for e in told] == [
        ("wish", "Added", "file: nothing → {}", 1),
        ("wish", "Changed", 'api 1: {} → {session_id: "s"}', 2),
    ]
    asked = store.asked(1)
    assert asked is not None
    assert (asked.generation, asked.writer) == (2, "api 1")
    assert (await place.store()).asked(1) == asked
    place.file.write_text(lab(1))
    await look(store)
    assert store.pending is not None
    await store.reject(store.pending.id, "api 2")
    kinds = [(e.event.kind, e.event.reason) for e in await store.events(None, told[-1].id, 10)]
    assert kinds == [("brake", "Held"), ("wish", "Refused"), ("brake", "Rejected")]


async def test_a_conflict_is_an_event_with_both_values(place: Place) -> None:
    store = await place.store(TEN)
    await store.change(1, lambda wish: Wish(profile="large"), "api 1")
    place.file.write_text(TEN.replace("1: {}   # seat 1\n", "1: {profile: standard}   # seat 1\n"))
    await look(store)
    met = [e.event for e in await store.events(1, 0, 10) if e.event.kind == "conflict"]
    assert [event.message for event in met] == [
        "file and an earlier change met in the field `profile`: kept standard, lost large"
    ]


async def test_events_are_written_while_the_store_runs_and_end_with_it(place: Place) -> None:
    store = await place.running(TEN)
    store.record(Event(EventKind.ENGINE, EventReason.LOST, "gone"))
    await asyncio.sleep(0)
    assert [e.event.reason for e in await store.events(None, 10, 10)] == ["Lost"]


async def test_a_history_of_an_earlier_version_is_gone_on_from(place: Place) -> None:
    with contextlib.closing(sqlite3.connect(place.state / "history.sqlite3")) as database:
        columns = "number INTEGER PRIMARY KEY, at TEXT NOT NULL, writer TEXT NOT NULL, text TEXT NOT NULL"
        database.execute(f"CREATE TABLE generations ({columns}) STRICT")
        database.execute("INSERT INTO generations VALUES (1, '2026-11-22T10:00:00Z', 'file', ?)", (TEN,))
        database.commit()
    store = await place.store(TEN)
    assert founded(store), "it remembers who was wanted"
    await store.change(1, lambda wish: None, "api 1")
    assert [(each.number, each.summary) for each in await store.history(5)] == [(2, "removes 1"), (1, "")]
