"""`matlabctl` as a person or a script meets it: its own process, a real terminal where that matters, the real API."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
import yaml
from aiohttp import web
from click.testing import CliRunner

from controller import cli
from controller.api import Terms, build_app
from controller.connections import Runner
from controller.errors import Problem
from controller.model import (
    Activity,
    DesiredState,
    EngineView,
    Probe,
    RunState,
    Usage,
    UserView,
    Wish,
)
from controller.settings import Settings, environment_name
from controller.store import Commit, Sync, WishHealth
from controller.target import Profile, Site
from tests.api_world import UNLOCKED
from tests.serving import on_loopback, served
from tests.shell import COMMAND, environment, on_terminal, plain, run
from tests.worlds import GIB, a_container

TOKEN = ("token create", "token list", "token revoke")
COMMANDS = tuple(name for section in cli.COMMANDS.values() for name in section)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


# ---------------------------------------------------------------- the commands as a whole


@pytest.mark.parametrize("command", [*COMMANDS, "service install", "service status", "service uninstall", *TOKEN])
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    done = CliRunner().invoke(cli.main, [*command.split(), "--help"], prog_name="matlabctl", terminal_width=80)
    assert done.exit_code == 0
    assert "Example" in done.output
    assert f"matlabctl {command}" in done.output
    assert max(map(len, done.output.splitlines())) <= 80


def test_the_help_lists_every_command(folder: Path) -> None:
    shown = run(folder, "--help", COLUMNS="80").stdout
    assert all(f"\n  {command} " in shown for command in COMMANDS)
    described = re.findall(r"^  [a-z]+ +(?=[A-Z])", shown.partition("\nSee:\n")[2], re.M)
    assert len(set(map(len, described))) == 1, "all sections are aligned alike"
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(folder: Path, shell: str) -> None:
    assert "_MATLABCTL_COMPLETE" in run(folder, "completion", shell).stdout


def test_completing_a_command_loads_no_commands(folder: Path) -> None:
    env = environment(_MATLABCTL_COMPLETE="bash_complete", COMP_WORDS="matlabctl des", COMP_CWORD="1")
    words = [sys.executable, "-X", "importtime", "-c", "from controller.cli import main; main(prog_name='matlabctl')"]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,describe", "plain,destroy"]
    assert "controller.cli.detail" not in done.stderr


def test_help_tells_the_exit_codes_and_loads_nothing_heavy(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "controller", "--help"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "3  the controller cannot be reached" in done.stdout
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert not loaded & {"pydantic", "aiohttp", "docker", "rich"}


def test_the_version_is_the_packages(folder: Path) -> None:
    assert re.fullmatch(r"matlabctl \d+\.\d+\.\d+\n", run(folder, "--version").stdout)


def test_an_unknown_command_is_a_wrong_command(folder: Path) -> None:
    done = run(folder, "lst")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command" in done.stderr


@pytest.mark.parametrize("command", ["serve", "settings", "validate", "status", "list"])
def test_a_wrong_setting_is_a_sentence_and_exit_code_2(folder: Path, command: str) -> None:
    (folder / "controller.yaml").write_text("api_prot: 1\n")
    done = run(folder, command)
    assert done.returncode == 2
    assert done.stderr == "Error: controller.yaml line 1: api_prot is not a setting; did you mean api_port?\n"


# ---------------------------------------------------------------- settings


def test_settings_tell_value_and_origin_for_programs(folder: Path) -> None:
    (folder / "controller.yaml").write_text("max_users: 7\n")
    words = ("settings", "--instance", "flagged", "-o")
    done = run(folder, *words, "json", MCM_API_PORT="1234")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == set(Settings.model_fields)
    assert told["api_port"]["value"] == 1234
    assert told["api_port"]["environment"] == "MCM_API_PORT"
    origins = {name: told[name]["origin"] for name in ("api_port", "max_users", "instance", "api_host")}
    assert origins == {
        "api_port": "environment MCM_API_PORT",
        "max_users": "controller.yaml line 1",
        "instance": "flag --instance",
        "api_host": "default",
    }
    assert yaml.safe_load(run(folder, *words, "yaml", MCM_API_PORT="1234").stdout) == told


def test_settings_shown_as_yaml_could_be_given_in_the_file(folder: Path) -> None:
    values = {
        name: each["value"] for name, each in yaml.safe_load(run(folder, "settings", "-o", "yaml").stdout).items()
    }
    (folder / "other.yaml").write_text(yaml.safe_dump(values))
    told = json.loads(run(folder, "settings", "--config", "other.yaml", "-o", "json").stdout)
    assert {name: each["value"] for name, each in told.items()} == values
    assert all(each["origin"].startswith("other.yaml line ") for each in told.values())


@pytest.mark.parametrize("columns", [80, 200])
def test_the_table_of_settings_fits_the_terminal_and_loses_nothing(folder: Path, columns: int) -> None:
    shown = plain(on_terminal(folder, columns, "settings", "--api-port", "1234"))
    lines = shown.splitlines()
    assert max(map(len, lines)) <= columns
    assert "…" not in shown
    for name in Settings.model_fields:
        assert name in shown
        assert (environment_name(name) or "") in shown
    assert "flag --api-port" in shown
    if columns == 200:
        starts = {line.index("MCM_") for line in lines if "  MCM_" in line}
        assert len(starts) == 1, "the columns are not aligned"


def test_in_a_pipe_every_setting_is_one_line(folder: Path) -> None:
    lines = run(folder, "settings").stdout.splitlines()
    assert len(lines) == 1 + len(Settings.model_fields)
    assert not [line for line in lines if line.endswith(" ")]
    assert "\x1b" not in "".join(lines)


# ---------------------------------------------------------------- validate and schema


def test_a_good_desired_state_is_told_to_be_good(folder: Path) -> None:
    (folder / "desired_state.yaml").write_text("version: 1\nusers:\n  1: {}\n  5: {state: stopped}\n")
    done = run(folder, "validate")
    assert (done.returncode, done.stdout) == (0, f"{folder}/desired_state.yaml is good: 2 users, 1 of them stopped.\n")


def test_each_fault_of_a_desired_state_is_a_line_that_editors_can_read(folder: Path) -> None:
    (folder / "wish.yaml").write_text("version: 1\nusers:\n  1: {stat: running}\n  101: {}\n")
    done = run(folder, "validate", "wish.yaml")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert re.match(r"wish\.yaml:3:7: .*`stat`.*`state`", first)
    assert re.match(r"wish\.yaml:4:3: .*1 to 100", second)
    told = json.loads(run(folder, "validate", "wish.yaml", "-o", "json").stdout)
    assert (told["file"], told["valid"]) == ("wish.yaml", False)
    assert [(each["line"], each["column"]) for each in told["problems"]] == [(3, 7), (4, 3)]


def test_validation_goes_by_the_settings(folder: Path) -> None:
    (folder / "controller.yaml").write_text("default_profile: small\nprofiles: {small: {cpus: 1}}\n")
    (folder / "wish.yaml").write_text("version: 1\nusers:\n  101: {profile: small}\n")
    assert run(folder, "validate", "wish.yaml", MCM_MAX_USERS="200").returncode == 0
    (folder / "wish.yaml").write_text("version: 1\nusers:\n  1: {profile: standard}\n")
    assert "there are: small" in run(folder, "validate", "wish.yaml").stdout


def test_a_desired_state_that_cannot_be_read_is_exit_code_2(folder: Path) -> None:
    for name in ("none.yaml", "."):
        done = run(folder, "validate", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(rf"Error: {re.escape(name)} cannot be read: .+\.\n", done.stderr)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"\x1b[31m: 1\n", b"a: [\n" * 1000, b"#" * 300_000])
def test_no_desired_state_makes_a_traceback_or_reaches_the_terminal_raw(folder: Path, raw: bytes) -> None:
    (folder / "wish.yaml").write_bytes(raw)
    done = run(folder, "validate", "wish.yaml")
    assert done.returncode == 1
    assert done.stdout.startswith("wish.yaml:")
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout


def test_the_schema_is_a_json_schema_that_takes_a_good_state_and_refuses_another(folder: Path) -> None:
    schema = json.loads(run(folder, "schema").stdout)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    assert validator(schema).is_valid({"version": 1, "users": {"1": {}}})
    assert not validator(schema).is_valid({"version": 1, "users": {"1": {"image": "x"}}})


# ---------------------------------------------------------------- the client, against the real API


NOW = datetime.now(UTC)
SITE = Site(
    "test",
    "matlab-user-",
    "/data",
    30000,
    31000,
    "127.0.0.1",
    "1000:1000",
    "p",
    {"p": Profile("i", 2, GIB, GIB, {}, None)},
)
RUNNING = a_container(name="matlab-user-1", user_id=1, created_at=NOW - timedelta(days=5, hours=12))
ENGINE = EngineView(reachable=True, version="20.10", last_seen=NOW, error="")
READY = UserView(
    user_id=1,
    engine=ENGINE,
    container=RUNNING,
    observed_at=NOW,
    probe=Probe(web=True, websocket=True, checked_at=NOW, detail=""),
    ready_since=NOW,
    usage=Usage(cpu_percent=2.74, memory=GIB // 2, memory_limit=GIB, sampled_at=NOW),
)
GONE = replace(READY, user_id=100, container=None, probe=None, ready_since=None, usage=None)


class Controller:
    """The API over values instead of an engine: what it tells can be set."""

    def __init__(self) -> None:
        self.engine = ENGINE
        self.wish = DesiredState(generation=12, users={1: Wish(), 100: Wish(state=RunState.STOPPED)})
        self.health = WishHealth("/wish.yaml", True, (), NOW)
        self.seen: tuple[UserView, ...] = (READY,)
        self.pending = None
        self.sync: Sync | None = None
        self.url = ""

    def asked(self, _: int) -> None:
        return None

    @property
    def current(self) -> DesiredState:
        return self.wish

    def views(self) -> tuple[UserView, ...]:
        return tuple(replace(view, engine=self.engine) for view in self.seen)

    def view(self, user_id: int) -> UserView:
        seen = {view.user_id: view for view in self.views()}
        return seen.get(user_id) or replace(GONE, user_id=user_id, engine=self.engine)

    def subscribe(self, listener: object) -> None:
        """Nothing here changes by itself."""

    follow = record = subscribe

    def activity(self) -> Activity:
        return Activity(queued=3, working=2, starting=1, backing_off=4, resyncs=9, resync_ms=34)


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    values = Controller()
    parts = cast(Any, values)
    runner = Runner(build_app(parts, parts, parts, SITE, Terms(100, 25, "0.1.0"), UNLOCKED), shutdown_timeout=1)
    async with on_loopback(runner) as port:
        values.url = f"http://127.0.0.1:{port}"
        yield values


async def test_list_shows_a_row_for_each_user_that_80_columns_hold(folder: Path, controller: Controller) -> None:
    shown = plain(await asyncio.to_thread(on_terminal, folder, 80, "list", "--server", controller.url))
    head, first, second = (line.split() for line in shown.splitlines())
    assert head == ["ID", "DESIRED", "STATUS", "READY", "CPU", "MEMORY", "AGE", "TROUBLE"]
    assert first == ["1", "running", "running", "yes", "2.7%", "512MiB", "/", "1GiB", "5d"]
    assert second == ["100", "stopped", "-", "no", "-", "-", "-"]


async def test_list_breaks_no_word_where_there_is_less_room(folder: Path, controller: Controller) -> None:
    shown = plain(await asyncio.to_thread(on_terminal, folder, 50, "list", "--server", controller.url))
    head, first, second = (line.split() for line in shown.splitlines())
    assert head == ["ID", "DESIRED", "STATUS", "READY", "TROUBLE"]
    assert (first, second) == (["1", "running", "running", "yes"], ["100", "stopped", "-", "no"])


async def test_list_for_programs_is_what_the_api_answered(folder: Path, controller: Controller) -> None:
    words = ("list", "--server", controller.url, "-o")
    told = json.loads((await asyncio.to_thread(run, folder, *words, "json")).stdout)
    assert [user["user_id"] for user in told["users"]] == [1, 100]
    assert yaml.safe_load((await asyncio.to_thread(run, folder, *words, "yaml")).stdout)["total"] == 2


async def test_list_says_when_it_tells_of_the_past(folder: Path, controller: Controller) -> None:
    controller.engine = replace(ENGINE, reachable=False, error="the socket is gone")
    done = await asyncio.to_thread(run, folder, "list", "--server", controller.url)
    assert done.returncode == 0
    assert "The engine cannot be reached" in done.stderr
    assert " ? " in done.stdout


async def test_list_without_users_is_a_sentence(folder: Path, controller: Controller) -> None:
    controller.wish, controller.seen = DesiredState(), ()
    assert "No user" in (await asyncio.to_thread(run, folder, "list", "--server", controller.url)).stdout


async def test_status_shows_wish_engine_users_and_work(folder: Path, controller: Controller) -> None:
    done = await asyncio.to_thread(run, folder, "status", "--server", controller.url)
    rows = dict(re.split(r"\s{2,}", line.rstrip(), maxsplit=1) for line in done.stdout.splitlines())
    assert rows["controller"] == f"0.1.0, instance test, {controller.url}"
    assert rows["desired state"] == "generation 12, /wish.yaml"
    assert rows["engine"] == "Docker 20.10"
    assert rows["users"] == "2 declared, 1 container, 1 running, 1 ready"
    assert rows["work"] == "3 queued, 2 working, 1 starting, 4 backing off"
    assert rows["resync"] == "9 so far, the last in 34 ms"


async def test_status_shows_how_a_branch_stands(folder: Path, controller: Controller) -> None:
    newest = Commit("0123456789abcdef", "Ann <ann@example.org>", NOW, "one more")
    controller.sync = Sync("/srv/lab.git", "main", "wish.yaml", True, newest, "0123456789abcdef", NOW, "")
    done = await asyncio.to_thread(run, folder, "status", "--server", controller.url)
    assert "synced; commit 0123456789ab by Ann <ann@example.org> at " in done.stdout
    controller.sync = replace(controller.sync, error="git fetch: no route to host")
    done = await asyncio.to_thread(run, folder, "status", "--server", controller.url)
    assert "unreachable; commit 0123456789ab" in done.stdout
    assert "no route to host" in done.stdout


async def test_status_shows_where_the_wish_is_wrong_and_why_the_engine_is_away(
    folder: Path, controller: Controller
) -> None:
    controller.engine = EngineView(error="the socket is gone")
    controller.health = replace(controller.health, valid=False, problems=(Problem(3, 7, "what is \x1b[31mthis"),))
    done = await asyncio.to_thread(run, folder, "status", "--server", controller.url)
    assert "/wish.yaml:3:7: what is \\x1b[31mthis" in done.stdout
    assert "cannot be reached, last seen never: the socket is gone" in done.stdout


async def test_the_settings_say_where_the_controller_is(folder: Path, controller: Controller) -> None:
    port = controller.url.rpartition(":")[2]
    proxy = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    done = await asyncio.to_thread(run, folder, "status", MCM_API_PORT=port, **proxy)
    assert done.returncode == 0, done.stderr


def test_a_controller_that_is_not_there_is_exit_code_3(folder: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and does not listen
        port = held.getsockname()[1]
        done = run(folder, "list", MCM_API_PORT=str(port))
    assert (done.returncode, done.stdout) == (3, "")
    expected = f"Error: No controller can be reached at http://127.0.0.1:{port}: Connection refused."
    assert done.stderr.startswith(expected)


@pytest.mark.parametrize(
    ("status", "body", "code", "sentence"),
    [
        (500, '{"error": "It broke \\u001b[31m.", "request_id": "r"}', 1, "Error: It broke \\x1b[31m.\n"),
        (404, '{"error": "404: Not Found", "code": "not_found"}', 3, "is not this controller"),  # a session's page
        (200, "<html>", 3, "is not this controller"),
        (200, "[]", 3, "is not this controller"),
        (200, '{"other": 1}', 3, "is not this controller"),
        (404, "gone", 3, "is not this controller"),
    ],
)
async def test_an_answer_that_is_no_status_is_a_sentence(
    folder: Path, status: int, body: str, code: int, sentence: str
) -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text=body)

    async with served(handler) as server:
        done = await asyncio.to_thread(run, folder, "status", "--server", server)
    assert done.returncode == code
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


async def test_what_is_no_controller_is_not_followed(folder: Path) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(text='{"events": []}' if "after" not in request.query else '{"other": 1}')

    async with served(handler) as server, asyncio.timeout(20):
        done = await asyncio.to_thread(run, folder, "events", "-f", "--server", server)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "is not this controller" in done.stderr


@pytest.mark.parametrize(
    "server", ["localhost:8080", "ftp://x", "http://", "http://x:99999", "http://x/y", "http://[::1"]
)
def test_an_address_that_is_none_is_a_wrong_command(folder: Path, server: str) -> None:
    done = run(folder, "status", "--server", server)
    assert done.returncode == 2
    assert "--server must be an address such as" in done.stderr


# ---------------------------------------------------------------- serve


def test_serve_has_a_flag_for_every_setting_that_is_one_value(folder: Path) -> None:
    told = run(folder, "serve", "--help").stdout
    for name in filter(environment_name, Settings.model_fields):
        assert f"--{name.replace('_', '-')} " in told


def test_serve_carries_no_table_printer() -> None:
    program = "import sys, controller.cli.serve; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_serve_tells_where_things_are_and_on_ctrl_c_that_sessions_stay(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = environment(
        MCM_API_PORT=str(port),
        MCM_STATE_DIR=str(folder / "state"),
        MCM_DATA_ROOT=str(folder / "data"),
        DOCKER_HOST=f"unix://{folder}/no.sock",
        PYTHONUNBUFFERED="1",
    )
    process = subprocess.Popen(
        [*COMMAND, "serve"], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 20
        while not _answers(f"http://127.0.0.1:{port}/healthz"):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until, "the API did not come up"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    for fact in (f"http://127.0.0.1:{port}", f"{folder}/desired_state.yaml", f"{folder}/data"):
        assert fact in out
    assert out.rstrip().splitlines()[-1].startswith("The controller has stopped. Sessions stay")


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=1):
            return True
    except OSError:
        time.sleep(0.05)
        return False
