"""Whatever becomes of the file of a hundred users, the sessions that ran go on: a real store, a fake engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.informer import Informer, Ports, ProbeTimes
from controller.model import Phase
from controller.reconciler import Pace, Reconciler
from controller.store.disk import FileHome
from controller.store.wish_store import WishStore
from controller.workqueue import WorkQueue
from tests.fake_engine import FakeEngine
from tests.fake_store import terms
from tests.integration.test_loop import AlwaysReady
from tests.support import eventually

USERS = range(1, 101)
CLASS = (
    "# yaml-language-server: $schema=desired_state.schema.json\nversion: 1\ngeneration: 1\n"
    "defaults: {profile: standard}   # for all\nusers:\n"
    + "".join(f"  {n}: {{}}  # row {n // 10}\n" for n in USERS)
    + "...\n"
)


class Room:
    """A class at work."""

    def __init__(self, file: Path, store: WishStore, engine: FakeEngine) -> None:
        self.file = file
        self.store = store
        self.engine = engine

    def running(self) -> set[str]:
        return {c.id for c in self.engine.containers() if c.phase is Phase.RUNNING}

    async def says(self, raw: bytes | None) -> None:
        """The file says this now (`None`: it is gone), and the store has looked."""
        if raw is None:
            self.file.unlink(missing_ok=True)
        else:
            self.file.write_bytes(raw)
        await self.looked()

    def in_force(self) -> bool:
        return self.store.health.valid

    async def looked(self) -> None:
        await self.store.change(1, lambda wish: wish, "nobody")

    async def undisturbed(self, before: set[str]) -> None:
        """All work that could have come of it is done, and none was."""
        for _ in range(20):
            await asyncio.sleep(0)
        assert self.running() == before
        assert len(self.store.current.users) == len(USERS)


@asynccontextmanager
async def a_room(folder: Path, engine: FakeEngine) -> AsyncIterator[Room]:
    file, state = folder / "desired_state.yaml", folder / "state"
    state.mkdir(exist_ok=True)
    store = WishStore(FileHome(file), state, terms(settle_seconds=0))
    await store.load()
    queue = WorkQueue()
    ports, times = Ports(30000, 31000), ProbeTimes(5, 5)
    informer = Informer(engine, queue, AlwaysReady("127.0.0.1"), ports, times, store.record)
    reconciler = Reconciler(engine, store, informer, queue, terms().site, Pace(100, 3600))
    parts = [asyncio.create_task(each) for each in (reconciler.run(), informer.run(reconciler.resync))]
    try:
        yield Room(file, store, engine)
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await store.close()


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    (tmp_path / "desired_state.yaml").write_text(CLASS)
    async with a_room(tmp_path, FakeEngine()) as room:
        await eventually(lambda: len(room.running()) == len(USERS))
        yield room


async def test_a_cut_at_every_byte_ends_nothing(room: Room) -> None:
    before, whole = room.running(), CLASS.encode()
    assert room.file.read_bytes() == whole
    still_yaml = 0
    for end in range(len(whole) - 1):  # the last byte is the line break behind the end mark
        room.file.write_bytes(whole[:end])
        await room.looked()
        assert room.store.health.valid is False, f"cut at byte {end}"
        still_yaml += "`...` is gone" in str(room.store.health.problems[0])
    await room.undisturbed(before)
    assert still_yaml > 700, "many a cut is good YAML that names fewer users: that is what the mark is for"
    await room.says(whole)
    assert room.store.health.valid
    await room.undisturbed(before)


def rubbish() -> Iterator[tuple[str, bytes | None]]:
    chance = random.Random(4)
    yield "deleted", None
    yield "emptied", b""
    yield "blank", b"\n\n# nothing\n"
    yield "nobody", b"version: 1\ngeneration: 1\nusers: {}\n...\n"
    yield "nobody, by somebody who knows no generation", b"version: 1\nusers:\n...\n"
    yield "all stopped", CLASS.replace(": {}", ": {state: stopped}").encode()
    yield "five left", CLASS.encode().replace(b"  6: ", b"...\n  6: ", 1)
    yield "the first half", (CLASS[: len(CLASS) // 2].rpartition("\n")[0] + "\n...\n").encode()
    yield "a default that is not there", CLASS.replace("standard}", "gone}").encode()
    yield "bytes", chance.randbytes(5000)
    yield "zeros", bytes(5000)
    yield "UTF-16", CLASS.encode("utf-16")
    yield "too large", CLASS.encode() + b"#" * 300_000
    yield "another file", b"services:\n  web: {image: nginx}\n"
    yield "HTML", b"<html><body>502 Bad Gateway</body></html>\n"
    yield (
        "a merge conflict",
        CLASS.replace("users:\n", "<<<<<<< HEAD\nusers:\n=======\nusers: {}\n>>>>>>> x\n").encode(),
    )
    yield "two documents", CLASS.encode() + CLASS.encode()
    yield "doubled", CLASS.replace("...\n", "").encode() + CLASS.partition("users:\n")[2].encode()
    yield "aliases", b"version: 1\nx: &a [1]\nusers: *a\n...\n"


async def test_rubbish_of_every_kind_ends_nothing(room: Room) -> None:
    before = room.running()
    for what, raw in rubbish():
        await room.says(raw)
        assert room.in_force() is False, what
        await room.undisturbed(before)
        await room.says(CLASS.encode())
        assert room.in_force() is True, what
        assert room.store.pending is None, what
    await room.undisturbed(before)


async def test_a_file_that_cannot_be_read_ends_nothing(room: Room) -> None:
    before = room.running()
    for link in ("", "nowhere", room.file.name):
        room.file.unlink()
        if link:
            room.file.symlink_to(link)
        else:
            room.file.mkdir()
        await room.looked()
        assert not room.store.health.valid
        await room.undisturbed(before)
        room.file.rmdir() if room.file.is_dir() else room.file.unlink()
        await room.says(CLASS.encode())


async def test_a_file_written_slowly_ends_nothing(room: Room) -> None:
    before, whole = room.running(), CLASS.replace("# row 9", "# the last row").encode()
    with room.file.open("wb") as file:
        for start in range(0, len(whole), 97):
            file.write(whole[start : start + 97])
            file.flush()
            await room.looked()
            await room.undisturbed(before)
    await room.looked()
    assert room.store.health.valid
    await room.undisturbed(before)


async def test_a_restart_over_a_bad_file_ends_nothing(room: Room, tmp_path: Path) -> None:
    before = room.running()
    for what, raw in rubbish():
        await room.says(raw)
        async with a_room(tmp_path, room.engine) as after:
            await eventually(lambda: room.engine.streams and after.store.founded)
            await after.looked()
            assert not after.store.health.valid, what
            await after.undisturbed(before)


@pytest.mark.parametrize("file_too", [True, False])
async def test_a_lost_state_folder_ends_nothing_unasked(room: Room, tmp_path: Path, file_too: bool) -> None:
    before = room.running()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if not file_too:
        (elsewhere / room.file.name).write_text(CLASS.partition("  6: ")[0] + "...\n")
    async with a_room(elsewhere, room.engine) as after:
        pending = await eventually(lambda: after.store.founded and after.store.pending)
        await after.undisturbed(before)
        assert len(pending.removes) == (100 if file_too else 95)
        calls = len(room.engine.calls)
        await asyncio.sleep(0.1)
        assert room.engine.calls[calls:] == []
        await after.store.approve(pending.id, "api 1")
        await eventually(lambda: len(after.running()) == (0 if file_too else 5))
