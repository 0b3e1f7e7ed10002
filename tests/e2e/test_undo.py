"""A change that was good and still wrong is taken back, and the class is as it was; on real containers."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.e2e.test_git import follow
from tests.git_world import Forge
from tests.rig import Rig
from tests.shell import run
from tests.support import Lab, eventually

CLASS = {1: "first", 2: "second", 3: "third", 4: "fourth"}
ROWS = "".join(f'  {n}: {{session_id: "{name}"}}   # seat {n}\n' for n, name in CLASS.items())
SLIP = re.sub(r"(  [34]: {)", r"\1state: stopped, ", ROWS[ROWS.index("  2:") :])
"""One user gone, two stopped: few enough to pass the brake."""
ALL = {str(n): name for n, name in CLASS.items()}


def seats(lab: Lab) -> dict[str, str]:
    """Who runs, with the session id that its container was made for."""
    return {
        str(c.name).removeprefix(lab.prefix): c.labels["mcm.session-id"]
        for c in lab.containers()
        if c.attrs["State"]["Status"] == "running"
    }


async def shown(rig: Rig, *words: str) -> str:
    """What `matlabctl` prints."""
    done = await asyncio.to_thread(run, rig.lab.folder, *words, "--server", rig.url)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_git_revert_brings_the_class_back_and_why_names_the_commit(
    idle_rig: Rig, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge = Forge(tmp_path, f"version: 1\nusers:\n{ROWS}")
    follow(idle_rig, forge, monkeypatch)
    await idle_rig.start()
    await eventually(lambda: seats(lab) == ALL, 60)

    bad = forge.ann.publish(ROWS, SLIP, "the wrong list")
    await eventually(lambda: seats(lab) == {"2": "second"}, 60)
    forge.ann.git("revert", "--no-edit", bad)
    forge.ann.push()
    await eventually(lambda: seats(lab) == ALL, 60)
    [commit] = forge.log("%H")[:1]
    for user in ("1", "3"):
        told = await shown(idle_rig, "why", user)
        assert re.search(rf"asked +running, .* by commit {commit[:12]} by Ann <ann@example.org>", told), told


async def test_rollback_brings_the_class_back_and_why_names_it(rig: Rig, lab: Lab) -> None:
    rig.wish.write_text(rig.wish.read_text().replace("users: {}\n", f"users:\n{ROWS}"))
    await eventually(lambda: seats(lab) == ALL, 60)
    good = rig.wish.read_text()

    rig.wish.write_text(good.replace(ROWS, SLIP))
    await eventually(lambda: seats(lab) == {"2": "second"}, 60)
    assert re.search(r"^2 .* adds 1-4$", await shown(rig, "history"), re.MULTILINE)
    await shown(rig, "rollback", "2")
    await eventually(lambda: seats(lab) == ALL, 60)
    assert rig.wish.read_text() == good.replace("generation: 2", "generation: 4")
    for user in ("1", "3"):
        told = await shown(rig, "why", user)
        assert re.search(r"asked +running, .* rollback to 2 in generation 4", told), told
