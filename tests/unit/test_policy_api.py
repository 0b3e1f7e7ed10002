"""The operator's policy as callers and `matlabctl` meet it: a real store, the real API and loop, a fake engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from controller.target import Load, Policy
from tests.api_world import SITE, ApiWorld, api_world
from tests.shell import run
from tests.support import eventually
from tests.wish_place import START, Place

TWO = Load(2, inf, 100 * 2**30)
SETTINGS = "policy:\n  images: ['matlab-session:*']\n  total: {sessions: 2, memory: 100g}\n"
SEVEN = START.replace("  1: {}\n", "  1: {}\n  7: {}\n")
TOO_MANY = "with user 7 more would run than the operator's policy allows: 3 of at most 2 sessions"


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    store = await place.running(START, total=TWO)
    async with api_world(real_store=store, site=replace(SITE, policy=Policy(total=TWO))) as world:
        yield world


async def test_a_call_is_refused_with_409_and_a_sentence(world: ApiWorld) -> None:
    await world.call("PUT", "/v1/users/7", json={"state": "stopped"})
    for method, path, body in (
        ("POST", "/create", {"user_id": 7}),
        ("PUT", "/v1/users/7", {}),
        ("PATCH", "/v1/users/7", {"state": "running"}),
    ):
        status, told = await world.call(method, path, json=body)
        assert (status, told["code"], told["error"]) == (409, "policy", f"Refused: {TOO_MANY}.")
        assert "GET /v1/status" in told["details"]
    assert world.store.current.generation == 2
    assert (await world.call("POST", "/destroy/matlab-user-1"))[0] == 200
    assert (await world.create(7))[0] == 201


async def test_a_text_is_refused_with_its_line(world: ApiWorld) -> None:
    status, told = await world.call("PUT", "/v1/desired-state", json={"text": SEVEN, "force": True})
    assert (status, told["code"]) == (422, "wish_invalid")
    assert told["problems"] == [{"line": 7, "column": 3, "message": TOO_MANY}]
    status, told = await world.call("POST", "/v1/plan", json={"text": SEVEN})
    assert (status, told["problems"][0]["line"], told["actions"]) == (200, 7, [])


async def test_the_status_tells_what_is_wanted_of_what_is_allowed(world: ApiWorld) -> None:
    _, told = await world.call("GET", "/v1/status")
    assert told["policy"] == {
        "wanted": {"sessions": 2, "cpus": 4, "memory": 8 * 2**30},
        "most": {"sessions": 2, "cpus": None, "memory": 100 * 2**30},
        "standing": "2 of at most 2 sessions, 8g of at most 100g memory",
        "exceeded": "",
    }


async def test_matlabctl_says_the_same_with_a_controller_and_without_one(world: ApiWorld, tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text(SETTINGS)
    (tmp_path / "new.yaml").write_text(SEVEN)
    (tmp_path / "seen.json").write_text('{"users": []}')
    commands = {
        ("validate", "new.yaml"): 1,
        ("plan", "new.yaml", "--observed", "seen.json"): 1,
        ("plan", "new.yaml"): 1,
        ("apply", "new.yaml"): 1,
    }
    for words, code in commands.items():
        done = await asyncio.to_thread(run, tmp_path, *words, MCM_API_PORT=str(world.port))
        assert (done.returncode, f"new.yaml:7:3: {TOO_MANY}" in done.stdout + done.stderr) == (code, True), words
    shown = json.loads((await asyncio.to_thread(run, tmp_path, "settings", "-o", "json")).stdout)["policy"]
    assert shown["value"]["total"] == {"sessions": 2, "cpus": None, "memory": "100g"}
    assert shown["origin"].endswith("controller.yaml line 1")


async def test_matlabctl_status_shows_a_ceiling_that_was_lowered_under_what_is_wanted(
    place: Place, tmp_path: Path
) -> None:
    store = await place.running(START)
    one = Policy(total=Load(1, inf, inf))
    async with api_world(real_store=store, site=replace(SITE, policy=one)) as world:
        await eventually(lambda: len(world.engine.containers()) == 2)
        done = await asyncio.to_thread(run, tmp_path, "status", MCM_API_PORT=str(world.port), COLUMNS="200")
    assert "more is wanted than allowed: 2 of at most 1 sessions; what runs goes on" in done.stdout
