"""The session service with MATLAB behind it: the stand-in of tests/session/stand_in in a container of its own.

What holds for every interpreter is what holds for Octave: those tests are the same, brought here with other fixtures.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import re
import secrets
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import docker
import pytest
from docker.models.containers import Container

from tests.rig import Rig
from tests.session.conftest import ROOT, START_SECONDS, Session, Start, a_container
from tests.session.test_session_container import (  # noqa: F401 - collected here, too
    STARTUP,
    test_a_startup_that_kills_the_interpreter_leads_to_safe_mode,
    test_a_startup_that_never_ends_can_be_stopped,
)
from tests.session.test_session_methods import (  # noqa: F401 - collected here, too
    test_a_block_of_a_matrix_is_viewed,
    test_a_figure_that_is_not_there_is_refused,
    test_a_question_is_answered_after_the_commands_that_came_before_it,
    test_asking_is_seen_by_nobody_and_is_no_activity,
    test_figures_are_exported,
    test_status_tells_folder_memory_and_processor_time,
    test_structs_and_cells_are_viewed_as_trees,
    test_values_of_every_kind_are_viewed,
    test_what_is_not_there_cannot_be_viewed,
    test_what_nobody_asked_for_is_not_typed,
)
from tests.support import Lab, eventually

STAND_IN = Path(__file__).with_name("stand_in")
DOCKERFILE = """
FROM {image}
USER root
COPY stand_in /opt/stand_in
COPY mfiles /opt/session/mfiles
ENV SESSION_INTERPRETER=matlab PYTHONPATH=/opt/session:/opt/stand_in PATH=/opt/stand_in/bin:/usr/bin:/bin \\
    MLM_LICENSE_FILE=27000@licence.example
USER 1000:1000
LABEL run={run}
"""
"""Labelled, for else two runs of the tests at once would have one image, and the first to end would take it away."""
PROFILE = """\
default_profile: matlab
profiles:
  matlab: {{image: "{image}", licence: 27000@licence.example, cpus: 1, memory: 512m, shm: 64m, stop_grace_seconds: 30}}
"""
NO_LICENCE = {"MCM_USER_ID": "7", "MLM_LICENSE_FILE": ""}
TOKEN = "open-sesame"


@pytest.fixture(scope="module")
def matlab_image(session_image: str) -> Iterator[str]:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(STAND_IN, "stand_in", filter=_for_everybody)
        tar.add(ROOT / "matlab" / "matlab" / "mfiles", "mfiles", filter=_for_everybody)
        recipe = DOCKERFILE.format(image=session_image, run=secrets.token_hex(8)).encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(recipe)
        tar.addfile(entry, io.BytesIO(recipe))
    archive.seek(0)
    with contextlib.closing(docker.from_env()) as client:
        image, _ = client.images.build(fileobj=archive, custom_context=True, rm=True, forcerm=True)
        yield str(image.id)
        client.images.remove(str(image.id), force=True)


@pytest.fixture
def start(start: Start, matlab_image: str) -> Start:
    def run(files: dict[str, str] | None = None, **options: Any) -> Session:
        return start(files, image=matlab_image, **options)

    return run


@pytest.fixture(scope="module")
def shared_container(matlab_image: str) -> Iterator[tuple[Container, Path]]:
    with a_container(matlab_image, {}, {}) as made:
        yield made


@pytest.fixture(scope="module")
def mortal_container(matlab_image: str) -> Iterator[tuple[Container, Path]]:
    with a_container(matlab_image, {}, {}) as made:
        yield made


@pytest.fixture
async def mortal(mortal_container: tuple[Container, Path], http: aiohttp.ClientSession) -> Session:
    """The container of all tests in which MATLAB dies."""
    return await Session(*mortal_container, http).ready()


# ---------------------------------------------------------------- commands


async def test_a_command_is_evaluated_and_its_errors_are_matlabs(shared: Session) -> None:
    peer = await shared.connect()
    assert (await peer.eval("x = 6 * 7"))["output"] == "x = 42\n"
    (shared.folder / "Documents/MATLAB/fails.m").write_text("function fails(x)\n  error('My:id', 'bad %d', x);\nend\n")
    answer = await peer.eval("disp(x)\nfails(3)")
    assert (answer["status"], answer["output"]) == ("error", "42\n")
    assert answer["error"] == {
        "identifier": "My:id",
        "message": "bad 3",
        "stack": [
            {"file": "/home/matlab/shared/Documents/MATLAB/fails.m", "name": "fails", "line": 2, "column": 0},
        ],
    }
    assert (await shared.health())["interpreter"]["name"] == "matlab"


async def test_of_a_command_with_a_syntax_error_nothing_runs(shared: Session) -> None:
    peer = await shared.connect()
    answer = await peer.eval("z = 1\ndisp('ran')\nx = }")
    assert (answer["status"], answer["output"], answer["error"]["stack"]) == ("error", "", [])
    assert [v["name"] for v in (await peer.call("whos"))["variables"]] == []
    assert (await peer.eval("%{\nx = }\n%}\ndisp(1) % one"))["output"] == "1\n"


async def test_output_arrives_while_the_command_runs(shared: Session) -> None:
    peer = await shared.connect()
    call = await peer.send("eval", code="fprintf('fir'); disp('st'); pause(30)")
    await peer.until("output", lambda _: peer.printed() == "first\n")
    assert (await shared.health())["state"] == "busy"
    await peer.call("interrupt")
    assert (await peer.answer(call))["result"]["status"] == "interrupted"


async def test_text_of_any_script_and_length_passes_unharmed(shared: Session) -> None:
    peer = await shared.connect()
    long = "中é🙂" * 20_000
    answer = await peer.eval(f"x = '{long}'; disp(strcmp(x(end-3:end), '🙂')); disp(x(1:9))")
    assert answer["output"] == "1\n中é🙂\n"


async def test_what_runs_can_be_interrupted(shared: Session) -> None:
    peer = await shared.connect()
    for code in ("while true, end", "pause(60)"):
        call = await peer.send("eval", code=code)
        await peer.until("busy")
        assert (await peer.call("interrupt"))["interrupted"]
        assert (await peer.answer(call))["result"]["status"] == "interrupted"
        assert (await peer.eval("disp(1)"))["output"] == "1\n"


async def test_many_interrupts_hit_only_what_runs(shared: Session) -> None:
    peer = await shared.connect()
    for n in range(5):
        call = await peer.send("eval", code=f"while true, end % {n}")
        await peer.until("busy", lambda p, n=n: p["code"].endswith(f"% {n}"))  # type: ignore[misc]
        for _ in range(3):
            await peer.send("interrupt")
        assert (await peer.answer(call))["result"]["status"] == "interrupted"
        assert (await peer.eval(f"disp({n})"))["output"] == f"{n}\n"


async def test_our_functions_come_back_when_the_path_is_reset(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("restoredefaultpath();")
    await peer.eval("1;")
    assert (await peer.eval("disp(5)"))["output"] == "5\n"


async def test_variables_and_fields_are_completed_and_functions_are_not(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("long_name = 1; st.field = 2;")
    assert (await peer.call("complete", code="y = long_na"))["matches"] == ["long_name"]
    assert (await peer.call("complete", code="y = st.fi"))["matches"] == ["st.field"]
    assert (await peer.call("complete", code="plo"))["matches"] == []
    assert (await peer.call("complete", code="cd 'Documents/MAT"))["matches"] == ["MATLAB/"]


async def test_figures_are_told_of_and_shown_as_pictures(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("figure(2); plot(1:3);")
    (first,) = (await peer.call("figures"))["figures"]
    await peer.eval("title('changed');")
    (second,) = (await peer.call("figures"))["figures"]
    assert (first["number"], second["number"]) == (2, 2)
    assert second["revision"] > first["revision"]
    figure = await peer.call("figure.data", number=2)
    assert (figure["too_large"], figure["data"]) == (True, [])
    await peer.eval("close(2)")
    assert (await peer.call("figures"))["figures"] == []


async def test_files_are_uploaded_and_downloaded_on_the_websockets_port(shared: Session) -> None:
    address = shared.websocket.replace("ws:", "http:") + "files/results/a.bin"
    async with shared.http.put(address, data=b"\x00\x01") as answer:
        assert (await answer.json()) == {"size": 2}
    async with shared.http.get(address) as answer:
        assert await answer.read() == b"\x00\x01"


# ---------------------------------------------------------------- MATLAB's life


async def test_the_users_startup_runs_last_and_a_broken_one_is_reported(start: Start) -> None:
    session = await start({STARTUP: "from_startup = pwd;\nerror('Oh:no', 'oh no')"}).ready()
    peer = await session.connect("?transcript=1")
    (_, hello) = peer.heard[0]
    past = "".join(entry["params"].get("text", "") for entry in hello["transcript"])
    assert past == "startup.m: oh no\n"
    assert (await peer.eval("from_startup"))["output"] == "from_startup = /home/matlab/shared\n"


async def test_modules_in_the_users_folder_get_neither_into_the_service_nor_into_the_link(start: Start) -> None:
    session = await start({"json.py": "print('the user was here', flush=True); raise SystemExit(7)"}).ready()
    assert b"the user was here" not in session.container.logs()


async def test_a_restart_ends_what_runs_and_begins_anew(mortal: Session) -> None:
    peer = await mortal.connect()
    before = (await mortal.health())["interpreter"]["restarts"]
    await peer.eval("old = 1;")
    running = await peer.send("eval", code="while true, end")
    waiting = await peer.send("eval", code="y = 1;")
    assert (await peer.call("restart"))["interpreter"]["restarts"] == before + 1
    assert (await peer.answer(running))["result"]["status"] == "died"
    assert (await peer.answer(waiting))["result"]["status"] == "aborted"
    assert (await peer.until("exited"))["requested"]
    assert (await peer.eval("exist('old')"))["output"] == "ans = 0\n"
    assert _told(mortal)[-3:] == ["stop", "ended 0", "start"]


async def test_exit_gives_a_fresh_matlab(mortal: Session) -> None:
    peer = await mortal.connect()
    assert (await peer.eval("old = 1; exit"))["status"] == "died"
    assert (await peer.eval("exist('old')"))["output"] == "ans = 0\n"


async def test_a_matlab_that_dies_while_nothing_runs_is_noticed_and_started_again(mortal: Session) -> None:
    peer = await mortal.connect()
    await peer.eval("old = 1;")
    _kill(mortal, "MATLAB")
    await peer.until("exited")
    await peer.until("ready")
    assert (await peer.eval("exist('old')"))["output"] == "ans = 0\n"
    assert _told(mortal)[-1] == "start"


async def test_a_matlab_that_dies_while_a_command_runs_takes_it_along(mortal: Session) -> None:
    peer = await mortal.connect()
    call = await peer.send("eval", code="while true, end")
    await peer.until("busy")
    _kill(mortal, "MATLAB")
    assert (await peer.answer(call))["result"]["status"] == "died"
    assert (await peer.eval("disp(1)"))["output"] == "1\n"


async def test_stopping_the_container_ends_matlab_properly_even_while_it_is_busy(start: Start) -> None:
    finish = "fclose(fopen('/home/matlab/shared/results/finished', 'w'));"
    session = await start({"Documents/MATLAB/finish.m": finish}).ready()
    peer = await session.connect()
    await peer.send("eval", code="while true, end")
    await peer.until("busy")
    await asyncio.to_thread(session.container.stop, timeout=30)
    assert _told(session) == ["start", "stop", "ended 0", "terminated"]
    assert (session.folder / "results" / "finished").exists()
    session.container.reload()
    assert session.container.attrs["State"]["ExitCode"] == 0


async def test_a_matlab_that_does_not_end_is_killed_in_time(start: Start) -> None:
    environment = {"MCM_USER_ID": "7", "MCM_STOP_SECONDS": "1"}
    session = await start({"Documents/MATLAB/finish.m": "while true, end"}, environment=environment).ready()
    began = time.monotonic()
    await asyncio.to_thread(session.container.stop, timeout=30)
    assert time.monotonic() - began < 15
    assert _told(session)[:2] == ["start", "stop"]
    assert "ended 0" not in _told(session)


async def test_without_a_licence_the_page_is_there_and_the_session_waits(start: Start) -> None:
    session = start(environment=NO_LICENCE)
    await eventually(lambda: _answers(session), START_SECONDS)
    assert (await session.health())["state"] == "starting"
    assert not await session.is_open()
    await eventually(lambda: _shows_desktop(session), START_SECONDS)


async def test_a_link_that_cannot_be_made_says_why_and_leaves_matlab_alone(start: Start) -> None:
    session = start(environment={"MCM_USER_ID": "7", "PYTHONPATH": "/opt/session"})  # without matlab.engine
    await eventually((session.folder / ".home" / "stand-in.log").exists, START_SECONDS)
    before = session.container.logs().count(b"no link to MATLAB")
    await eventually(lambda: session.container.logs().count(b"no link to MATLAB") > before)
    assert b"No module named 'matlab'" in session.container.logs()
    assert _told(session) == ["start"]


async def test_when_matlab_proxy_ends_so_does_the_container(start: Start) -> None:
    session = start(environment=NO_LICENCE)
    await eventually(lambda: _answers(session), START_SECONDS)
    _kill(session, "matlab-proxy-ap")  # the kernel keeps 15 characters of a name
    assert (await asyncio.to_thread(session.container.wait, timeout=20))["StatusCode"] == 1
    assert "matlab-proxy ended" in session.container.logs().decode()


# ---------------------------------------------------------------- MATLAB's desktop


async def test_the_page_is_matlabs_desktop(shared: Session) -> None:
    async with shared.http.get(shared.page, allow_redirects=False) as answer:
        assert answer.status == 302
        inside = shared.page + answer.headers["Location"].removeprefix(".")
    async with shared.http.post(f"{inside}a%2Fb?c=d%20e", data="body") as answer:
        assert (await answer.json())["method"] == "POST"
        assert answer.headers["Set-Cookie"].startswith("matlab=")
        assert (await answer.json())["path"].endswith("/a%2Fb?c=d%20e")
        assert (await answer.json())["body"] == "body"
    async with shared.http.ws_connect(inside.replace("http:", "ws:") + "socket") as socket:
        await socket.send_str("text")
        await socket.send_bytes(b"\x01\x02")
        assert [(await socket.receive()).data for _ in range(2)] == ["TEXT", b"\x02\x01"]
    async with shared.http.get(f"{shared.page}/get_status") as answer:
        assert answer.status == 404


async def test_the_desktop_opens_with_the_sessions_token_and_may_be_framed_by_whom_the_operator_names(
    start: Start,
) -> None:
    check = f"salt:{hashlib.sha256(TOKEN.encode()).hexdigest()}"
    framed_by = "'self' https://platform.example"
    session = start(environment=NO_LICENCE | {"MCM_TOKEN_CHECK": check, "MCM_FRAME_ANCESTORS": framed_by})
    await eventually(lambda: _answers(session), START_SECONDS)
    await eventually(lambda: _shows_desktop(session), START_SECONDS)
    async with session.http.get(session.page) as answer:
        assert answer.status == 401
    async with session.http.get(f"{session.page}/guessed/index.html") as answer:
        assert answer.status == 401
    async with session.http.get(f"{session.page}/?token={TOKEN}", allow_redirects=False) as answer:
        inside = session.page + answer.headers["Location"].removeprefix(".")
    assert TOKEN not in inside
    async with session.http.get(inside) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Security-Policy"] == f"frame-ancestors {framed_by}"
    async with session.http.get(inside, headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403


# ---------------------------------------------------------------- around it


async def test_the_controller_runs_it_as_any_other_profile_and_gives_the_seat_back(
    lab: Lab, matlab_image: str, http: aiohttp.ClientSession
) -> None:
    rig = Rig(lab)
    (lab.folder / "controller.yaml").write_text(PROFILE.format(image=matlab_image))
    await rig.start()
    try:
        status, answer = await rig.create(1)
        assert status == 201, answer
        await rig.comes_up(1)
        told = await eventually(lambda: _up(rig))  # as a probe finds it, later
        async with http.get(told["access_url"]) as page:
            assert (await page.json())["method"] == "GET"
        assert (await rig.destroy(1))[0] == 200
        assert (rig.data / "user_1/.home/stand-in.log").read_text().split("\n")[1:3] == ["stop", "ended 0"]
    finally:
        await rig.close()


def test_the_dockerfile_copies_what_is_there_to_where_it_is_looked_for() -> None:
    matlab = ROOT / "matlab"
    dockerfile = (matlab / "Dockerfile.matlab").read_text()
    copied = dict(re.findall(r"^COPY (\S+) (\S+)$", dockerfile, re.MULTILINE))
    assert [source for source in copied if not (matlab / source).exists()] == []
    assert copied["matlab/mfiles"] == "/opt/session/mfiles"
    service = "".join(file.read_text() for file in (matlab / "session_service").glob("matlab*.py"))
    assert set(re.findall(r"/opt/session/\w+", service)) == {"/opt/session/mfiles"}


def test_both_images_start_the_service_alike() -> None:
    texts = [(ROOT / "matlab" / f"Dockerfile.{name}").read_text() for name in ("octave", "matlab")]
    of_octave, of_matlab = ([line for line in text.splitlines() if line.startswith("CMD ")] for text in texts)
    assert of_octave == of_matlab


def _for_everybody(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.mode |= 0o755
    return None if "__pycache__" in entry.name else entry


def _kill(session: Session, name: str) -> None:
    code = f"kill -9 $(grep -lx '{name}' /proc/[0-9]*/comm | cut -d/ -f3)"
    assert session.container.exec_run(["sh", "-c", code]).exit_code == 0


def _told(session: Session) -> list[str]:
    """What the stand-in for matlab-proxy did."""
    return (session.folder / ".home" / "stand-in.log").read_text().split("\n")[:-1]


async def _up(rig: Rig) -> Any:
    """What is told of the user, once the interpreter is known to be there."""
    _, told = await rig.call("GET", "/v1/users/1")
    return told if {c["type"]: c["status"] for c in told["conditions"]}["SessionReady"] == "True" else None


async def _answers(session: Session) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        return bool(await session.health())
    return False


async def _shows_desktop(session: Session) -> bool:
    async with session.http.get(f"{session.page}/?token={TOKEN}") as answer:
        return answer.status == 200
