"""Writers that race for one desired state, and a store in a process of its own that is killed again and again.

Every word is a session id that was never said before, so one that is lost, or comes back, shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path

from controller import spec
from controller.model import DesiredState
from tests.support import eventually

LENGTH = int(os.environ.get("RACE", "1"))
"""How many times longer than they need to be to meet at all: `make race` says."""
SERVANT = """
import asyncio, json, sys
from pathlib import Path
from controller.errors import InDoubt, NotPersisted
from controller.model import Wish
from controller.store import history
from controller.store.disk import FileHome
from controller.store.git_home import Branch, GitHome
from controller.store.wish_store import WishStore
from tests.fake_store import terms

history.KEPT = history.EVENTS_KEPT = 10**6  # whoever judges the race reads all of it

async def main():
    kind, place, state = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    branch = Branch(place, "main", "wish.yaml", 1, write=True)
    home = FileHome(Path(place)) if kind == "file" else GitHome(branch, state / "git")
    store = WishStore(home, state, terms(settle_seconds=0.002))
    await store.load()
    task = asyncio.create_task(store.run())
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        match line.split():
            case ["say", user, word]:
                try:
                    await store.change(int(user), lambda _: Wish(session_id=word), "api " + word)
                    print(word, flush=True)
                except InDoubt as error:
                    print("in doubt:", error, flush=True)
                except NotPersisted as error:
                    print("refused:", error, flush=True)
            case _:
                print(json.dumps(store.text), flush=True)

asyncio.run(main())
"""


class Race:
    """What was said, by user and in order, and which of it is known to have been in force."""

    def __init__(self, kind: str, place: Path, state: Path, *, words: int, kills: int) -> None:
        self._servant_of = [kind, str(place), str(state)]
        self._state = state
        self._stderr = state.with_name("servant.log")
        self._words, self._kills = words * LENGTH, kills * LENGTH
        self._servant: asyncio.subprocess.Process | None = None
        self._speaking = asyncio.Lock()
        self.seed = random.SystemRandom().randrange(2**32)
        print(f"seed {self.seed}")
        self.chance = random.Random(self.seed)
        self.said: dict[int, list[str]] = {}
        self.acknowledged: set[str] = set()
        self.count = self.killed = self.lives = 0

    def new_word(self, users: Sequence[int]) -> tuple[int, str]:
        user_id = self.chance.choice(users)
        self.count += 1
        self.said.setdefault(user_id, []).append(f"w{self.count}")
        return user_id, f"w{self.count}"

    @property
    def over(self) -> bool:
        return self.count >= self._words and self.killed >= self._kills

    async def run(self, *writers: Coroutine[None, None, None]) -> None:
        """Let them all write until enough was said and killed, then let each finish what it began."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._kill())
            await eventually(lambda: self.lives)
            running = [tasks.create_task(writer) for writer in writers]
            await eventually(lambda: self.over, 1200)
            async with self._serving():
                await asyncio.gather(*running)
        async with self._serving():
            pass

    # ------------------------------------------------------------ the controller's life

    async def ask(self, question: str) -> str | None:
        """What the store answers; `None`: it was killed meanwhile, or there is none just now."""
        async with self._speaking:
            servant = self._servant
            if servant is None or servant.stdin is None or servant.stdout is None:
                await asyncio.sleep(0.01)
                return None
            servant.stdin.write(f"{question}\n".encode())
            answer = (await servant.stdout.readline()).decode().strip()
            if not answer:
                self._servant = None
            return answer or None

    async def text(self) -> str | None:
        """The text in force, as `matlabctl export` gives it."""
        answer = await self.ask("text")
        return None if answer is None else str(json.loads(answer))

    async def call(self, users: Sequence[int], pause: float) -> None:
        """The API's callers: each says a word and waits for the answer."""
        while not self.over:
            await asyncio.sleep(self.chance.random() * pause)
            if self._servant is None:
                continue
            user_id, word = self.new_word(users)
            if await self.ask(f"say {user_id} {word}") == word:
                self.acknowledged.add(word)

    async def _kill(self) -> None:
        while not self.over:
            async with self._serving() as servant:
                share = (self.killed + 1) / (self._kills + 1)
                await eventually(lambda: self.count >= self._words * share, 600)  # noqa: B023
                await asyncio.sleep(self.chance.random() * 0.2)
                servant.send_signal(signal.SIGKILL)
                await servant.wait()
            self.killed += 1

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[asyncio.subprocess.Process]:
        with self._stderr.open("ab") as said:
            servant = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", SERVANT, *self._servant_of),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=said,
                cwd=Path(__file__).parents[1],
                env={**os.environ, "PYTHONPATH": "."},
                limit=2**20,
            )
        assert servant.stdout is not None
        assert (await servant.stdout.readline()) == b"ready\n", self._stderr.read_text()[-4000:]
        self._servant = servant
        self.lives += 1
        try:
            yield servant
        finally:
            self._servant = None
            if servant.returncode is None:
                servant.kill()
                await servant.wait()

    # ------------------------------------------------------------ what came of it

    def history(self) -> dict[int, tuple[str, DesiredState]]:
        """Each generation's writer and state, oldest first; there is none missing."""
        with contextlib.closing(sqlite3.connect(self._state / "history.sqlite3")) as database:
            rows = database.execute("SELECT number, writer, text FROM generations ORDER BY number").fetchall()
        assert [number for number, _, _ in rows] == list(range(1, len(rows) + 1)), "the history is complete"
        return {number: (writer, spec.stored(text)) for number, writer, text in rows}

    def conflicts(self) -> list[tuple[int, int, str]]:
        """Those that were reported: generation, user, and both values."""
        with contextlib.closing(sqlite3.connect(self._state / "history.sqlite3")) as database:
            told = database.execute(
                "SELECT generation, user_id, message FROM events WHERE kind = 'conflict'"
            ).fetchall()
        return sorted((number, user_id, message.rpartition(": ")[2]) for number, user_id, message in told)

    def judge(self, held: dict[int, list[str | None]], alone: Sequence[int]) -> None:
        """By what each user's word was, state after state: nothing acknowledged is lost, nothing lost comes back.

        Args:
            alone: users of whom one writer speaks only, so that the last word acknowledged, or one after it, must hold.
        """
        for user_id, words in self.said.items():
            was = held[user_id]
            for word in words:
                assert word in was or word not in self.acknowledged, f"{word} of {user_id} is lost"
                begins = [n for n, each in enumerate(was) if each == word and (n == 0 or was[n - 1] != word)]
                assert len(begins) <= 1, f"{word} of {user_id} came back"
            known = [words.index(word) for word in words if word in self.acknowledged]
            if user_id in alone and known:
                assert was[-1] in words[max(known) :], f"{words[max(known)]} of {user_id} does not hold, but {was[-1]}"
