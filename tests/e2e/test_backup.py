"""A controller lost and brought back from its backup; on real containers."""

from __future__ import annotations

import asyncio
import shutil

from tests.rig import Rig
from tests.shell import run
from tests.support import Lab, eventually


async def test_a_lost_controller_comes_back_and_ends_no_session_that_the_backup_does_not_know(
    rig: Rig, lab: Lab
) -> None:
    folder, own = lab.folder, rig.environment()
    for user in (1, 2):
        await rig.create(user, session_id=f"seat-{user}")
    secret = (folder / "state" / "token-secret").read_bytes()
    done = await asyncio.to_thread(run, folder, "backup", "kept.tar.gz", **own)
    assert (done.returncode, done.stderr) == (0, "")
    assert "generation 3." in done.stdout
    assert (folder / "kept.tar.gz").stat().st_mode & 0o777 == 0o600

    await rig.create(3)
    refused = await asyncio.to_thread(run, folder, "restore", "kept.tar.gz", "--replace", **own)
    assert refused.returncode == 1
    assert "Another controller (process " in refused.stderr
    await rig.stop()
    ids = {c.id for c in lab.containers()}
    shutil.rmtree(folder / "state")
    rig.wish.unlink()
    done = await asyncio.to_thread(run, folder, "restore", "kept.tar.gz", **own)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert (folder / "state" / "token-secret").read_bytes() == secret

    await rig.start()
    _, overview = await eventually(lambda: _waits(rig))
    assert "nobody asked for the end of 3" in overview["pending"]["why"]
    assert {c.id for c in lab.containers()} == ids
    assert all(c.status == "running" for c in lab.containers())
    _, user = await rig.call("GET", "/v1/users/2")
    assert user["desired"]["session_id"] == "seat-2"
    _, history = await rig.call("GET", "/v1/history")
    assert [row["summary"] for row in history["generations"]] == ["adds 3", "adds 2", "adds 1", "no change"]
    await asyncio.to_thread(run, folder, "approve", **own)
    await eventually(lambda: {c.name for c in lab.containers()} == {lab.name(1), lab.name(2)})


async def _waits(rig: Rig) -> object:
    status, overview = await rig.call("GET", "/v1/status")
    return (status, overview) if overview["pending"] else None
