"""`matlabctl`'s commands about the desired state as a whole: a real store, the real API and loop, a fake engine."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.model import RunState
from tests.api_world import ApiWorld, api_world
from tests.shell import COMMAND, Ask, environment, on_terminal, plain, run
from tests.support import eventually
from tests.unit.test_store_brake import TEN
from tests.wish_place import Place

PROFILES = "profiles: {standard: {}, large: {cpus: 4, memory: 8g}}\n"


@pytest.fixture
async def world(place: Place, tmp_path: Path) -> AsyncIterator[ApiWorld]:
    (tmp_path / "controller.yaml").write_text(PROFILES)
    async with api_world(real_store=await place.running(TEN)) as world:
        await eventually(lambda: len(world.running) == 10)
        yield world


async def eventually_says(ask: Ask, *words: str, says: str) -> None:
    async def said() -> bool:
        return says in (await ask(*words)).stdout

    await eventually(said, 60)


def without(*user_ids: int) -> str:
    return "".join(line for line in TEN.splitlines(True) if not re.match(rf"  ({'|'.join(map(str, user_ids))}):", line))


# ---------------------------------------------------------------- plan, diff, apply


async def test_plan_is_an_exit_code(ask: Ask, tmp_path: Path) -> None:
    done = await ask("plan")
    assert (done.returncode, done.stdout) == (0, "Nothing is to be done: all is as wanted.\n")
    (tmp_path / "new.yaml").write_text(without(3))
    done = await ask("plan", "new.yaml")
    assert done.returncode == 2
    assert re.search(r"^-  user 3  stop +the user is not in the desired state", done.stdout, re.M)
    assert "2 actions, for user 3." in done.stdout
    told = json.loads((await ask("plan", "new.yaml", "-o", "json")).stdout)
    assert [(each["user_id"], each["action"]) for each in told["actions"]] == [(3, "stop"), (3, "remove")]
    assert told["changes"] == [{"user_id": 3, "before": "{}", "after": None}]


async def test_plan_says_that_the_brake_would_hold_it(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(without(3, 4, 5, 6, 7))
    assert "The brake would hold this: it would end 5 of 10" in (await ask("plan", "new.yaml")).stdout


@pytest.mark.parametrize("words", [("plan", "bad.yaml"), ("plan", "none.yaml"), ("plan", "--nonsense"), ("diff", "-x")])
async def test_what_is_wrong_with_a_plan_is_never_exit_code_2(ask: Ask, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "bad.yaml").write_text(TEN.replace("  2: {}", "  2: {stat: stopped}"))
    done = await ask(*words)
    assert done.returncode == 1
    assert ("bad.yaml:6:7: unknown key `stat`" in done.stdout) is (words[1] == "bad.yaml")
    (tmp_path / "controller.yaml").write_text("api_prot: 1\n")
    assert (await ask("plan")).returncode == 1


async def test_the_offline_plan_is_the_controllers(world: ApiWorld, ask: Ask, tmp_path: Path) -> None:
    text = without(3).replace("  2: {}", "  2: {profile: large}").replace("  4: {}", "  4: {state: stopped}")
    (tmp_path / "new.yaml").write_text(text)
    (tmp_path / "seen.json").write_text((await ask("get", "-o", "json")).stdout)
    asked = json.loads((await ask("plan", "new.yaml", "-o", "json")).stdout)["actions"]
    site = {"MCM_DATA_ROOT": "/srv/matlab", "MCM_INSTANCE": "test", "MCM_SESSION_USER": "1000:1000"}
    words = ("plan", "new.yaml", "--observed", "seen.json", "-o", "json")
    done = await asyncio.to_thread(run, tmp_path, *words, MCM_API_PORT="19", **site)
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["actions"] == asked
    assert [each["action"] for each in asked] == ["update", "stop", "remove", "stop"]


async def test_who_was_stopped_is_planned_to_start_for_the_wish(world: ApiWorld, ask: Ask, tmp_path: Path) -> None:
    await world.call("PATCH", "/v1/users/5", json={"state": "stopped"})
    (tmp_path / "new.yaml").write_text(TEN.replace("  5: {}", "  5: {state: running}"))
    (tmp_path / "seen.json").write_text((await ask("get", "-o", "json")).stdout)
    start = [{"user_id": 5, "action": "start", "reason": "wanted running, and it was stopped"}]
    site = {"MCM_DATA_ROOT": "/srv/matlab", "MCM_INSTANCE": "test", "MCM_SESSION_USER": "1000:1000"}
    for words in (("plan", "new.yaml"), ("plan", "new.yaml", "--observed", "seen.json")):
        done = await asyncio.to_thread(run, tmp_path, *words, "-o", "json", MCM_API_PORT=str(world.port), **site)
        assert json.loads(done.stdout)["actions"] == start, words


def test_an_observation_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("version: 1\nusers: {}\n")
    container = {"user_id": 1, "observed": {"stale": True, "container": None}}
    for text in ("", "[]", '{"users": [1]}', json.dumps({"users": [container]})):
        (tmp_path / "seen.json").write_text(text)
        done = run(tmp_path, "plan", "w.yaml", "--observed", "seen.json")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: seen.json ")


async def test_a_plan_of_100_users_without_a_controller_takes_less_than_a_second(
    world: ApiWorld, ask: Ask, tmp_path: Path
) -> None:
    one = json.loads((await ask("get", "1", "-o", "json")).stdout)["users"][0]
    seen = [{**one, "user_id": user_id} for user_id in range(1, 101)]
    (tmp_path / "seen.json").write_text(json.dumps({"users": seen}))
    users = "".join(f"  {user_id}: {{}}\n" for user_id in range(1, 101))
    (tmp_path / "hundred.yaml").write_text(f"version: 1\nusers:\n{users}...\n")

    def measured() -> float:
        """Seconds of CPU: what it takes on a machine that has nothing else to do."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run(tmp_path, "plan", "hundred.yaml", "--observed", "seen.json").returncode == 2
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min([await asyncio.to_thread(measured) for _ in range(3)]) < 1.0


async def test_diff_between_texts_generations_and_files(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(without(3))
    same = await ask("diff", "1")
    assert (same.returncode, same.stdout) == (0, "")
    done = await ask("diff", "new.yaml")
    assert done.returncode == 2
    assert [line for line in done.stdout.splitlines() if line.startswith(("+", "-"))] == [
        "--- generation 1",
        "+++ new.yaml",
        "-  3: {}   # seat 3",
    ]
    await ask("apply", "new.yaml")
    assert "\n-  3: {}" in (await ask("diff")).stdout
    assert "\n+  3: {}" in (await ask("diff", "2", "1")).stdout


async def test_apply_brings_a_text_into_force(world: ApiWorld, place: Place, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(without(3))
    assert (await ask("apply", "new.yaml", "--dry-run")).returncode == 0
    assert 3 in world.store.current.users
    done = await ask("apply", "new.yaml")
    assert (done.returncode, done.stdout.splitlines()[:2]) == (0, ["Generation 2 is in force.", "-  user 3  {}"])
    assert place.file.read_text() == without(3).replace("generation: 1", "generation: 2")
    assert "Nothing changed: generation 2" in (await ask("apply", str(place.file))).stdout


async def test_a_text_with_faults_is_not_applied(world: ApiWorld, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(TEN.replace("  2: {}", "  2: {stat: stopped}"))
    done = await ask("apply", "bad.yaml")
    assert done.returncode == 1
    assert done.stdout.startswith("bad.yaml:6:7: unknown key `stat`")
    assert done.stderr == "Error: Nothing was changed: the text has faults.\n"
    assert world.store.current.generation == 1


async def test_what_was_exported_is_imported_without_loss(place: Place, ask: Ask, tmp_path: Path) -> None:
    assert (await ask("export")).stdout == TEN
    assert (await ask("export", "kept.yaml")).returncode == 0
    done = await ask("export", "kept.yaml")
    assert (done.returncode, done.stdout) == (2, ""), "a file that is there is somebody's"
    assert done.stderr == "Error: kept.yaml is there already, and nothing is overwritten: take another name.\n"
    await ask("stop", "1")
    merged = await ask("apply", "kept.yaml")
    assert "Nothing changed: generation 2" in merged.stdout, "an older text says nothing new"
    done = await ask("import", "kept.yaml")
    assert done.stdout.splitlines()[:2] == ["Generation 3 is in force.", "~  user 1  {state: stopped} → {}"]
    assert "seat 10" in place.file.read_text()
    (tmp_path / "bad.yaml").write_text("users: [")
    bad = await ask("import", "bad.yaml")
    assert bad.returncode == 1
    assert bad.stdout.startswith("bad.yaml:")


# ---------------------------------------------------------------- the brake, pauses


async def test_what_the_brake_holds_is_approved_or_rejected(world: ApiWorld, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(without(3, 4, 5, 6, 7))
    nothing = await ask("approve")
    assert (nothing.returncode, nothing.stderr) == (1, "Error: Nothing waits for approval.\n")
    held = await ask("apply", "new.yaml")
    assert held.returncode == 1
    assert "waits for approval: it would end 5 of 10" in held.stderr
    assert "waits for `matlabctl approve`" in (await ask("status")).stdout
    done = await ask("reject")
    assert "would end 5 of 10 sessions (remove 3-7)" in done.stdout
    assert "Rejected" in done.stdout
    await ask("apply", "new.yaml")
    assert "Approved: generation 2 is in force." in (await ask("approve")).stdout
    await eventually(lambda: world.running == [1, 2, 8, 9, 10])


async def test_force_passes_the_brake(world: ApiWorld, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(without(3, 4, 5, 6, 7))
    assert (await ask("apply", "new.yaml", "--force")).returncode == 0
    assert len(world.store.current.users) == 5


async def test_on_a_terminal_approve_asks(world: ApiWorld, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(without(3, 4, 5, 6, 7))
    await ask("apply", "new.yaml")
    words = ("approve", "--server", world.url)
    shown = plain(await asyncio.to_thread(on_terminal, tmp_path, 80, *words, answer="n\n"))
    assert "it would end 5 of 10 sessions" in " ".join(shown.split())
    assert "Let it pass? [y/N]" in shown
    assert world.store.pending is not None


async def test_pause_and_resume(world: ApiWorld, ask: Ask) -> None:
    assert (await ask("pause", "2,3")).stdout == "Paused users 2-3: generation 2.\n"
    world.engine.kill("matlab-user-2")
    await ask("stop", "3", "--wait", "0")
    assert (await ask("list", "2")).stdout.splitlines()[1].split()[-1] in ("Paused", "Exited")
    assert "paused for this user by api matlabctl:" in (await ask("why", "2")).stdout
    assert {2, 3} - set(world.running) == {2}
    assert (await ask("resume", "2")).returncode == 0
    await eventually(lambda: 2 in world.running)
    assert (await ask("pause")).stdout == "Paused everything: generation 5.\n"
    assert "everything is paused" in (await ask("status")).stdout
    assert (await ask("resume")).returncode == 0
    unknown = await ask("pause", "99")
    assert (unknown.returncode, unknown.stderr) == (1, "Error: Not in the desired state: 99.\n")


# ---------------------------------------------------------------- history, events, why


async def test_history_says_who_did_what_and_rollback_undoes_it(world: ApiWorld, ask: Ask) -> None:
    await ask("stop", "1")
    first, second = (await ask("history")).stdout.splitlines()[1:]
    assert re.match(r"2 .* api matlabctl:\S+ .* in force", first)
    assert second.startswith("1 ")
    assert "~  user 1  {} → {state: stopped}" in (await ask("history", "2")).stdout
    assert (await ask("history", "1", "--text")).stdout == TEN
    done = await ask("rollback", "1")
    assert done.stdout.splitlines()[:2] == ["Generation 3 is in force.", "~  user 1  {state: stopped} → {}"]
    assert world.store.current.users[1].state is not RunState.STOPPED
    gone = await ask("rollback", "77")
    assert gone.returncode == 1
    assert "77" in gone.stderr
    assert (await ask("history", "--text")).returncode == 2


async def test_why_names_who_asked(ask: Ask) -> None:
    await ask("stop", "1")
    chain = (await ask("why", "1")).stdout
    assert re.search(r"^asked +stopped, .*, by api matlabctl:\S+ in generation 2, ", chain, re.M)
    assert re.search(r"^decided +stop: wanted stopped", chain, re.M)
    assert re.search(r"^next +nothing is left to do\.", chain, re.M)


async def test_why_tells_what_failed_and_when_it_is_tried_again(world: ApiWorld, ask: Ask) -> None:
    world.engine.taken_ports.add(30011)
    assert (await ask("create", "11", "--wait", "20")).returncode == 1
    chain = (await ask("why", "11")).stdout
    assert re.search(r"^decided +start: made, and not started yet, ", chain, re.M)
    assert re.search(r"^the engine +Port 30011 is already in use", chain, re.M)
    assert re.search(r"^next +the next try is ", chain, re.M), "the error is told once"


async def test_why_tells_an_error_and_what_to_do_as_two_sentences(world: ApiWorld, ask: Ask) -> None:
    await world.engine_leaves()
    await ask("create", "11", "--wait", "0")
    chain = (await ask("why", "11")).stdout
    assert re.search(r"^the engine +[^.]+\. Check that the Docker engine runs", chain, re.M)


async def test_why_tells_what_was_written_and_is_not_in_force(ask: Ask, place: Place, tmp_path: Path) -> None:
    place.file.write_text(without(3, 4, 5, 6, 7))
    await eventually_says(ask, "why", "3", says="a change that would remove this session, by file, ")
    assert "held" not in (await ask("why", "1")).stdout
    await ask("reject")
    place.file.write_text(TEN.replace("  3: {", "  3: {stat: stopped, "))
    await eventually_says(ask, "why", "1", says="unknown key `stat`")
    shown = (await ask("status")).stdout
    assert "is not valid as it stands now" in shown
    assert ":0:0:" not in shown


async def test_events_are_told_and_followed(world: ApiWorld, ask: Ask, tmp_path: Path) -> None:
    await ask("stop", "1")
    shown = (await ask("events", "1")).stdout
    assert re.search(r"  user 1 +Changed +api matlabctl:\S+: \{\} → \{state: stopped\}\n", shown)
    assert "ActionDone      stop: wanted stopped" in shown
    assert "user 2" not in shown
    told = json.loads((await ask("events", "2-3", "-o", "json")).stdout)["events"]
    assert {each["user_id"] for each in told} == {2, 3}
    told = json.loads((await ask("events", "-k", "wish", "--kind", "engine", "-o", "json")).stdout)["events"]
    assert {each["kind"] for each in told} == {"wish", "engine"}
    assert (await ask("events", "-k", "conflict")).stdout == "Nothing of this kind has happened yet.\n"
    assert (await ask("events", "-k", "gossip")).returncode == 2
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "events", "-f", "-n", "1", "-o", "json"),
        cwd=tmp_path,
        env=environment(MCM_API_PORT=str(world.port)),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            await process.stdout.readline()
            await ask("start", "1", "--wait", "0")
            assert (json.loads(await process.stdout.readline()))["reason"] == "Changed"
    finally:
        process.kill()
        await process.wait()
