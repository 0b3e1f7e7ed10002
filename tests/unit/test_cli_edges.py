"""`matlabctl` where things end badly or oddly: words that are wrong, readers that leave, full disks, other formats."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from controller import cli
from controller.cli.service import standing
from controller.client import Answer
from tests.api_world import ApiWorld, api_world
from tests.shell import COMMAND, Ask, environment, on_terminal, plain, run
from tests.support import eventually
from tests.wish_place import Place


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    async with api_world(real_store=await place.running("version: 1\nusers:\n")) as world:
        yield world


# ---------------------------------------------------------------- wrong words


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("start", "7-1"), 2, "'7-1' runs backwards; write 1-7."),
        (("start", "1,,2"), 2, "'1,,2' names no users;"),
        (("start",), 2, "Missing argument"),
        (("list", "--wach"), 2, "No such option"),
        (("lst",), 2, "Did you mean `list`?"),
        (("--sevrer",), 2, "No such option"),
        (("list", "-o", "xml"), 2, "'xml' is not one of"),
        (("plan", "--what"), 1, "No such option"),  # 2 is plan's answer
    ],
)
def test_a_wrong_word_is_one_line_that_says_where_the_right_ones_stand(
    tmp_path: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    done = run(tmp_path, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("Error: ")
    assert sentence in done.stderr
    assert "--help` tells how it is used." in done.stderr
    assert done.stderr.count("\n") == 1


def test_on_a_narrow_terminal_it_is_wrapped_between_words(tmp_path: Path) -> None:
    shown = plain(on_terminal(tmp_path, 40, "start", "1,,2"))
    assert max(map(len, shown.splitlines())) < 40
    assert "write numbers from 1 to 999, ranges and lists of them," in " ".join(shown.split())


def test_so_is_a_fault_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("version: 1\nusers:\n  1: {stat: stopped}\n...\n")
    (tmp_path / "o.json").write_text('{"users": []}')
    for words in (("validate", "w.yaml"), ("plan", "w.yaml", "--observed", "o.json")):
        shown = plain(on_terminal(tmp_path, 40, *words))
        assert max(map(len, shown.splitlines())) <= 40
        assert "w.yaml:3:7: unknown key `stat` (did you mean `state`?)" in " ".join(shown.split())


async def test_what_is_long_goes_on_below_its_beginning(world: ApiWorld, tmp_path: Path) -> None:
    world.engine.taken_ports.add(30001)
    await world.create(1)
    server = ("--server", world.url)
    lines = plain(await asyncio.to_thread(on_terminal, tmp_path, 80, "events", "1", *server)).splitlines()
    assert max(map(len, lines)) <= 80
    further = [line for line in lines if not line.startswith("20")]
    assert further
    assert all(line.index(line.strip()) == 21 for line in further)
    shown = plain(await asyncio.to_thread(on_terminal, tmp_path, 80, "health", *server))
    assert "\nuser 1  The container is made and not started;" in shown


# ---------------------------------------------------------------- readers that leave, disks that are full


@pytest.mark.parametrize("words", [("list", "--watch"), ("events", "--follow"), ("logs", "1", "--follow")])
async def test_who_follows_ends_with_its_reader(world: ApiWorld, tmp_path: Path, words: tuple[str, ...]) -> None:
    await world.create(1)
    world.engine.says("matlab-user-1", "one")
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *words, cwd=tmp_path, env=environment(MCM_API_PORT=str(world.port)), stdout=write, stderr=-1
    )
    os.close(write)
    assert await asyncio.to_thread(os.read, read, 1)  # it has begun, and says nothing more
    os.close(read)
    async with asyncio.timeout(20):
        _, said = await process.communicate()
    assert said == b""
    assert process.returncode == 1


@pytest.mark.parametrize(
    "words", [("list",), ("list", "--watch"), ("export",), ("settings",), ("status", "-o", "yaml")]
)
async def test_a_full_disk_is_a_sentence(world: ApiWorld, tmp_path: Path, words: tuple[str, ...]) -> None:
    await world.create(1)
    full = os.open("/dev/full", os.O_WRONLY)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *words, cwd=tmp_path, env=environment(MCM_API_PORT=str(world.port)), stdout=full, stderr=-1
    )
    os.close(full)
    async with asyncio.timeout(20):
        _, said = await process.communicate()
    assert said == b"Error: There is no room on the disk for what was to be written.\n"
    assert process.returncode == 1


async def test_ctrl_c_while_waiting_is_no_traceback(world: ApiWorld, tmp_path: Path) -> None:
    world.services.web = False  # so that it waits
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "create", "1-2"), cwd=tmp_path, env=environment(MCM_API_PORT=str(world.port)), stdout=-1, stderr=-1
    )
    await eventually(lambda: len(world.engine.containers()) == 2)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(20):
        _, said = await process.communicate()
    assert said.startswith(b"Error: Not waited for any more. What was asked for stands:")
    assert process.returncode == 1


# ---------------------------------------------------------------- other formats


async def test_what_people_see_programs_can_have(ask: Ask, tmp_path: Path) -> None:
    await ask("create", "7")
    opened = json.loads((await ask("open", "7", "-o", "json")).stdout)
    assert (opened["user_id"], opened["url"], opened["answers"]) == (7, "http://127.0.0.1:30007/", True)

    kept = await ask("export", "-o", "yaml")
    assert yaml.safe_load(kept.stdout) == {"generation": 2, "text": (await ask("export")).stdout}
    assert "text: |" in kept.stdout, "a text of several lines does not look like one"
    done = await ask("export", "kept.yaml", "-o", "json")
    assert json.loads(done.stdout) == {"generation": 2, "file": "kept.yaml"}
    assert (tmp_path / "kept.yaml").read_text() == (await ask("export")).stdout

    done = await ask("diff", "-o", "json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["old"], told["new"], told["differ"]) == (2, "generation 1", "generation 2", True)
    assert "+  7: {}" in told["diff"]
    done = await ask("diff", "2", "2", "-o", "json")
    assert (done.returncode, json.loads(done.stdout)["diff"]) == (0, [])


def test_the_service_for_programs(tmp_path: Path) -> None:
    told = json.loads(run(tmp_path, "service", "install", "--dry-run", "-o", "json").stdout)
    assert told["installed"] is False
    assert told["unit"] == run(tmp_path, "service", "install", "--dry-run").stdout
    gone = json.loads(run(tmp_path, "service", "uninstall", "--dry-run", "-o", "json", XDG_CONFIG_HOME=".").stdout)
    assert gone["installed"] is Path(gone["file"]).exists()


def test_what_systemctl_shows_is_told_by_our_names() -> None:
    shown = "MainPID=812\nLoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n"
    assert standing(shown + "ActiveEnterTimestamp=Sun 2026-11-22 10:00:00 UTC\n") == {
        "loaded": "loaded",
        "active": "active",
        "state": "running",
        "at_boot": "enabled",
        "pid": "812",
        "since": "Sun 2026-11-22 10:00:00 UTC",
    }


# ---------------------------------------------------------------- completion


@pytest.mark.parametrize(
    ("typed", "offered"),
    [(("des",), {"describe", "destroy"}), (("list", "-o", "j"), {"json"}), (("service", "un"), {"uninstall"})],
)
def test_bash_completes_what_it_has_sourced(tmp_path: Path, typed: tuple[str, ...], offered: set[str]) -> None:
    words = " ".join(f"'{word}'" for word in ("matlabctl", *typed))
    script = (
        "source <(matlabctl completion bash); "
        f'COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _matlabctl_completion matlabctl; echo "${{COMPREPLY[@]}}"'
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment(PATH=path), capture_output=True, text=True, check=False
    )
    assert (set(done.stdout.split()), done.stderr) == (offered, "")


# ---------------------------------------------------------------- what nobody remembers


class Waiting:
    """An API at which the end of a session waits that was found running."""

    def get(self, *_: object) -> dict[str, object]:
        pending = {"id": "1", "since": "2026-11-30T12:00:00Z", "source": "start", "writer": "start", "why": "it ran"}
        return {"pending": {**pending, "removes": [8], "stops": [], "remakes": []}}

    def send(self, *_: object) -> Answer:
        return Answer(200, {"generation": 12})


def test_who_rejects_the_end_of_a_session_that_was_found_is_told_how_it_is_looked_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.cli.api.api_at", lambda *_: Waiting())
    told = CliRunner().invoke(cli.main, ["reject"], prog_name="matlabctl").output
    assert "Still paused: user 8. `matlabctl resume 8` has them looked after." in told
    assert "paused" not in CliRunner().invoke(cli.main, ["approve"], prog_name="matlabctl").output
