"""A mistake in the file ends no session, and what would end many waits; on real containers."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable
from typing import Any

from tests.rig import Rig
from tests.support import Lab, eventually

USERS = range(1, 6)


def runs(lab: Lab) -> dict[str, str]:
    """Containers that run, each with the moment of its start: the same ones mean the same sessions."""
    return {
        str(c.name): c.attrs["State"]["StartedAt"] for c in lab.containers() if c.attrs["State"]["Status"] == "running"
    }


async def overview(rig: Rig) -> Any:
    return (await rig.call("GET", "/v1/status"))[1]


async def post(rig: Rig, path: str, body: object) -> Any:
    status, answer = await rig.call("POST", path, body)
    assert status == 200, answer
    return answer


async def test_sessions_outlive_every_mistake_and_leave_when_somebody_approves(rig: Rig, lab: Lab) -> None:
    text = rig.wish.read_text().replace("users: {}", "users:\n" + "".join(f"  {n}: {{}}\n" for n in USERS).rstrip())
    rig.wish.write_text(text)
    await eventually(lambda: len(runs(lab)) == len(USERS), 60)
    before, good = runs(lab), rig.wish.read_text()
    for pieces, pause in ((list(good), 0.01), (good.splitlines(keepends=True), 0.2)):
        await write_slowly(rig, pieces, pause)
        await eventually(lambda: _valid(rig, True))
        assert runs(lab) == before
    assert "desired state refused" in rig.log(), "it was looked at meanwhile"

    mistakes: dict[str, Callable[[], object]] = {
        "deleted": rig.wish.unlink,
        "emptied": lambda: rig.wish.write_text(""),
        "cut": lambda: rig.wish.write_text(good[: good.index("  3: {}")]),
        "rubbish": lambda: rig.wish.write_bytes(bytes(range(256))),
        "all but one gone": lambda: rig.wish.write_text(good[: good.index("  2: {}")] + "...\n"),
    }
    for what, make in mistakes.items():
        rig.wish.write_text(good)
        await eventually(lambda: _valid(rig, True))
        make()
        await eventually(lambda: _valid(rig, False))
        assert runs(lab) == before, what

    waiting = await eventually(lambda: _pending(rig))
    assert waiting["removes"] == [2, 3, 4, 5]
    await rig.stop(signal.SIGKILL)
    await rig.start()
    assert (await overview(rig))["pending"] == waiting, "it waits across a restart"
    await rig.call("GET", "/v1/plan")
    assert runs(lab) == before

    await post(rig, "/v1/pause", {"user_ids": [1]})
    waiting = (await overview(rig))["pending"]
    await post(rig, "/v1/approve", {"id": waiting["id"]})
    await eventually(lambda: list(runs(lab)) == [lab.name(1)], 60)
    lab.container(1).kill()
    await eventually(lambda: _status(rig, 1, "exited"))
    await rig.call("GET", "/v1/users/1")
    assert runs(lab) == {}, "paused by hand, left alone"
    await post(rig, "/v1/resume", {})
    await post(rig, "/v1/resume", {"user_ids": [1]})
    await eventually(lambda: list(runs(lab)) == [lab.name(1)], 60)

    before = runs(lab)
    await rig.stop()
    rig.wish.unlink()
    shutil.rmtree(lab.folder / "state")
    await rig.start()
    waiting = await eventually(lambda: _pending(rig))
    assert (waiting["source"], waiting["removes"]) == ("start", [1])
    await rig.call("GET", "/v1/users/1")
    assert runs(lab) == before, "nobody remembers it, so nobody ends it"
    await post(rig, "/v1/reject", {"id": waiting["id"]})
    await post(rig, "/v1/resume", {"user_ids": [1]})
    _, user = await rig.call("GET", "/v1/users/1")
    assert user["desired"]["state"] == "running"
    assert runs(lab) == before


async def write_slowly(rig: Rig, pieces: list[str], pause: float) -> None:
    """Over what was there, so that the file says less than it should for as long as that takes."""
    with rig.wish.open("w") as file:
        for piece in pieces:
            file.write(piece)
            file.flush()
            await asyncio.sleep(pause)


async def _valid(rig: Rig, valid: bool) -> bool:
    return bool((await overview(rig))["desired_state"]["valid"] is valid)


async def _pending(rig: Rig) -> Any:
    return (await overview(rig))["pending"]


async def _status(rig: Rig, user_id: int, status: str) -> bool:
    return (await rig.statuses()).get(user_id) == status
