"""What was acknowledged is on disk: a write is killed, or its disk fails, at each system call that it makes."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import pytest

from controller import spec
from controller.store.disk import leftovers
from tests.faults.scorecard import Scorecard
from tests.race_world import SERVANT, Race
from tests.rig import ROOT

CALLS = (
    *("openat", "write", "fsync", "fdatasync", "pwrite64", "renameat2", "rename", "link", "unlink", "unlinkat"),
    *("ftruncate", "fchmod", "fchown", "fcntl"),
)
"""System calls of a write: of the file and its folder, and of SQLite's journal."""
HARM = {
    "SIGKILL at a system call of a write": "signal=SIGKILL",
    "the disk fails (EIO) at a system call of a write": "error=EIO",
    "the disk is full (ENOSPC) at a system call of a write": "error=ENOSPC",
}
ONE_BY_ONE = "from concurrent.futures import ThreadPoolExecutor\n" + SERVANT.replace(
    "async def main():\n",
    "async def main():\n    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))\n",
)
"""All that blocks in one thread: the debugger counts the calls of each for itself."""
USERS = (1, 2)
START = "version: 1\ngeneration: 1\nusers:\n  1: {session_id: first}   # seat\n  2: {session_id: first}\n...\n"


class Victim:
    """A store in a process of its own, as `race_world` has it, and a debugger that does it harm."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "wish.yaml"
        self._state = folder / "state"
        self._process: Process | None = None
        self._state.mkdir()
        self.file.write_text(START)

    async def live(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ONE_BY_ONE, "file", str(self.file), str(self._state)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "."},
        )
        assert await self._hear() == "ready"

    async def say(self, user_id: int, word: str) -> str:
        """Its answer; empty: it did not live to give one."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"say {user_id} {word}\n".encode())
        return await self._hear()

    async def _hear(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            return (await self._process.stdout.readline()).decode().strip()

    async def harmed(self, call: str, nth: int | str, harm: str, user_id: int, word: str) -> tuple[str, bool]:
        """What it says to its last write, during which this happens at the nth of these calls (`1+`: at all); and
        whether it did."""
        assert self._process is not None
        debugger = await asyncio.create_subprocess_exec(
            *("strace", "-f", "-e", f"trace={call}", "-e", f"inject={call}:{harm}:when={nth}"),
            *("-p", str(self._process.pid)),
            stderr=PIPE,
        )
        assert debugger.stderr is not None
        assert b"attached" in await debugger.stderr.readline()
        answer = await self.say(user_id, word)
        await self.end()
        traced = (await debugger.stderr.read()).decode(errors="replace")
        await debugger.wait()
        return answer, "INJECTED" in traced or not answer

    async def end(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def word(self, user_id: int) -> str | None:
        return spec.parse(self.file.read_text(), max_users=100, profiles=None, end_mark=True).users[user_id].session_id


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (`apt-get install strace`)")
@pytest.mark.parametrize("kind", HARM)
async def test_a_write_at_each_of_its_system_calls(tmp_path: Path, scorecard: Scorecard, kind: str) -> None:
    victim = Victim(tmp_path)
    held = dict.fromkeys(USERS, "first")
    points = spoken = 0
    await victim.live()
    for call in CALLS:
        nth = survived = 0
        while survived < 2:  # the first may have come to a thread that was busy with something else
            nth += 1
            spoken += 1
            word, user_id = f"w{spoken}", USERS[spoken % 2]
            answer, happened = await victim.harmed(call, nth, HARM[kind], user_id, word)
            points += happened
            survived = 0 if happened else survived + 1
            await victim.live()
            now = {n: victim.word(n) for n in USERS}
            where = f"{call} {nth}: {answer!r}"
            if answer == word:
                held[user_id] = word
                assert now == held, f"1: acknowledged, and lost: {where}"
            elif answer.startswith("refused: "):
                assert now == held, f"2: refused, and done: {where}"
            else:
                assert now in (held, {**held, user_id: word}), f"2: neither the old nor the new: {where}"
                held[user_id] = str(now[user_id])
            assert not leftovers(victim.file), where
    await victim.end()
    assert points, "no harm was done"
    scorecard.record("durability", kind, points)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (`apt-get install strace`)")
async def test_a_write_whose_end_is_not_known_is_not_answered_as_refused(tmp_path: Path) -> None:
    """Its sync fails, and that of the write which is to take its place."""
    victim = Victim(tmp_path)
    await victim.live()
    answer, _ = await victim.harmed("fdatasync", "1+", "error=EIO", 1, "second")
    assert answer.startswith("in doubt: "), answer
    await victim.live()
    assert victim.word(1) in ("first", "second")
    assert await victim.say(1, "third") == "third"
    await victim.end()


async def test_ten_thousand_acknowledged_writes(tmp_path: Path, scorecard: Scorecard) -> None:
    """Killed forty times on the way; the last word that was acknowledged holds, or one said after it."""
    (tmp_path / "state").mkdir()
    place = tmp_path / "wish.yaml"
    place.write_text("version: 1\ngeneration: 1\nusers:\n" + "".join(f"  {n}: {{}}\n" for n in range(1, 9)) + "...\n")
    race = Race("file", place, tmp_path / "state", words=10_100, kills=40)
    await race.run(race.call(range(1, 9), 0.0))
    assert len(race.acknowledged) >= 10_000
    said = {word for states in race.history().values() for word in (w.session_id for w in states[1].users.values())}
    assert race.acknowledged <= said, "1: acknowledged, and never in force"
    in_file = spec.parse(place.read_text(), max_users=100, profiles=None, end_mark=True)
    for user_id, words in race.said.items():
        last = max(n for n, word in enumerate(words) if word in race.acknowledged)
        assert in_file.users[user_id].session_id in words[last:], f"1: user {user_id} has lost {words[last]}"
    kind = f"SIGKILL among {len(race.acknowledged):,} acknowledged writes"
    scorecard.record("durability", kind, race.killed, seed=race.seed)
