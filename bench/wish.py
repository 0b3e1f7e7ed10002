"""What the desired state costs: an edit until something is done about it, and two writers' texts until they are one.

edit → action begun     from an editor's save to the engine call, debounce included         goal < 150 ms
merge, 100 users        an edit meets fifty changes: read, merge, splice, read again        goal < 20 ms
plan, 100 users         `matlabctl plan FILE --observed SEEN`, from its start to its exit   goal < 1 s
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from datetime import datetime
from types import MappingProxyType

from bench.figure import Figure, Tell
from controller import merge, spec
from controller.model import DesiredState, Wish
from tests.rig import ROOT, Rig
from tests.support import Lab, eventually

EDITS, MERGES, PLANS = 15, 100, 10
USERS = range(1, 101)
TEXT = (
    "# the lab\nversion: 1\ngeneration: 1\nusers:\n"
    + "".join(f'  {n}: {{profile: standard, session_id: "seat-{n}"}}   # row {n // 10}\n' for n in USERS)
    + "...\n"
)


async def edit_to_action(rig: Rig) -> list[float]:
    """Seconds from an editor's save to the start of what it asks for, each of a new user, debounce included.

    The controller must run with nobody in its file. What it logs when an action is done tells how long that took, so
    the beginning is known without asking the controller anything.
    """
    taken: list[float] = []
    for n in range(1, EDITS + 2):
        text = rig.wish.read_text()
        users = re.sub(r"^users:.*\n", "users:\n", text, count=1, flags=re.MULTILINE)
        fresh = rig.wish.with_name("edited~")
        fresh.write_text(users.replace("users:\n", f"users:\n  {n}: {{}}\n", 1))
        saved = time.time()
        fresh.replace(rig.wish)
        line = await eventually(lambda: _line_of(rig, n), 30)  # noqa: B023
        done = datetime.fromisoformat(line.split()[0]).timestamp()
        took = float(re.findall(r" ms=(\d+)", line)[0]) / 1000
        taken.append(done - took - saved)
    return taken[1:]  # the first warms up


def _line_of(rig: Rig, user_id: int) -> str:
    lines = [line for line in rig.log().splitlines() if f"action done user={user_id} action=create" in line]
    return lines[0] if lines else ""


def merge_of_a_hundred() -> list[float]:
    """Seconds for an edit of a hundred users' file that meets changes made since: read, merge, write, read again."""
    base = spec.parse(TEXT, max_users=100, profiles=None)
    since = {n: Wish(profile="standard", session_id=f"later-{n}") for n in range(1, 51)}
    current = DesiredState(51, None, MappingProxyType({**base.users, **since}))
    taken: list[float] = []
    for n in range(MERGES):
        edited = TEXT.replace("{profile: standard, ", "{state: stopped, ").replace("# the lab", f"# lab {n}")
        began = time.perf_counter()
        theirs = spec.parse(edited, max_users=100, profiles={"standard"}, end_mark=True)
        after, _ = merge.adopted(current, base, theirs)
        text = spec.edit(edited, theirs, after)
        taken.append(time.perf_counter() - began)
        assert 'session_id: "later-50"' in text
    return taken


async def plan_of_a_hundred(rig: Rig) -> list[float]:
    """Seconds of a fresh process that plans for a hundred users without a controller.

    The controller must run and have somebody in its file: what is seen of this one is what is seen of each, so that
    there is something to do for nearly all.
    """
    _, answer = await rig.call("GET", "/v1/users")
    seen, file = rig.lab.folder / "seen.json", rig.lab.folder / "hundred.yaml"
    users = [answer["users"][0] | {"user_id": n} for n in USERS]
    seen.write_text(json.dumps({"users": users}))
    rows = "".join(f"  {n}: {{}}\n" for n in USERS)
    file.write_text(f"version: 1\nusers:\n{rows}...\n")
    words = ("plan", str(file), "--observed", str(seen), "--config", str(rig.lab.folder / "controller.yaml"))

    def planned() -> float:
        command = [sys.executable, "-m", "controller", *words]
        began = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, env=rig.environment(), capture_output=True, text=True, check=False)
        took = time.perf_counter() - began
        assert done.returncode == 2, done.stderr
        assert "for users 2-100." in done.stdout, done.stdout[-500:]
        return took

    return [await asyncio.to_thread(planned) for _ in range(PLANS)]


def _figure(name: str, seconds: list[float], goal: float) -> Figure:
    return Figure(name, "ms", [1000 * each for each in seconds], most=goal)


async def measure(lab: Lab, tell: Tell) -> None:
    rig = Rig(lab)
    await rig.start()
    try:
        tell(_figure("edit → action begun", await edit_to_action(rig), 150))
        planned = _figure("plan, 100 users, cold start", await plan_of_a_hundred(rig), 1000)
    finally:
        await rig.close()
    tell(_figure("merge, 100 users, 50 differ", merge_of_a_hundred(), 20))
    tell(planned)
