"""`matlabctl export` and `import` carry a desired state from any home to any other, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path

import pytest

from controller.model import RunState, Wish
from tests.api_world import ApiWorld, api_world
from tests.contract.test_store_homes import KINDS, Place, look
from tests.shell import run

LAB = """\
# yaml-language-server: $schema=desired_state.schema.json
# the lab, as of the autumn
version: 1


defaults:  {profile: 'standard'}   # for all
users:
  # second row first: they come early
  7: { state : stopped ,  session_id: "seat-7" }
  2:
    session_id: 'a'   # by the window

    profile: large    # until March
  3: {}  # 第三座
  # 4: {}   gone home

  10: {restart_at: 2026-11-22T10:00:00.250Z, paused: true}
# nobody else
"""
USERS = {
    2: Wish(profile="large", session_id="a"),
    3: Wish(),
    7: Wish(state=RunState.STOPPED, session_id="seat-7"),
}
WAYS = list(permutations(KINDS, 2))


def lines(text: str) -> list[str]:
    """Of what people wrote: the count and the end mark are the home's own."""
    return [line for line in text.splitlines() if line != "..." and not line.startswith("generation:")]


class Host:
    """A controller with its home, and its operator's command line."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.place = Place(kind, folder)

    async def ask(self, world: ApiWorld, *words: str) -> str:
        done: subprocess.CompletedProcess[str] = await asyncio.to_thread(
            run, self.folder, *words, MCM_API_PORT=str(world.port)
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
async def hosts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Host, Host]]:
    old, new = (Host(kind, tmp_path / name) for kind, name in zip(request.param, ("old", "new"), strict=True))
    yield old, new
    await old.place.close()
    await new.place.close()


@pytest.mark.parametrize("hosts", WAYS, indirect=True, ids="-to-".join)
async def test_a_state_moves_from_home_to_home_and_back_without_loss(hosts: tuple[Host, Host]) -> None:
    old, new = hosts
    store = await old.place.store(LAB if type(old.place.somewhere).__name__ == "ABranch" else f"{LAB}...\n")
    await store.change(3, lambda _: Wish(), "api 1")
    async with api_world(real_store=store) as world:
        await old.ask(world, "export", "../kept.yaml")
    kept = old.folder.parent / "kept.yaml"
    assert store.text == old.place.read()
    assert kept.read_text() == store.text.removesuffix("...\n") + "...\n", "a copy that is cut off shows"
    assert lines(store.text) == lines(LAB)

    other = await new.place.store("version: 1\nusers:\n  41: {}   # of before\n...\n")
    async with api_world(real_store=other) as world:
        assert re.search(r"^-  user 41 +\{\}", await new.ask(world, "import", "../kept.yaml"), re.M)
        await new.ask(world, "export", "../back.yaml")
    assert dict(other.current.users) == dict(store.current.users)
    assert {user: other.current.users[user] for user in USERS} == USERS
    assert other.text == new.place.read()
    assert lines(other.text) == lines(LAB), "comments, order, quotes and blank lines, too"
    await look(other)
    assert other.health.valid
    assert len(await other.history(9)) == 2, "its own history goes on"

    await store.change(2, lambda _: None, "api 2")
    async with api_world(real_store=store) as world:
        await old.ask(world, "import", "../back.yaml")
    assert lines(old.place.read()) == lines(LAB)
    assert store.current.users == other.current.users


@pytest.mark.parametrize("kinds", WAYS, ids="-to-".join)
async def test_another_home_beside_the_same_history_goes_on_from_the_state_in_force(
    kinds: tuple[str, str], tmp_path: Path
) -> None:
    old, new = (Host(kind, tmp_path / kind) for kind in kinds)
    new.place.share_state_of(old.place)
    store = await old.place.store(LAB if kinds[0] == "git" else f"{LAB}...\n")
    await store.change(3, lambda _: Wish(session_id="b"), "api 1")
    before = store.current
    await old.place.close()
    store = await new.place.store("" if kinds[1] == "git" else None)  # a branch must be there before
    assert store.current == before, "an empty home is a fault, and ends nothing"
    assert [each.message for each in store.health.problems] != []
    await store.change(3, lambda _: Wish(), "api 2")
    await look(store)
    assert store.health.valid
    assert lines(new.place.read()) == lines(LAB)
    assert [each.writer for each in await store.history(9)][:2] == ["api 2", "api 1"]
    await new.place.close()
