"""The webhook, and what status tells of a branch."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller import secretfile
from controller.errors import SettingsInvalid
from tests.api_world import ApiWorld, api_world
from tests.git_world import Forge, look
from tests.support import eventually

SECRET = "a-secret-of-the-forge"


@pytest.fixture
async def world(forge: Forge) -> AsyncIterator[ApiWorld]:
    async with api_world(real_store=await forge.running(write=False), refresh_secret=SECRET) as world:
        yield world


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


@pytest.mark.parametrize("headers", [{"X-Refresh-Secret": SECRET}, {"X-Gitlab-Token": SECRET}, signed(b'{"ref": 1}')])
async def test_whoever_knows_the_secret_has_the_branch_fetched(
    world: ApiWorld, forge: Forge, headers: dict[str, str]
) -> None:
    commit = forge.ann.publish("  5: {}\n", "  5: {}\n  6: {}\n", "one more")
    assert (await world.call("POST", "/v1/refresh", data=b'{"ref": 1}', headers=headers))[0] == 202
    await eventually(lambda: world.wish(6) is not None)
    _, body = await world.call("GET", "/v1/status")
    told = body["desired_state"]["git"]
    assert (told["state"], told["in_force"], told["error"]) == ("synced", commit, "")
    assert (told["branch"], told["path"], told["write"]) == ("main", "wish.yaml", False)
    assert told["commit"]["author"] == "Ann <ann@example.org>"
    assert told["commit"]["subject"] == "one more"
    assert told["commit"]["date"].endswith("Z")


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Refresh-Secret": ""}, {"X-Refresh-Secret": SECRET + "x"}, {"X-Gitlab-Token": "ä"}, signed(b"else")],
)
async def test_whoever_does_not_gets_401(world: ApiWorld, headers: dict[str, str]) -> None:
    status, body = await world.call("POST", "/v1/refresh", data=b"{}", headers=headers)
    assert (status, body["code"]) == (401, "unauthorized")


async def test_without_a_secret_nobody_gets_in() -> None:
    async with api_world() as world:
        for headers in ({}, {"X-Refresh-Secret": ""}, signed(b"{}", "")):
            assert (await world.call("POST", "/v1/refresh", data=b"{}", headers=headers))[0] == 401


async def test_status_tells_of_a_commit_that_is_not_in_force_and_of_a_remote_that_is_away(
    world: ApiWorld, forge: Forge
) -> None:
    async def state() -> str:
        return str((await world.call("GET", "/v1/status"))[1]["desired_state"]["git"]["state"])

    forge.ann.publish("  1: {}", "  1: {stat: stopped}")
    await look(world.store)
    assert await state() == "not in force"
    forge.remote.rename(forge.remote.with_name("away"))
    await look(world.store)
    assert await state() == "unreachable"


async def test_calls_that_change_something_are_refused_where_the_branch_is_only_followed(
    world: ApiWorld, forge: Forge
) -> None:
    status, body = await world.create(7)
    assert (status, body["code"]) == (409, "read_only")
    assert "`write: false`" in body["error"]
    for method, path, sent in [
        ("DELETE", "/v1/users/1", None),
        ("PUT", "/v1/desired-state", {"text": "version: 1\nusers: {}\n"}),
        ("POST", "/v1/pause", {}),
        ("POST", "/v1/rollback", {"generation": 1}),
    ]:
        assert (await world.call(method, path, json=sent))[0] == 409, path
    assert (await world.create(1))[0] == 200, "who is wanted already is answered as ever"
    assert len(forge.log()) == 1


def test_the_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    secret = secretfile.refresh_secret(tmp_path)
    assert len(secret) > 40
    assert secretfile.refresh_secret(tmp_path) == secret
    file = tmp_path / "refresh-secret"
    assert file.stat().st_mode & 0o077 == 0
    file.write_text("short\n")
    with pytest.raises(SettingsInvalid, match="fewer than 16 letters"):
        secretfile.refresh_secret(tmp_path)
