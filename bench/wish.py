"""What the desired state costs: an edit until something is done about it, and two writers' texts until they are one.

edit → action begun     from an editor's save to the engine call, debounce included         goal < 150 ms
merge, 100 users        an edit meets fifty changes: read, merge, splice, read again        goal < 20 ms
"""

from __future__ import annotations

import re
import statistics
import time
from datetime import datetime
from types import MappingProxyType

from bench.figure import Figure, Tell
from controller import merge, spec
from controller.model import DesiredState, Wish
from tests.rig import Rig
from tests.support import Lab, eventually

EDITS, MERGES = 15, 100
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


def _figure(name: str, seconds: list[float], goal: float) -> Figure:
    median = 1000 * statistics.median(seconds)
    worst = f"worst {1000 * max(seconds):.0f} ms"
    return Figure(name, f"{median:.0f} ms", "", median, f"goal under {goal:g} ms ({worst})", median < goal)


async def measure(lab: Lab, tell: Tell) -> None:
    rig = Rig(lab)
    await rig.start()
    try:
        tell(_figure("edit → action begun", await edit_to_action(rig), 150))
    finally:
        await rig.close()
    tell(_figure("merge, 100 users, 50 differ", merge_of_a_hundred(), 20))
