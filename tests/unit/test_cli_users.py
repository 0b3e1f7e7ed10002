"""`matlabctl`'s commands about users, against the real API and loop over a fake engine."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.cli import main
from controller.cli.follow import new_lines
from controller.cli.users import spelled
from controller.model import RunState, Wish
from tests.api_world import ApiWorld, api_world
from tests.shell import COMMAND, Ask, environment, on_terminal, plain


@pytest.fixture
async def world() -> AsyncIterator[ApiWorld]:
    async with api_world() as world:
        yield world


# ---------------------------------------------------------------- changing


async def test_create_takes_ranges_and_waits_until_sessions_can_be_used(world: ApiWorld, ask: Ask) -> None:
    done = await ask("create", "1-3,9")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(line.split(" (")[0].split("  ")[0] for line in done.stdout.splitlines()) == [
        f"user {user_id}: ready" for user_id in (1, 2, 3, 9)
    ]
    assert "http://127.0.0.1:30009/" in done.stdout
    assert sorted(world.store.current.users) == [1, 2, 3, 9]


async def test_whatever_is_done_to_many_is_one_generation(world: ApiWorld, ask: Ask) -> None:
    for generation, words in enumerate(("create 1-3", "stop all", "start 1-2", "restart 1-3", "destroy 1,3"), 2):
        assert (await ask(*words.split())).returncode == 0
        assert world.store.current.generation == generation, words
    assert sorted(world.store.current.users) == [2]


async def test_what_is_as_asked_already_is_done_at_once_and_writes_nothing(world: ApiWorld, ask: Ask) -> None:
    await ask("create", "1-2")
    assert (await ask("start", "1-2")).stdout.count(": ready") == 2
    assert world.store.current.generation == 2


async def test_a_paused_user_is_told_and_not_waited_for(world: ApiWorld, ask: Ask) -> None:
    world.store.want(u1=Wish(RunState.STOPPED, paused=True))
    done = await ask("start", "1")
    assert done.returncode == 1
    assert "paused for this user: nothing is done." in done.stdout


async def test_create_gives_a_profile_and_leaves_the_rest_of_an_entry(world: ApiWorld, ask: Ask) -> None:
    await world.create(1, session_id="s-1")
    assert (await ask("create", "1-2", "--profile", "large")).returncode == 0
    assert world.wish(1) == Wish(profile="large", session_id="s-1")
    assert world.wish(2) == Wish(profile="large")


async def test_stop_start_restart_and_destroy(world: ApiWorld, ask: Ask) -> None:
    await world.call("PUT", "/v1/users/1", json={"profile": "large", "session_id": "s-1"})
    await world.create(2)
    done = await ask("stop", "all")
    assert sorted(line.split(" (")[0] for line in done.stdout.splitlines()) == ["user 1: stopped", "user 2: stopped"]
    assert world.wish(1) == Wish(RunState.STOPPED, "large", "s-1")
    assert (await ask("start", "1")).stdout.startswith("user 1: ready")
    assert world.wish(1) == Wish(None, "large", "s-1")
    first = world.informer.view(1).container
    assert (await ask("restart", "1")).stdout.startswith("user 1: ready")
    second = world.informer.view(1).container
    assert first
    assert second
    assert (first.id, first.started_at) != (second.id, second.started_at)
    assert (await ask("destroy", "1", "2")).returncode == 0  # in a pipe there is nobody to ask
    assert not world.store.current.users
    assert not world.engine.containers()


async def test_a_restart_is_never_told_of_the_run_that_was_there(world: ApiWorld, ask: Ask) -> None:
    """Whose engine's clock was set back: that run began after the moment at which the restart was asked for."""
    await world.create(1)
    before = world.engine.box("matlab-user-1")
    assert before
    world.engine.set_clock(timedelta(hours=-1))
    world.engine.left_behind.add(before.id)
    refused = await ask("restart", "1")
    assert (refused.returncode, ": ready" in refused.stdout) == (1, False), refused.stdout
    world.engine.left_behind.clear()
    assert (await ask("restart", "1")).stdout.startswith("user 1: ready")
    after = world.engine.box("matlab-user-1")
    assert after
    assert after.started_at != before.started_at


async def test_what_was_refused_is_told_for_each_and_the_others_are_done(world: ApiWorld, ask: Ask) -> None:
    await world.create(1)
    done = await ask("stop", "1,5", "101")
    assert done.returncode == 1
    assert "user 1: stopped" in done.stdout
    assert "user 5: is not in the desired state; `matlabctl create` takes in new users." in done.stdout
    assert done.stderr == "Error: Not done for 2 of 3 users: 5,101.\n"
    done = await ask("create", "99-101")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: Invalid user_id. Must be between 1 and 100.\n"
    assert sorted(world.store.current.users) == [1], "half of it was done"


async def test_a_session_that_cannot_be_made_says_why_and_who_tells_more(world: ApiWorld, ask: Ask) -> None:
    world.engine.images.clear()
    done = await ask("create", "4", "--wait", "5")
    assert done.returncode == 1
    assert "user 4: The engine does not have the image" in done.stdout
    assert "make image" in done.stdout
    assert done.stderr == "Error: Not done for user 4. `matlabctl why 4` tells how it goes on.\n"


async def test_a_session_that_never_gets_ready_is_waited_for_only_so_long(world: ApiWorld, ask: Ask) -> None:
    world.services.web = False
    done = await ask("create", "4", "--wait", "0.5")
    assert done.returncode == 1
    assert "user 4: not after 0.5 s: The " in done.stdout
    assert (await ask("create", "4", "--wait", "0")).returncode == 0


async def test_outcomes_for_programs(world: ApiWorld, ask: Ask) -> None:
    done = await ask("create", "2,1", "-o", "json")
    told = json.loads(done.stdout)
    assert [(each["user_id"], each["done"], each["outcome"], each["url"]) for each in told] == [
        (1, True, "ready", "http://127.0.0.1:30001/"),
        (2, True, "ready", "http://127.0.0.1:30002/"),
    ]


async def test_on_a_terminal_destroy_asks_and_a_bar_is_drawn(world: ApiWorld, tmp_path: Path) -> None:
    await world.create(1)
    server = world.url
    asked = asyncio.to_thread(on_terminal, tmp_path, 80, "destroy", "1", "--server", server, answer="n\n")
    assert "Remove the container of user 1? 1 session runs and ends; files stay. [y/N]" in await asked
    assert world.wish(1)
    shown = await asyncio.to_thread(on_terminal, tmp_path, 80, "destroy", "1", "--server", server, answer="y\n")
    assert "user 1: removed; its files stay" in plain(shown)
    assert world.wish(1) is None


@pytest.mark.parametrize("words", ["0", "1-", "1-x", "-1", "1,,2", "010", "1000", "matlab-user-1"])
def test_what_names_no_user_is_a_wrong_command(words: str) -> None:
    done = CliRunner().invoke(main, ["stop", "--", words])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "names no user" in done.stderr


def test_ids_are_spelled_as_people_write_them() -> None:
    assert spelled([9, 1, 2, 3, 5]) == "1-3,5,9"
    assert spelled([]) == ""


# ---------------------------------------------------------------- looking


async def test_list_shows_those_that_were_named(world: ApiWorld, ask: Ask) -> None:
    await ask("create", "1-3")
    done = await ask("get", "2", "7")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ID", "2"]
    told = json.loads((await ask("list", "1-2", "-o", "json")).stdout)
    assert (told["total"], [each["user_id"] for each in told["users"]]) == (2, [1, 2])


async def test_list_names_the_trouble_in_one_word(world: ApiWorld, ask: Ask) -> None:
    world.engine.taken_ports.add(30001)
    await world.create(1)
    assert (await ask("list", "1")).stdout.splitlines()[1].split()[-1] == "PortTaken"


async def test_following_into_a_pipe_tells_each_change_once(world: ApiWorld, tmp_path: Path) -> None:
    await world.create(1)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "list", "--watch", cwd=tmp_path, env=environment(MCM_API_PORT=str(world.port)), stdout=-1
    )
    assert process.stdout is not None

    async def line() -> str:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            return (await process.stdout.readline()).decode()

    try:
        assert "user=1 desired=running status=running" in await line()
        await world.call("DELETE", "/v1/users/1")
        while "desired=- status=-" not in await line():
            pass
    finally:
        process.kill()
        await process.wait()


async def test_describe_tells_all_and_for_programs_the_document(world: ApiWorld, ask: Ask) -> None:
    await ask("create", "7", "--session-id", "s-7")
    shown = (await ask("describe", "7")).stdout
    for fact in (
        "User 7",
        "profile standard",
        "s-7",
        "matlab-user-7, running",
        "http://127.0.0.1:30007/",
        "octave 7.3.0",
    ):
        assert fact in shown
    assert json.loads((await ask("describe", "7", "-o", "json")).stdout)["container_id"] == "matlab-user-7"
    gone = await ask("describe", "8")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr.startswith("Error: User 8 is not in the desired state;")


async def test_describe_says_of_nobody_that_there_is_no_container_while_the_engine_is_away(
    world: ApiWorld, ask: Ask
) -> None:
    await world.engine_leaves()
    shown = (await ask("describe", "8")).stdout
    assert re.search(r"^container +not seen yet$", shown, re.M)
    assert "The engine cannot be reached" in shown


async def test_health_is_an_exit_code(world: ApiWorld, ask: Ask) -> None:
    await ask("create", "1-2")
    await ask("stop", "2")
    done = await ask("health")
    assert (done.returncode, [line.split()[1] for line in done.stdout.splitlines()[1:]]) == (0, ["healthy", "stopped"])
    assert (await ask("health", "3")).returncode == 1
    await world.engine_leaves()
    told = await ask("health", "1", "-o", "json")
    assert told.returncode == 1
    assert [(each["healthy"], each["health"]) for each in json.loads(told.stdout)["users"]] == [(False, "unknown")]


async def test_who_is_not_declared_is_not_said_to_have_nothing_while_the_engine_is_away(
    world: ApiWorld, ask: Ask
) -> None:
    assert "The user is not in the desired state and has no container." in (await ask("health", "3")).stdout
    await world.engine_leaves()
    told = json.loads((await ask("health", "3", "-o", "json")).stdout)["users"][0]
    assert (told["healthy"], told["health"]) == (False, "unknown")
    assert told["why"] == (
        "The user is not in the desired state; whether there is a container is not known, for the engine cannot be "
        "reached."
    )
    for words in (("health",), ("list",), ("list", "3")):
        assert "The engine cannot be reached" in (await ask(*words)).stderr, words


async def test_open_prints_the_address_where_there_is_no_screen(world: ApiWorld, ask: Ask) -> None:
    await ask("create", "7")
    assert (await ask("open", "7", "--print")).stdout == "http://127.0.0.1:30007/\n"
    await ask("destroy", "7")
    assert (await ask("open", "7")).returncode == 1


async def test_logs_are_the_last_lines_made_harmless(world: ApiWorld, ask: Ask) -> None:
    await ask("create", "7")
    world.engine.says("matlab-user-7", *map(str, range(200)), "\x1b[31mred")
    done = await ask("logs", "7", "-n", "2")
    assert done.stdout == "199\n\\x1b[31mred\n"


def test_following_a_log_prints_what_is_new() -> None:
    assert new_lines(["a", "b"], ["a", "b", "c"]) == ["c"]
    assert new_lines(["a", "b", "c"], ["b", "c", "d"]) == ["d"]
    assert new_lines(["a", "b"], ["a", "b"]) == []
    assert new_lines(["a", "b"], ["x"]) == ["x"]
    assert new_lines([], ["x"]) == ["x"]
    assert new_lines(["-", "-"], ["-", "-", "-"]) == ["-"]


async def test_a_word_from_inside_a_session_cannot_drive_the_terminal(world: ApiWorld, ask: Ask) -> None:
    world.services.session = replace(world.services.session, interpreter="octave \x1b]0;gotcha\x07")
    await ask("create", "7")
    assert "\x1b" not in (await ask("describe", "7")).stdout


async def test_a_log_that_is_followed_is_an_object_a_line_for_programs(world: ApiWorld, tmp_path: Path) -> None:
    await world.create(1)
    world.engine.says("matlab-user-1", "before")
    words, variables = ("logs", "1", "-f", "-n", "1", "-o", "json"), environment(MCM_API_PORT=str(world.port))
    process = await asyncio.create_subprocess_exec(*COMMAND, *words, cwd=tmp_path, env=variables, stdout=-1)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            assert json.loads(await process.stdout.readline()) == {"user_id": 1, "line": "before"}
            world.engine.says("matlab-user-1", 'said "later"\t\x1b[1m')
            assert json.loads(await process.stdout.readline())["line"] == 'said "later"\t\x1b[1m'
    finally:
        process.kill()
        await process.wait()
