"""Commits and API calls, one branch, real containers."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.git_world import Forge
from tests.rig import Rig
from tests.support import Lab, eventually

FIRST = "version: 1\nusers:\n  1: {}   # by the door\n"


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path, FIRST)


@pytest.fixture
def git_rig(idle_rig: Rig, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> Rig:
    follow(idle_rig, forge, monkeypatch)
    return idle_rig


def follow(rig: Rig, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a controller that was not started yet follow the branch."""
    settings = rig.lab.folder / "controller.yaml"
    branch = f"desired_state:\n  git: {{url: {forge.remote}, path: wish.yaml, interval: 1, write: true}}\n"
    settings.write_text(settings.read_text() + branch)
    environment = rig.environment()
    del environment["MCM_DESIRED_STATE"]
    monkeypatch.setattr(rig, "environment", lambda **changes: environment | changes)


def runs(lab: Lab) -> set[str]:
    return {str(c.name).removeprefix(lab.prefix) for c in lab.containers() if c.attrs["State"]["Status"] == "running"}


async def branch(rig: Rig) -> Any:
    return (await rig.call("GET", "/v1/status"))[1]["desired_state"]["git"]


async def test_people_push_programs_call_and_sessions_follow(git_rig: Rig, forge: Forge, lab: Lab) -> None:
    await git_rig.start()
    await eventually(lambda: runs(lab) == {"1"}, 60)

    assert (await git_rig.create(2, session_id="abc-123"))[0] in (201, 202)
    assert forge.log("%an: %s")[0] == "MATLAB Container Manager: create user 2 (session abc-123)"
    await git_rig.stop(signal.SIGKILL)
    away = forge.remote.rename(forge.remote.with_name("away"))
    await git_rig.start()
    status, refused = await git_rig.create(3)
    assert (status, refused["code"]) == (503, "not_persisted")
    assert (await branch(git_rig))["state"] == "unreachable"
    await eventually(lambda: runs(lab) == {"1", "2"})
    away.rename(forge.remote)
    await eventually(lambda: is_synced(git_rig), 30)
    assert (await git_rig.destroy(2))[0] in (200, 202)
    assert forge.log()[0] == "destroy user 2"
    assert await git_rig.stop() == 0


async def is_synced(rig: Rig) -> bool:
    return bool((await branch(rig))["state"] == "synced")
