"""What people and accidents do to containers and to the controller, and how both come back; on real containers."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import subprocess
import sys
import time

import docker.errors
import pytest

from tests.rig import ROOT, Rig
from tests.support import Lab, eventually

TRIES = 3
"""So often a machine that is busy with other tests may be slower than is promised, before that is told."""


def runs(lab: Lab, *user_ids: int) -> bool:
    return {c.name for c in lab.containers() if c.status == "running"} == {lab.name(n) for n in user_ids}


def calls_since(lab: Lab, moment: float) -> list[str]:
    """What the engine did to our containers since then."""
    said = lab.client.api.events(
        since=int(moment),
        until=int(time.time()) + 1,
        decode=True,
        filters={"type": "container", "label": f"mcm.instance={lab.instance}"},
    )
    return [event["Action"] for event in said]


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("kill", "exited with code 137"),
        ("stop", "exited with code"),
        ("pause", "paused from outside"),
        ("remove", "there is no container"),
    ],
)
async def test_what_a_hand_breaks_is_healed_at_once(idle_rig: Rig, lab: Lab, deed: str, reason: str) -> None:
    rig = idle_rig
    await rig.start(MCM_RESYNC_SECONDS="3600")  # so that nothing but the event can tell of it
    await rig.create(1)
    took: list[float] = []
    for _ in range(TRIES):
        await rig.comes_up(1)
        await eventually(lambda: _well(rig))  # the third death in a row would have to wait
        container, before = lab.container(1), len(rig.log())
        await asyncio.to_thread(getattr(container, deed), **({"force": True} if deed == "remove" else {}))
        began = time.monotonic()
        await eventually(lambda: reason in rig.log()[before:] and lab.container(1).status == "running")  # noqa: B023
        by_docker = sum(map(int, re.findall(r"action done .* ms=(\d+)", rig.log()[before:]))) / 1000
        took.append(time.monotonic() - began - by_docker)
        if took[-1] < 2.5:
            break
    assert took[-1] < 2.5, f"a second is promised beside Docker's own time; the rest is for a busy machine: {took}"
    await rig.comes_up(1)


async def _well(rig: Rig) -> bool:
    """No death is remembered any more."""
    _, user = await rig.call("GET", "/v1/users/1")
    return bool(user["progress"]["failures"] == 0)


async def test_an_edit_by_hand_converges_and_later_calls_touch_only_their_own_lines(rig: Rig, lab: Lab) -> None:
    for n in (1, 2, 3, 4):
        await rig.create(n)
    text = rig.wish.read_text()
    edited = (
        text.replace("  1: {}\n", "  1: {state: stopped}   # on leave until May\n")
        .replace("  2: {}\n", "  # wants more\n  2: {profile: large}\n")
        .replace("  3: {}\n", "")
        .replace("  4: {}\n", "  4: {}\n  11: {}\n  12: {}   # new\n  13:\n    session_id: 'abc'\n")
    )
    assert len(edited.splitlines()) == len(text.splitlines()) + 4
    started = lab.container(2).attrs["State"]["StartedAt"]
    rig.wish.write_text(edited)

    await eventually(lambda: runs(lab, 2, 4, 11, 12, 13))
    assert lab.container(1).status == "exited"
    await eventually(lambda: lab.container(2).attrs["HostConfig"]["Memory"] == 512 * 2**20)
    same = lab.container(2).attrs["State"]["StartedAt"] == started
    assert same, "the session was ended for a change that needs no end"

    before = rig.wish.read_text()
    await rig.create(12, session_id="s-1")
    changed = _diff(before, rig.wish.read_text())
    assert [line for line in changed if "generation" not in line] == [
        "-  12: {}   # new",
        '+  12: {session_id: "s-1"}   # new',
    ]
    assert "# on leave until May" in rig.wish.read_text()


def _diff(before: str, after: str) -> list[str]:
    old, new = before.splitlines(), after.splitlines()
    return [f"-{line}" for line in old if line not in new] + [f"+{line}" for line in new if line not in old]


async def test_a_controller_that_was_killed_finds_all_and_changes_nothing(rig: Rig, lab: Lab) -> None:
    await asyncio.gather(*(rig.create(n) for n in range(1, 6)))
    await rig.stop(signal.SIGKILL)
    assert runs(lab, *range(1, 6))
    await asyncio.sleep(1.1)  # the engine's events are told by the second
    moment = time.time()
    await rig.start()
    await eventually(lambda: _all(rig, 5, "running"))
    await rig.comes_up(5)
    assert calls_since(lab, moment) == []


async def _all(rig: Rig, number: int, status: str) -> bool:
    return list((await rig.statuses()).values()) == [status] * number


async def test_a_controller_killed_while_it_creates_goes_on_where_it_was(idle_rig: Rig, lab: Lab) -> None:
    rig = idle_rig
    await rig.start(MCM_MAX_CONCURRENT_STARTS="4")  # what is under way as it is killed, the engine goes on with
    await asyncio.gather(*(rig.create(n) for n in (1, 2)))
    first = {n: lab.container(n).attrs["State"]["StartedAt"] for n in (1, 2)}
    creates = [asyncio.create_task(rig.create(n)) for n in range(3, 23)]
    await eventually(lambda: rig.log().count("action=start") >= 6, 60, every=0.005)
    await rig.stop(signal.SIGKILL)
    await asyncio.gather(*creates, return_exceptions=True)
    before = {c.name: c.attrs["State"]["StartedAt"] for c in lab.containers() if c.status == "running"}
    assert len(before) < 22, "all were made before the kill: it came too late to prove anything"
    await rig.start()
    await eventually(lambda: runs(lab, *range(1, 23)), 120)
    assert len(lab.containers()) == 22
    assert first == {n: lab.container(n).attrs["State"]["StartedAt"] for n in (1, 2)}
    after = {c.name: c.attrs["State"]["StartedAt"] for c in lab.containers()}
    assert {name: after[name] for name in before} == before, "a session that ran was touched"


async def test_stopping_the_controller_leaves_the_sessions(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    assert await rig.stop(signal.SIGINT) == 0
    assert lab.container(1).status == "running"
    assert "Sessions stay" in rig.log()


async def test_an_engine_that_never_answers_keeps_nobody_from_stopping_the_controller(idle_rig: Rig, lab: Lab) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(lab.folder / "silent.sock"))
        silent.listen()
        await idle_rig.start(wait=False, DOCKER_HOST=f"unix://{lab.folder}/silent.sock")
        await eventually(idle_rig.answers)
        callers = [asyncio.create_task(idle_rig.health(n)) for n in range(1, 6)]
        await asyncio.sleep(0.5)  # for their questions to be on the way to the engine
        began = time.monotonic()
        assert await idle_rig.stop(signal.SIGINT) == 0
        assert time.monotonic() - began < 8, "it waited for calls that time out after ten seconds and more"
        await asyncio.gather(*callers, return_exceptions=True)


async def test_a_second_controller_on_the_same_state_goes_away(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    second = await asyncio.to_thread(_serve, rig.environment(MCM_API_PORT=str(lab.api_port + 1), DOCKER_HOST="tcp://x"))
    assert second.returncode == 1
    assert "Another controller" in second.stderr
    assert lab.container(1).status == "running"


def _serve(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "controller", "serve"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


async def test_what_somebody_runs_from_a_copy_of_a_session_is_theirs(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    await asyncio.to_thread(lab.container(1).commit, lab.instance)  # with our labels
    theirs = lab.client.containers.create(lab.instance, name=f"{lab.instance}-theirs", command=["sleep", "600"])
    assert theirs.labels["mcm.user-id"] == "1"
    try:
        await asyncio.to_thread(theirs.start)
        await rig.restart(1)
        assert (await rig.destroy(1))[0] == 200
        theirs.reload()
        assert theirs.status == "running"
    finally:
        with contextlib.suppress(docker.errors.NotFound):
            theirs.remove(force=True)
        lab.client.images.remove(lab.instance, force=True)


async def test_data_outlives_everything(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    kept = rig.data / "user_1" / "results.txt"
    kept.write_text("42")
    await rig.restart(1)
    await rig.destroy(1)
    assert kept.read_text() == "42"
    await rig.create(1)
    code, output = await asyncio.to_thread(lab.container(1).exec_run, "cat /home/matlab/shared/results.txt")
    assert (code, output) == (0, b"42")


async def test_an_orphan_of_ours_is_removed_and_its_data_kept(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    await rig.call("PUT", "/v1/users/2", {"state": "stopped"})  # a state that names nobody would wait for approval
    await rig.stop(signal.SIGTERM)
    rig.wish.write_text(rig.wish.read_text().replace("  1: {}\n", ""))
    await rig.start()
    await eventually(lambda: lab.containers() == [])
    assert (rig.data / "user_1").is_dir()
