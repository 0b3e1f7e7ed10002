"""Folders are measured one after another; passing the quota and coming back is told, once each."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller import disk_watch
from controller.disk_watch import DiskWatch
from controller.events import Event
from controller.model import DesiredState, DiskUse, Wish
from controller.quota import judged, quota_of, told
from controller.target import Profile
from tests.api_world import SITE, ApiWorld, api_world
from tests.support import eventually, meanwhile
from tests.worlds import GIB, NOW

MIB = 2**20
BEFORE = NOW - timedelta(minutes=5)
OVER = DiskUse(11 * GIB, True, BEFORE, 10 * GIB, BEFORE)
UNDER = DiskUse(GIB, True, BEFORE, 10 * GIB, None)


@pytest.mark.parametrize(
    ("size", "complete", "quota", "before", "since"),
    [
        (10 * GIB, True, 10 * GIB, None, None),
        (10 * GIB + 1, True, 10 * GIB, None, NOW),
        (10 * GIB + 1, True, 10 * GIB, UNDER, NOW),
        (10 * GIB + 1, False, 10 * GIB, UNDER, NOW),
        (12 * GIB, True, 10 * GIB, OVER, BEFORE),
        (10 * GIB, True, 10 * GIB, OVER, BEFORE),
        (10 * GIB, True, 10 * GIB, UNDER, None),
        (9 * GIB, True, 10 * GIB, OVER, None),
        (9 * GIB, False, 10 * GIB, OVER, BEFORE),
        (9 * GIB, False, 10 * GIB, UNDER, None),
        (12 * GIB, True, 20 * GIB, OVER, None),
        (12 * GIB, True, None, OVER, None),
    ],
)
def test_since_when_a_folder_is_over_its_quota(
    size: int, complete: bool, quota: int | None, before: DiskUse | None, since: datetime | None
) -> None:
    assert judged(size, complete, quota, before, NOW) == DiskUse(size, complete, NOW, quota, since)


def test_the_quota_is_that_of_the_profile() -> None:
    site = replace(SITE, profiles={"standard": a_profile(10), "large": a_profile(20), "open": a_profile()})
    state = DesiredState(1, None, {1: Wish(), 2: Wish(profile="large"), 3: Wish(profile="open"), 4: Wish(profile="?")})
    assert [quota_of(state, n, site) for n in range(1, 6)] == [10, 20, None, None, 10]


def a_profile(disk: int | None = None) -> Profile:
    return Profile("image", 1, GIB, GIB, {}, None, disk=disk)


def test_the_sentence_has_size_quota_and_what_to_do() -> None:
    assert told(OVER) == (
        "The user's folder holds 11GiB of 10GiB: delete or move away what is not needed, or ask for a profile with "
        "more; nothing is stopped or deleted for it"
    )
    assert told(UNDER) == "The user's folder holds 1GiB of 10GiB"
    assert told(judged(GIB, False, 10 * GIB, None, NOW)) == (
        "The user's folder holds at least 1GiB of 10GiB: it is too much to be counted, or cannot all be read"
    )
    assert told(judged(GIB, True, None, None, NOW)) == "The user's folder holds 1GiB, and the profile has no quota"


@pytest.fixture
async def world() -> AsyncIterator[ApiWorld]:
    async with api_world() as world:
        yield world


async def test_passing_the_quota_is_a_condition_and_told_once_both_ways(world: ApiWorld, tmp_path: Path) -> None:
    events: list[Event] = []
    file = tmp_path / "user_7/file"
    file.parent.mkdir()
    await world.create(7)

    async def user() -> Any:
        return (await world.call("GET", "/v1/users/7"))[1]

    async def stands(reason: str) -> bool:
        return any(each["type"] == "WithinQuota" and each["reason"] == reason for each in (await user())["conditions"])

    async def holds_less() -> bool:
        return bool((await user())["observed"]["disk"]["size"] < MIB)

    async with meanwhile(DiskWatch(world.informer, str(tmp_path), lambda _: MIB, events.append, 0.01).run()):
        await eventually(lambda: stands("WithinQuota"))
        file.write_bytes(os.urandom(2 * MIB))
        await eventually(lambda: stands("DiskQuotaExceeded"))
        os.truncate(file, MIB - MIB // 32)  # within the quota, and not by enough
        await eventually(holds_less)
        assert await stands("DiskQuotaExceeded")
        os.truncate(file, MIB // 2)
        await eventually(lambda: stands("WithinQuota"))
        told_of = (await user())["observed"]["disk"]
        assert MIB // 2 <= told_of["size"] < MIB
        assert (told_of["quota"], told_of["complete"], told_of["over_since"]) == (MIB, True, None)
    assert [(each.reason, each.user_id) for each in events] == [("OverQuota", 7), ("WithinQuota", 7)]


async def test_a_folder_with_too_much_in_it_holds_at_least_what_was_counted(
    world: ApiWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "user_7/folder").mkdir(parents=True)
    monkeypatch.setattr(disk_watch, "SLICE", 0)
    monkeypatch.setattr(disk_watch, "GIVE_UP", 0)
    await world.create(7)
    async with meanwhile(DiskWatch(world.informer, str(tmp_path), lambda _: MIB, lambda _: None, 0.01).run()):
        await eventually(lambda: world.informer.view(7).disk)
    _, user = await world.call("GET", "/v1/users/7")
    [found] = [each for each in user["conditions"] if each["type"] == "WithinQuota"]
    assert (found["status"], found["reason"]) == ("Unknown", "NotCounted")
    assert found["message"].startswith("The user's folder holds at least ")
    assert user["observed"]["disk"]["complete"] is False


async def test_whoever_stops_amid_a_folder_leaves_none_open(
    world: ApiWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held() -> list[str]:
        links = [path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return [where for link in links if (where := os.readlink(link)).startswith(f"{tmp_path}/user_7")]

    (tmp_path / "user_7/folder").mkdir(parents=True)
    monkeypatch.setattr(disk_watch, "SLICE", 0)  # it enters the folder, and has counted nothing
    monkeypatch.setattr(disk_watch, "SHARE", 1e-9)  # and rests for long
    await world.create(7)
    async with meanwhile(DiskWatch(world.informer, str(tmp_path), lambda _: MIB, lambda _: None, 0.01).run()):
        await eventually(held)
    await eventually(lambda: not held())


async def test_who_is_removed_and_made_again_is_measured_at_once(
    world: ApiWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_watch, "LOOK_EVERY", 0.01)
    async with meanwhile(DiskWatch(world.informer, str(tmp_path), lambda _: MIB, lambda _: None, 3600).run()):
        for _ in range(3):
            assert (await world.create(7))[0] == 201
            await eventually(lambda: world.informer.view(7).disk)
            assert (await world.call("POST", "/destroy/matlab-user-7"))[0] == 200
