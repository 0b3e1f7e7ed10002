"""`matlabctl` on a real controller and real containers, as somebody would use it in their first minutes."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess

from tests.rig import Rig
from tests.shell import run
from tests.support import eventually


async def test_a_first_session_by_matlabctl(rig: Rig) -> None:
    own = {name: value for name, value in rig.environment().items() if name.startswith("MCM_")}

    async def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(run, rig.lab.folder, *words, **own)

    made = await ask("create", "1-2")
    assert made.returncode == 0, made.stdout + made.stderr
    assert re.search(rf"^user 2: ready .* http://127.0.0.1:{rig.lab.http_base + 2}/$", made.stdout, re.M)

    async def all_idle() -> bool:
        told = json.loads((await ask("health", "-o", "json")).stdout)["users"]
        return [each["interpreter"] for each in told] == ["idle", "idle"]

    await eventually(all_idle)  # busy at first, with what comes before its first prompt
    assert "session ready" in (await ask("logs", "1")).stdout

    (rig.lab.folder / "seen.json").write_text((await ask("get", "-o", "json")).stdout)
    offline = ("plan", str(rig.wish), "--observed", "seen.json")
    assert (await ask(*offline)).stdout == "Nothing is to be done: all is as wanted.\n"
    assert (await ask("stop", "1")).returncode == 0
    assert re.search(r"user 1 +stop +wanted stopped", (await ask(*offline)).stdout)
    assert "user 1  {state: stopped} → {}" in (await ask("rollback", "2")).stdout
    assert (await ask("start", "1")).stdout.startswith("user 1: ready")
    assert re.search(r"asked +running, .* rollback to 2 in generation 4", (await ask("why", "1")).stdout)
