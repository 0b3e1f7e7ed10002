"""Callers at their worst, and disks that are full or may not be written: wishes are kept or refused, never lost."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import pytest_asyncio

from tests.faults.world import Want, World

CROWD = 1000
AT_ONCE = 100
NEWCOMERS = range(51, 56)


async def test_a_thousand_creates(world: World) -> None:
    """For one user, and for five; whoever is told to come back later has changed nothing."""
    for kind, users in (("for one user", NEWCOMERS[:1]), ("for five users", NEWCOMERS)):
        gate = asyncio.Semaphore(AT_ONCE)
        said: Counter[int] = Counter()

        async def one(n: int, users: range = users, gate: asyncio.Semaphore = gate, said: Counter[int] = said) -> None:
            async with gate:
                with contextlib.suppress(aiohttp.ClientError):
                    status, _ = await world.rig.create(users[n % len(users)])
                    said[status] += 1

        await asyncio.gather(*(one(n) for n in range(CROWD)))
        assert set(said) <= {200, 201, 202, 409, 429, 503}, said
        assert said[200] + said[201] + said[202] > 0
        world.wants |= dict.fromkeys(users, Want())
        await world.held("clients", f"1,000 creates at once {kind}", 1)
    await world.ask(dict.fromkeys(NEWCOMERS))
    await world.settles()


async def test_callers_that_misbehave(world: World) -> None:
    """Bodies that never end, heads that never come, and callers who leave: others are answered meanwhile."""
    port = world.lab.api_port
    head = "POST /create HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    body = '{"user_id": 56}'
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
    for _, writer in slow:
        writer.write(f"{head}Content-Length: 500\r\n\r\n".encode() + b'{"user_id": ')
    endless = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
    for _, writer in endless:
        writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    gone = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
    for _, writer in gone:
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.transport.abort()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        with contextlib.suppress(OSError):
            for _ in range(200):
                writer.write(b"400\r\n" + b" " * 1024 + b"\r\n")
                await writer.drain()
        with contextlib.suppress(OSError):
            return await reader.read(4096)
        return b""

    poured = await asyncio.gather(*(pour(reader, writer) for reader, writer in endless))
    assert all(not answer or b" 413 " in answer for answer in poured), poured
    await world.deeds()
    answers = await asyncio.gather(*(reader.read(4096) for reader, _ in slow))
    assert all(b" 408 " in answer for answer in answers), answers
    for _, writer in (*slow, *endless):
        writer.close()
    _, listed = await world.rig.call("GET", "/v1/users")
    declared = {row["user_id"] for row in listed["users"] if row["desired"] is not None}
    if 56 in declared:  # whoever left before the answer may have been heard, or not
        world.wants[56] = Want()
    await world.held("clients", "slow senders", len(slow))
    world.scorecard.record("clients", "endless bodies", len(endless))
    world.scorecard.record("clients", "gone after sending", len(gone))
    await world.ask({56: None})
    await world.settles()


@pytest_asyncio.fixture(loop_scope="session")
async def small(world: World) -> AsyncIterator[Path]:
    """The state folder moves to a file system of 2 MB, the desired state to one of its own below it; and back."""
    place = world.lab.folder / "small"
    place.mkdir(exist_ok=True)
    await world.rig.stop()
    run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place])
    run(["cp", "-a", world.lab.folder / "state", place])
    (place / "wish").mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place / "wish"])
    run(["cp", "-a", world.rig.wish, place / "wish"])
    wish, world.rig.wish = world.rig.wish, place / "wish" / world.rig.wish.name
    state = world.lab.folder / "state"
    await world.serve(MCM_STATE_DIR=str(place / "state"))
    yield place
    await world.rig.stop()
    run(["cp", "-a", f"{place}/state/.", state])
    run(["cp", "-a", world.rig.wish, wish])
    world.rig.wish = wish
    run(["umount", place / "wish", place])
    await world.serve()


async def test_a_disk_that_is_full(world: World, small: Path) -> None:
    """1, 2: a wish that cannot be kept is refused with 503, and the sessions go on; with room again it is taken."""
    fill(small)
    fill(small / "wish")
    text = world.rig.wish.read_text()
    for n in range(12, 22):
        status, said = await world.rig.call("PATCH", "/v1/users", {"users": {str(n): {}}})
        assert (status, said["code"]) == (503, "not_persisted")
    assert world.rig.wish.read_text() == text
    await asyncio.to_thread(world.hands)
    await world.held("files", "the disk is full", 10)
    (small / "filler").unlink()
    (small / "wish" / "filler").unlink()
    await world.deeds()
    await world.held("files", "the disk has room again", 1)


async def test_a_disk_that_is_read_only(world: World, small: Path) -> None:
    run(["mount", "-o", "remount,ro", small / "wish"])
    status, said = await world.rig.call("PATCH", "/v1/users", {"users": {"12": {}}})
    assert (status, said["code"]) == (503, "not_persisted")
    await asyncio.to_thread(world.hands)
    await world.held("files", "the disk is read-only", 1)
    run(["mount", "-o", "remount,rw", small / "wish"])
    await world.deeds()
    await world.held("files", "the disk can be written again", 1)


def run(command: Sequence[str | Path]) -> None:
    subprocess.run(command, check=True)


def fill(place: Path) -> None:
    with contextlib.suppress(OSError), (place / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(512))
