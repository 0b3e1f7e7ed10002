"""A caller, an editor and a git pull write one file, and the controller is killed again and again: nothing is lost.

The three all name the generation that they began from, or the store knows it, and it joins what they say. Two people
who save over each other before the controller could look are nothing that it could know of: whoever finds the own word
gone after somebody else's save says another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from controller import spec
from controller.errors import WishInvalid
from controller.model import DesiredState, Wish
from tests.git_world import Clone, git
from tests.race_world import Race
from tests.support import eventually

CALLERS, EDITORS, PULLERS, SHARED = range(1, 5), range(11, 15), range(31, 35), range(21, 25)
"""Users of whom only the API speaks, only the editor, only git, and all of them."""
EVERYBODY = [*CALLERS, *EDITORS, *PULLERS, *SHARED]
START = "# the lab\nversion: 1\ngeneration: 1\nusers:\n" + "".join(
    f'  {n}: {{session_id: "first-{n}"}}   # seat {n}\n' for n in EVERYBODY
)
NAME = "wish.yaml"


class Desk:
    """The folder with the file in it, which is a work tree of git as well, and those who save there."""

    def __init__(self, race: Race, folder: Path, remote: Path, state: Path) -> None:
        self._race = race
        self._folder = folder
        self._file = folder / NAME
        self._history = state / "history.sqlite3"
        self._ann = Clone(folder.parent / "ann", remote)
        self._last_save: object = None
        self.begun_at: dict[str, int] = {}
        """The generation that an editor's or a committer's word was written into."""
        self.gone = 0
        """Words that somebody else saved over, or that were set aside."""
        self.pulled: list[str] = []

    async def edit(self) -> None:
        while not self._race.over:
            opened = await eventually(self._opened, 60)
            user_id, word = self._race.new_word([*EDITORS, *SHARED])
            await asyncio.sleep(self._race.chance.random() * 0.06)
            await self._saved(word, opened, self._write(_with(opened, user_id, word)))

    def _write(self, text: str) -> Callable[[], Awaitable[object]]:
        async def by_renaming() -> None:
            fresh = self._file.with_name("edited~")
            fresh.write_text(text)
            fresh.replace(self._file)

        async def in_place() -> None:
            self._file.write_text(text)

        return self._race.chance.choice([by_renaming, in_place])

    async def commit_and_pull(self) -> None:
        """What is in force goes to the branch, a person changes it there, and git writes that to the server's file."""
        while not self._race.over:
            opened = await self._race.text()
            if opened is None:
                continue
            await asyncio.to_thread(self._publish, opened)
            user_id, word = self._race.new_word([*PULLERS, *SHARED])
            self.pulled.append(word)
            await asyncio.to_thread(self._ann.pull)
            await asyncio.to_thread(self._ann.commit, _with(self._ann.file.read_text(), user_id, word), f"say {word}")
            await asyncio.to_thread(self._ann.push)
            await asyncio.to_thread(git, self._folder, "fetch", "--quiet", "origin", "main")
            await self._saved(word, opened, self._checkout)

    def _publish(self, text: str) -> None:
        """Commit this text and push it; the file, which others are writing, is not touched for it."""
        git(self._folder, "reset", "--quiet", "--soft", "origin/main")
        blob = git(self._folder, "hash-object", "-w", "--stdin", given=text).strip()
        git(self._folder, "update-index", "--add", "--cacheinfo", f"100644,{blob},{NAME}")
        git(self._folder, "commit", "--quiet", "--allow-empty", "-m", "as it is")
        git(self._folder, "push", "--quiet", "origin", "HEAD:main")

    async def _checkout(self) -> None:
        """Git removes the file and makes it anew; where the controller was faster in between, it says so."""

        async def done() -> bool:
            await asyncio.to_thread(git, self._folder, "checkout", "--quiet", "FETCH_HEAD", "--", NAME)
            return True

        await eventually(done)

    def _opened(self) -> str | None:
        """The file, if the controller wrote it: whoever opens another's fresh save cannot tell whose is whose."""
        text = self._read()
        if text is None or spec.stored(text) != self._in_history(spec.stored(text).generation):
            return None
        return text

    async def _saved(self, word: str, opened: str, save: Callable[[], Awaitable[object]]) -> None:
        self.begun_at[word] = spec.stored(opened).generation
        self._last_save = mine = object()
        await save()
        over = 0.0
        lives = self._race.lives

        def known() -> bool:
            nonlocal over, lives
            if self._held(word):
                self._race.acknowledged.add(word)
                return True
            if self._last_save is mine and not self._set_aside(word):
                return False
            if not over or lives != self._race.lives:  # a killed controller looks again when it is back
                over, lives = time.monotonic(), self._race.lives
            self.gone += time.monotonic() - over > 1
            return time.monotonic() - over > 1

        await eventually(known, 60, every=0.005)

    def _held(self, word: str) -> bool:
        """Whether it was in force: in a generation that the file has reached."""
        text = self._read()
        if text is None:
            return False
        with contextlib.closing(sqlite3.connect(self._history)) as database:
            question = "SELECT 1 FROM generations WHERE number <= ? AND text LIKE ?"
            return bool(database.execute(question, (spec.stored(text).generation, f'%"{word}"%')).fetchone())

    def _set_aside(self, word: str) -> bool:
        """A file that is written in place is cut for a moment; caught then, it stays beside the one in force."""
        return any(f'"{word}"' in file.read_text() for file in self._folder.glob(f"{NAME}.rejected-*"))

    def _in_history(self, generation: int) -> object:
        with contextlib.closing(sqlite3.connect(self._history)) as database:
            row = database.execute("SELECT text FROM generations WHERE number = ?", (generation,)).fetchone()
        return None if row is None else spec.stored(row[0])

    def _read(self) -> str | None:
        """The file, where it is whole: an editor in place and git both write it a piece at a time."""
        try:
            text = self._file.read_text()
            spec.parse(text, max_users=100, profiles=None, end_mark=True)
        except (OSError, WishInvalid):
            return None
        return text


def _with(text: str, user_id: int, word: str) -> str:
    line = re.compile(rf'^(  {user_id}: {{session_id: )"[^"]*"', re.MULTILINE)
    changed = line.sub(rf'\1"{word}"', text)
    assert changed != text
    return changed


def _met(history: Mapping[int, tuple[str, DesiredState]], begun_at: Mapping[str, int]) -> list[tuple[int, int, str]]:
    """Where a word was written into a text from before another one, of whomever: generation, user, and both.

    A word that its writer took for gone may still come into force after the writer's next one was begun.
    """
    met = []
    for number, (writer, then) in history.items():
        for user_id in then.users if writer == "file" and number > 1 else ():
            was, now = (history[n][1].users[user_id].session_id or "" for n in (number - 1, number))
            if now != was and now in begun_at:
                began = history[begun_at[now]][1].users[user_id].session_id
                if was not in (began, now):
                    met.append((number, user_id, f"kept {now}, lost {was}"))
    return sorted(met)


def test_two_words_of_one_writer_can_meet_as_well() -> None:
    """As they did once: by a pull that was taken for gone and came into force while the next one was on its way."""
    words = ["first", "w63", "w74"]
    history = {n: ("file", DesiredState(n, users={PULLERS[1]: Wish(session_id=w)})) for n, w in enumerate(words, 1)}
    assert _met(history, {"w63": 1, "w74": 1}) == [(3, PULLERS[1], "kept w74, lost w63")]
    assert not _met(history, {"w63": 1, "w74": 2})


async def test_three_at_once_and_kills_in_between_lose_nothing(tmp_path: Path) -> None:
    folder, state, remote = tmp_path / "server", tmp_path / "state", tmp_path / "remote.git"
    state.mkdir()
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), str(folder))
    (folder / NAME).write_text(START + "...\n")
    git(folder, "checkout", "--quiet", "-B", "main")
    git(folder, "add", NAME)
    git(folder, "commit", "--quiet", "-m", "the first one")
    git(folder, "push", "--quiet", "origin", "main")
    race = Race("file", folder / NAME, state, words=250, kills=4)
    desk = Desk(race, folder, remote, state)
    await race.run(race.call([*CALLERS, *SHARED], 0.06), desk.edit(), desk.commit_and_pull())

    history = race.history()
    states = [state for _, state in history.values()]
    in_file = (folder / NAME).read_text()
    assert spec.parse(in_file, max_users=100, profiles=None, end_mark=True) == states[-1]
    held = {user: [state.users[user].session_id for state in states] for user in EVERYBODY}
    race.judge(held, alone=[*CALLERS, *EDITORS, *PULLERS])

    met = _met(history, desk.begun_at)
    assert race.conflicts() == met, "each conflict is reported, and nothing else is"
    assert met, "several spoke of the same user at once, now and then"
    pulled = sum(word in race.acknowledged for word in desk.pulled)
    assert pulled, "git had its say"
    print(f"{race.count} words, {len(desk.pulled)} of them by git, {len(race.acknowledged)} acknowledged")
    print(f"{desk.gone} saved over, {race.killed} kills, {len(history)} generations, {len(met)} conflicts")
