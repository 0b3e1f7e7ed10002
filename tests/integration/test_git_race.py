"""Calls and commits to one branch, with the controller's store killed again and again: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from tests.git_world import FIRST, Forge, look

KILLS, CALLS, CALLERS, PUSHERS = 4, 12, range(20, 25), range(50, 99)
SERVANT = """
import asyncio, sys
from pathlib import Path
from controller.model import Wish
from controller.store.git_home import Branch, GitHome
from controller.store.wish_store import WishStore
from tests.fake_store import terms

async def main():
    remote, state = sys.argv[1], Path(sys.argv[2])
    home = GitHome(Branch(remote, "main", "wish.yaml", 1, write=True), state / "git")
    store = WishStore(home, state, terms(settle_seconds=0))
    await store.load()
    task = asyncio.create_task(store.run())
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        user, word = line.split()
        await store.change(int(user), lambda _: Wish(session_id=word), "api " + word)
        print(word, flush=True)

asyncio.run(main())
"""


async def test_what_was_acknowledged_is_there_whoever_pushed_and_whatever_was_killed(tmp_path: Path) -> None:
    forge, dice = Forge(tmp_path, FIRST), random.Random(4)
    bob, over = forge.clone("bob"), asyncio.Event()
    pushed: list[int] = []

    def push(user: int) -> bool:
        bob.git("fetch", "--quiet", "origin")
        bob.git("reset", "--hard", "--quiet", "origin/main")
        bob.commit(bob.file.read_text().replace("users:\n", f"users:\n  {user}: {{}}\n"), f"seat {user}")
        try:
            bob.push()
        except AssertionError:
            return False  # the other one was first
        return True

    async def push_a_lot() -> None:
        for user in PUSHERS:
            while not over.is_set() and not await asyncio.to_thread(push, user):
                pass
            if over.is_set():
                return
            pushed.append(user)

    acknowledged: dict[int, str] = {}
    asked: dict[int, set[str]] = {user: set() for user in CALLERS}
    pushing = asyncio.create_task(push_a_lot())
    for life in range(KILLS):
        servant = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SERVANT, str(forge.remote), str(forge.state)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert servant.stdin is not None
        assert servant.stdout is not None
        try:
            async with asyncio.timeout(60):
                assert await servant.stdout.readline() == b"ready\n"
                for call in range(CALLS):
                    user, word = dice.choice(CALLERS), f"{life}-{call}"
                    asked[user].add(word)
                    servant.stdin.write(f"{user} {word}\n".encode())
                    if call == CALLS - 1:
                        await asyncio.sleep(dice.random() / 20)  # killed in the middle of this one
                        break
                    assert (await servant.stdout.readline()).decode().strip() == word
                    acknowledged[user] = word
                    asked[user] = {word}  # what was unsure before is settled
        finally:
            servant.kill()
            await servant.wait()
    over.set()
    await pushing

    store = await forge.store()
    await look(store)
    try:
        said = {user: wish.session_id for user, wish in store.current.users.items()}
        for user, word in acknowledged.items():
            assert said[user] in asked[user], f"user {user}: {word} was acknowledged"
        assert pushed
        assert set(pushed) <= said.keys()
        assert said.keys() >= {1, 2, 3, 4, 5}
        assert store.health.valid
    finally:
        await forge.close()
