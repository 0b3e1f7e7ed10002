"""Calls, and two people who push from clones of their own, to one branch, with the controller killed again and again.

Nobody edits a file on the server here: whoever edits does it in a clone. Two that met in one line are told by git, as
ever; what is left to prove is that the branch loses nothing of anybody's, and that the store says what the branch says.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from controller import spec
from tests.git_world import Clone, Forge, git, look
from tests.race_world import Race

CALLERS, ANN, BOB, SHARED = range(1, 5), range(11, 15), range(31, 35), range(21, 25)
"""Users of whom only the API speaks, only Ann, only Bob, and all of them."""
EVERYBODY = [*CALLERS, *ANN, *BOB, *SHARED]
START = "# the lab\nversion: 1\nusers:\n" + "".join(
    f'  {n}: {{session_id: "first-{n}"}}   # seat {n}\n' for n in EVERYBODY
)


class Pusher:
    """Somebody who edits what they have, be it old, and pulls when the push is refused."""

    def __init__(self, race: Race, clone: Clone, users: Sequence[int]) -> None:
        self._race = race
        self._clone = clone
        self._users = users
        self.late = self.met = 0
        """Pushes that somebody else won, and those of them that met in the same lines."""

    async def push(self) -> None:
        while not self._race.over:
            await asyncio.sleep(self._race.chance.random())
            if self._race.chance.random() < 0.5:
                await asyncio.to_thread(self._clone.pull)
            user_id, word = self._race.new_word(self._users)
            await asyncio.to_thread(self._say, user_id, word)
            while not await asyncio.to_thread(self._pushed):
                self.late += 1
                if not await asyncio.to_thread(self._rebased):
                    self.met += 1
                    await asyncio.to_thread(self._say, user_id, word)
            self._race.acknowledged.add(word)

    def _say(self, user_id: int, word: str) -> None:
        line = re.compile(rf'^(  {user_id}: {{session_id: )"[^"]*"', re.MULTILINE)
        changed, count = line.subn(rf'\1"{word}"', self._clone.file.read_text())
        assert count == 1
        self._clone.commit(changed, f"{user_id} is {word}")

    def _pushed(self) -> bool:
        try:
            self._clone.push()
        except AssertionError as error:
            if not re.search("fetch first|non-fast-forward|cannot lock ref|failed to update ref", str(error)):
                raise
            return False
        return True

    def _rebased(self) -> bool:
        try:
            self._clone.pull()
        except AssertionError as error:
            if "could not apply" not in str(error):
                raise
            self._clone.git("rebase", "--abort")
            self._clone.git("reset", "--quiet", "--hard", "origin/main")
            return False
        return True


async def test_what_was_acknowledged_is_on_the_branch_whoever_pushed_and_whatever_was_killed(tmp_path: Path) -> None:
    forge = Forge(tmp_path, START)
    race = Race("git", forge.remote, forge.state, words=40, kills=3)
    ann, bob = Pusher(race, forge.ann, [*ANN, *SHARED]), Pusher(race, forge.clone("Bob"), [*BOB, *SHARED])
    await race.run(race.call([*CALLERS, *SHARED], 0.1), ann.push(), bob.push())

    commits = git(forge.remote, "log", "--reverse", "--format=%h %an", "main").splitlines()
    texts = [git(forge.remote, "show", f"{line.split()[0]}:wish.yaml") for line in commits]
    states = [spec.stored(text) for text in texts]
    held = {user: [state.users[user].session_id for state in states] for user in EVERYBODY}
    race.judge(held, alone=[*CALLERS, *ANN, *BOB])

    store = await forge.store()
    try:
        await look(store)
        assert store.health.valid
        assert store.text == forge.text
        assert store.current.users == states[-1].users
    finally:
        await forge.close()
    history = race.history()
    for number, (writer, state) in history.items():
        if found := re.match("commit ([0-9a-f]{7})", writer):
            [there] = [n for n, line in enumerate(commits) if line.startswith(found[1])]
            assert states[there].users == state.users, f"generation {number} is what its commit says"
        else:
            pushed = any(state.users == each.users for each in states)
            assert pushed or writer.removeprefix("api ") not in race.acknowledged, f"generation {number} of {writer}"
    assert race.conflicts() == [], "who is late is told so by git, and nobody's value is taken away by the store"
    by_us = sum("MATLAB Container Manager" in line for line in commits)
    print(f"{race.count} words, {len(race.acknowledged)} acknowledged, {race.killed} kills; {len(commits)} commits,")
    print(f"{by_us} of them for calls; {len(history)} generations; pushes too late: {ann.late + bob.late}, of which")
    print(f"{ann.met + bob.met} met in the same lines")
    assert by_us
