"""A caller and an editor write at the same time, and the controller is killed again and again: nothing said is lost.

The store runs in a process of its own, on a real disk. Every word is new, so a lost or a revived one shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from controller import spec
from tests.support import eventually

CALLERS, EDITORS, SHARED = range(1, 5), range(11, 15), range(21, 25)
"""Users of whom only the API speaks, only the editor, and both."""
WORDS, KILLS = 600, 6
START = "# the lab\nversion: 1\ngeneration: 1\nusers:\n" + "".join(
    f'  {n}: {{session_id: "first-{n}"}}   # seat {n}\n' for n in (*CALLERS, *EDITORS, *SHARED)
)
SERVANT = """
import asyncio, sys
from pathlib import Path
from controller.model import Wish
from controller.store import history, wish_store
from controller.store.disk import FileHome
from tests.fake_store import terms

history.KEPT = 10**6

async def main():
    store = wish_store.WishStore(FileHome(Path(sys.argv[1])), Path(sys.argv[2]), terms(settle_seconds=0.002))
    await store.load()
    task = asyncio.create_task(store.run())
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        user, word = line.split()
        await store.change(int(user), lambda _: Wish(session_id=word), "api " + word)
        print(word, flush=True)

asyncio.run(main())
"""


@dataclass
class Race:
    file: Path
    state: Path
    chance: random.Random
    servant: asyncio.subprocess.Process | None = None
    words: int = 0
    said: dict[int, list[str]] = field(default_factory=dict)
    """By user: the words that somebody said, in order; with `acknowledged` those that held."""
    acknowledged: set[str] = field(default_factory=set)
    opened_at: dict[str, int] = field(default_factory=dict)
    """The generation that an editor's word was written into."""
    kills: int = 0

    def new_word(self, user_id: int) -> str:
        self.words += 1
        word = f"w{self.words}"
        self.said.setdefault(user_id, []).append(word)
        return word

    @property
    def over(self) -> bool:
        return self.words >= WORDS and self.kills >= KILLS

    # ------------------------------------------------------------ the writers

    async def call(self) -> None:
        while not self.over:
            servant = self.servant
            if servant is None or servant.stdin is None or servant.stdout is None:
                await asyncio.sleep(0.01)
                continue
            user_id = self.chance.choice([*CALLERS, *SHARED])
            word = self.new_word(user_id)
            servant.stdin.write(f"{user_id} {word}\n".encode())
            if (await servant.stdout.readline()).decode().strip() == word:
                self.acknowledged.add(word)
            else:
                self.servant = None  # killed, with the word under way

    async def edit(self) -> None:
        while not self.over:
            opened = self.read()
            user_id = self.chance.choice([*EDITORS, *SHARED])
            word = self.new_word(user_id)
            self.opened_at[word] = generation = _generation(opened)
            await asyncio.sleep(self.chance.random() * 0.02)
            fresh = self.file.with_name("edited~")
            line = re.compile(rf'^(  {user_id}: {{session_id: )"[^"]*"', re.MULTILINE)
            fresh.write_text(line.sub(rf'\1"{word}"', opened))
            fresh.replace(self.file)
            await eventually(lambda: self._taken(word, generation), 30, every=0.005)  # noqa: B023
            self.acknowledged.add(word)

    def _taken(self, word: str, generation: int) -> bool:
        text = self.read()
        return _generation(text) > generation and (f'"{word}"' in text or self._in_history(word))

    def _in_history(self, word: str) -> bool:
        with contextlib.closing(sqlite3.connect(self.state / "history.sqlite3")) as database:
            return bool(database.execute("SELECT 1 FROM generations WHERE text LIKE ?", (f'%"{word}"%',)).fetchone())

    def read(self) -> str:
        """Whoever looks, whenever: the file is whole and good."""
        text = self.file.read_text()
        spec.parse(text, max_users=100, profiles=None, end_mark=True)
        return text

    # ------------------------------------------------------------ the controller's life

    async def kill(self) -> None:
        while not self.over:
            async with self.serving() as servant:
                await eventually(lambda: self.words >= WORDS * (self.kills + 1) // (KILLS + 1), 120)
                await asyncio.sleep(self.chance.random() * 0.05)
                servant.send_signal(signal.SIGKILL)
                await servant.wait()
            self.kills += 1

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[asyncio.subprocess.Process]:
        servant = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SERVANT, str(self.file), str(self.state)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": "."},
        )
        assert servant.stdout is not None
        assert (await servant.stdout.readline()) == b"ready\n"
        self.servant = servant
        try:
            yield servant
        finally:
            self.servant = None
            if servant.returncode is None:
                servant.kill()
                await servant.wait()


def _generation(text: str) -> int:
    return spec.stored(text).generation


async def test_three_at_once_and_kills_in_between_lose_nothing(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    race = Race(tmp_path / "desired_state.yaml", tmp_path / "state", random.Random(seed))
    race.state.mkdir()
    race.file.write_text(START + "...\n")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(race.kill())
        caller, editor = tasks.create_task(race.call()), tasks.create_task(race.edit())
        await eventually(lambda: race.over, 120)
        async with race.serving():
            await asyncio.gather(caller, editor)
    async with race.serving():
        pass

    with contextlib.closing(sqlite3.connect(race.state / "history.sqlite3")) as database:
        rows = database.execute("SELECT number, writer, text FROM generations ORDER BY number").fetchall()
        told = database.execute("SELECT generation, user_id, message FROM events WHERE kind = 'conflict'").fetchall()
    assert [number for number, _, _ in rows] == list(range(1, len(rows) + 1)), "the history is complete"
    texts = {number: spec.stored(text) for number, _, text in rows}
    assert spec.stored(race.read()) == texts[len(rows)]

    for user_id, words in race.said.items():
        held = [texts[n].users[user_id].session_id for n in texts]
        for word in words:
            assert word in held or word not in race.acknowledged, f"{word} of {user_id} was acknowledged and is lost"
        assert all(len(_runs(held, word)) <= 1 for word in words), "none comes back that somebody replaced"
        if user_id not in SHARED:
            last = max(words.index(word) for word in words if word in race.acknowledged)
            assert held[-1] in words[last:], f"the last word of {user_id} was {words[last]}, and {held[-1]} holds"

    conflicts = []
    for number, writer, _ in rows[1:]:
        for user_id in SHARED if writer == "file" else ():
            now, was = (texts[n].users[user_id].session_id or "" for n in (number, number - 1))
            if now != was and now in race.opened_at:
                began = texts[race.opened_at[now]].users[user_id].session_id
                if was not in (began, now):
                    conflicts.append((number, user_id, f"kept {now}, lost {was}"))
    reported = [(number, user_id, message.rpartition(": ")[2]) for number, user_id, message in told]
    assert sorted(reported) == sorted(conflicts)
    print(f"{len(rows)} generations, {len(race.acknowledged)} words acknowledged, {len(conflicts)} conflicts")
    assert conflicts, "both spoke of the same user at once, now and then"


def _runs(held: list[str | None], word: str) -> list[int]:
    """Where a word came to hold."""
    return [n for n, each in enumerate(held) if each == word and (n == 0 or held[n - 1] != word)]
