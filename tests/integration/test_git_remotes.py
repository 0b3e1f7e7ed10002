"""A branch that lies elsewhere: https with a private authority and a token, ssh with a key; all of it real."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from controller.errors import NotPersisted
from controller.model import Wish
from controller.store.git_home import Branch, GitHome
from controller.store.wish_store import WishStore
from tests.fake_store import terms
from tests.git_remotes import NAME, TOKEN, WAYS, Remote
from tests.git_world import Forge, look
from tests.support import eventually
from tests.wish_place import to


class Away:
    """A forge that is reached by a wire, and a store that follows it."""

    def __init__(self, forge: Forge, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forge = forge
        self.remote = remote
        self._monkeypatch = monkeypatch
        self._stores: list[WishStore] = []

    async def store(self, url: str = "", environment: dict[str, str] | None = None) -> WishStore:
        for name, value in (self.remote.environment if environment is None else environment).items():
            self._monkeypatch.setenv(name, value)
        branch = Branch(url or self.remote.url, "main", "wish.yaml", 600, write=True)
        store = WishStore(GitHome(branch, self.forge.state / "git"), self.forge.state, terms(settle_seconds=0))
        self._stores.append(store)
        await store.load()
        return store

    async def close(self) -> None:
        for store in self._stores:
            await store.close()


@pytest.fixture(params=WAYS)
async def away(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Away]:
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    folder = tmp_path / "server"
    folder.mkdir()
    forge = Forge(tmp_path)
    async with WAYS[request.param](forge.remote, folder) as remote:
        away = Away(forge, remote, monkeypatch)
        yield away
        await away.close()


def error(store: WishStore) -> str:
    assert store.sync is not None
    return store.sync.error


async def test_it_is_followed_and_written_to(away: Away) -> None:
    store = await away.store()
    assert list(store.current.users) == [1, 2, 3, 4, 5], store.sync
    away.forge.ann.publish("  5: {}\n", "  5: {}\n  6: {}\n")
    await look(store)
    assert 6 in store.current.users
    away.forge.ann.publish("  1: {}\n", "")
    await store.change(7, to(Wish(session_id="abc-123")), "api 1")
    assert list(store.current.users) == [2, 3, 4, 5, 6, 7], "theirs was first, ours stands on it"
    assert away.forge.log()[0] == "create user 7 (session abc-123)"
    assert store.text == away.forge.text


async def test_a_connection_that_is_lost_in_a_fetch_changes_nothing(away: Away) -> None:
    store = await away.store()
    (away.forge.ann.folder / "large").write_bytes(os.urandom(2**20))
    away.forge.ann.publish("  1: {}\n", "")
    away.remote.wire.cut_after = 200_000
    await look(store)
    assert error(store).startswith("git fetch: "), "it says what was lost"
    assert list(store.current.users) == [1, 2, 3, 4, 5]
    away.remote.wire.cut_after = None
    await look(store)
    assert (error(store), list(store.current.users)) == ("", [2, 3, 4, 5])


async def test_a_connection_that_is_lost_behind_a_push_is_no_loss(away: Away) -> None:
    store = await away.store()
    landed = away.forge.remote / "landed"  # until that is gone, be it with all of the test's folder
    hook = away.forge.remote / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {landed}\nwhile [ -e {landed} ]; do sleep 0.05; done\n")
    hook.chmod(0o755)
    call = asyncio.ensure_future(store.change(7, to(Wish()), "api 1"))
    await eventually(landed.exists)
    away.remote.wire.cut()
    await call
    landed.unlink()
    assert 7 in store.current.users
    assert away.forge.log() == ["create user 7", "the first one"], "once"


async def test_who_may_not_come_in_is_told_so_and_nothing_changes(away: Away) -> None:
    good = (await away.store()).current
    url, environment, told = away.remote.stranger
    store = await away.store(url, environment)
    await look(store)
    assert told in error(store)
    with pytest.raises(NotPersisted) as refused:
        await store.change(7, to(Wish()), "api 1")
    assert told in str(refused.value)
    assert (store.current, away.forge.log()) == (good, ["the first one"])


async def test_a_host_that_nobody_vouches_for_is_not_spoken_to(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    environment, told = away.remote.doubt
    store = await away.store(environment=environment)
    assert told in error(store)
    assert store.current.generation == 0, "unknown is not empty"


@pytest.mark.parametrize("away", ["https"], indirect=True)
async def test_the_token_is_seen_nowhere(away: Away, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = await away.store()
    away.remote.wire.silent = True
    call = asyncio.ensure_future(asyncio.to_thread(store._home.fetch))  # type: ignore[attr-defined]
    commands = await eventually(lambda: _transport(away.remote.wire.port))
    away.remote.wire.silent = False
    away.remote.wire.cut()
    await call
    await store.change(7, to(Wish()), "api 1")
    kept = [file.read_bytes() for file in away.forge.state.rglob("*") if file.is_file()]
    seen = [*commands, caplog.text, str(store.sync), str(store.health), str(await store.events(None, 0, 100)), *kept]
    for each in seen:
        assert not any(secret in str(each) for secret in (TOKEN, TOKEN.replace("/", "%2F"), f"{NAME}:")), each


def _transport(port: int) -> list[str]:
    """The command lines of all that we run, once one of them speaks to that port."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has ended
            found.append(" ".join(each.cmdline()))
    return found if any("git" in each and str(port) in each for each in found) else []
