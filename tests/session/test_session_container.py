"""The session image as its users meet it: real containers, run as the controller runs them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp import WSMsgType
from yarl import URL

from matlab.session_service.server import LARGEST_FRAME
from tests.session.conftest import IMAGE, START_SECONDS, Session, Start
from tests.session.peer import Peer
from tests.support import eventually

MIB = 2**20
STARTUP = "Documents/MATLAB/startup.m"


# ---------------------------------------------------------------- commands


async def test_a_command_is_evaluated_and_state_lives_between_calls(shared: Session) -> None:
    peer = await shared.connect()
    answer = await peer.eval("1+1")
    assert (answer["status"], answer["output"], answer["error"]) == ("ok", "ans = 2\n", None)
    await peer.eval("x = ans * 21;")
    another = await shared.connect()
    assert (await another.eval("x"))["output"] == "x = 42\n"


async def test_output_arrives_while_the_command_runs(shared: Session) -> None:
    peer = await shared.connect()
    call = await peer.send("eval", code="disp('first'); pause(30)")
    await peer.until("output", lambda _: peer.printed() == "first\n")
    assert (await shared.health())["state"] == "busy"
    await peer.call("interrupt")
    assert (await peer.answer(call))["result"]["status"] == "interrupted"


async def test_an_error_carries_identifier_message_and_the_users_own_frames(shared: Session) -> None:
    peer = await shared.connect()
    answer = await peer.eval("y = 1;\nfunction f(x)\n  error('My:id', 'bad value %d', x);\nend\nf(3)")
    assert answer["status"] == "error"
    assert answer["error"] == {
        "identifier": "My:id",
        "message": "bad value 3",
        "stack": [
            {"file": None, "name": "f", "line": 3, "column": 3},
            {"file": None, "name": "", "line": 5, "column": 1},
        ],
    }
    assert answer["output"] == ""
    assert (await peer.eval("y"))["output"] == "y = 1\n"


async def test_of_a_command_with_a_syntax_error_nothing_runs(shared: Session) -> None:
    peer = await shared.connect()
    answer = await peer.eval("z = 1\ndisp('ran')\nx = }")
    assert answer["status"] == "error"
    assert answer["error"]["identifier"] == "Octave:parse-error"
    assert answer["error"]["message"].startswith("parse error near line 3")
    assert answer["output"] == ""
    assert (await peer.eval("exist('z')"))["output"] == "ans = 0\n"


async def test_a_warning_is_one_line(shared: Session) -> None:
    peer = await shared.connect()
    assert (await peer.eval("function f, warning('mind this'), end\nf"))["output"] == "warning: mind this\n"


async def test_text_of_any_script_and_length_passes_unharmed(shared: Session) -> None:
    peer = await shared.connect()
    long = "中é🙂" * 20_000
    answer = await peer.eval(f"x = '{long}'; disp(strcmp(x(end-3:end), '🙂')); disp(x(1:9))")
    assert answer["output"] == "1\n中é🙂\n"
    quotes = "''" * 50_000
    comment = "%{\n" + "% a 'quote' and a \"quote\"\n" * 5_000 + "%}\n"
    answer = await peer.eval(f"{comment}x = '{quotes}'; disp(numel(x)); f()\nfunction f()\n  disp('f')\nend")
    assert answer["output"] == "50000\nf\n"


async def test_data_lands_in_the_users_folder_which_is_the_working_folder(session: Session) -> None:
    peer = await session.connect()
    assert (await peer.eval("pwd"))["output"] == "ans = /home/matlab/shared\n"
    await peer.eval("a = magic(4); save('-v7', 'results/a.mat', 'a');")
    assert (session.folder / "results" / "a.mat").stat().st_size > 0
    assert sorted(p.name for p in (session.folder).iterdir()) == [
        "Documents",
        "command_queue",
        "commands",
        "logs",
        "models",
        "results",
        "scripts",
    ]


async def test_a_users_own_functions_are_found_and_read_again_after_an_edit(shared: Session) -> None:
    peer = await shared.connect()
    file = shared.folder / "Documents/MATLAB/twice.m"
    file.write_text("function y = twice(x)\n  y = 2 * x;\nend\n")
    assert (await peer.eval("twice(4)"))["output"] == "ans = 8\n"

    async def edited() -> bool:  # Octave's clock for files ticks once a second
        file.write_text("function y = twice(x)\n  y = 3 * x;\nend\n")
        return bool((await peer.eval("twice(4)"))["output"] == "ans = 12\n")

    await eventually(edited, every=0.3)
    file.unlink()


async def test_what_a_user_may_do_to_octave_does_not_break_the_session(session: Session) -> None:
    peer = await session.connect()
    await peer.eval("clear all; close all; fclose all; PS1('>> '); restoredefaultpath(); more on; cd /tmp; 1;")
    assert (await peer.eval("disp(5)"))["output"] == "5\n"
    await peer.eval("source = 1; who = 2; whos = 3; evalin = 4; exist = 5;")
    assert (await peer.eval("disp(source)"))["output"] == "1\n"
    assert {v["name"] for v in (await peer.call("whos"))["variables"]} >= {"source", "who", "whos"}
    assert (await peer.call("value", name="who"))["values"] == [[2]]


async def test_a_full_tmp_does_not_keep_anybody_from_emptying_it(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("f = fopen('/tmp/big', 'w'); for i=1:600, fwrite(f, zeros(1, 2^20, 'uint8')); end; fclose(f);")
    assert (await peer.eval("delete('/tmp/big'); disp('room')"))["output"] == "room\n"


# ---------------------------------------------------------------- interrupt and restart


@pytest.mark.parametrize("code", ["while true, end", "pause(60)", "x = input('? ');", "keyboard"])
async def test_what_runs_or_waits_can_be_interrupted(shared: Session, code: str) -> None:
    peer = await shared.connect()
    call = await peer.send("eval", code=code)
    await peer.until("busy")
    began = time.monotonic()
    assert (await peer.call("interrupt"))["interrupted"]
    assert (await peer.answer(call))["result"]["status"] == "interrupted"
    assert time.monotonic() - began < 10
    for n in range(5):  # a Ctrl-C that came too late would hit one of these
        assert (await peer.eval(f"disp({n})"))["output"] == f"{n}\n"


async def test_a_question_is_interrupted_at_whatever_moment_it_is_asked(shared: Session) -> None:
    peer = await shared.connect()
    for n in range(1, 41):
        peer.heard.clear()
        call = await peer.send("eval", code="x = input('? ');")
        await peer.until("busy")
        await asyncio.sleep(n % 10 / 1000)
        await peer.call("interrupt")
        assert (await peer.answer(call))["result"]["status"] == "interrupted"
    assert (await peer.eval("exist('x')"))["output"] == "ans = 0\n"


@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("strace") is None, reason="takes root and strace (`apt-get install strace`)"
)
async def test_a_question_is_interrupted_however_late_octave_hears_the_signal(shared: Session) -> None:
    peer = await shared.connect()
    with hearing_signals_late(shared, seconds=0.2):
        for _ in range(5):
            call = await peer.send("eval", code="x = input('? ');")
            await peer.until("input_request")
            await peer.call("interrupt")
            assert (await peer.answer(call))["result"]["status"] == "interrupted"
            peer.heard.clear()


@contextlib.contextmanager
def hearing_signals_late(session: Session, seconds: float) -> Iterator[None]:
    """Octave has a thread that waits for signals and notes them."""
    (pid,) = (row[1] for row in session.container.top()["Processes"] if "octave-cli" in row[-1])
    late = ("-e", "trace=rt_sigtimedwait", "-e", f"inject=rt_sigtimedwait:delay_exit={round(seconds * 1e6)}")
    strace = subprocess.Popen(["strace", "-f", "-p", pid, *late], stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    try:
        assert "attached" in strace.stderr.readline()
        yield
    finally:
        strace.terminate()
        strace.communicate()


async def test_a_program_that_the_command_runs_is_interrupted_too(shared: Session) -> None:
    peer = await shared.connect()
    call = await peer.send("eval", code="system('echo runs; exec sleep 60');")
    await peer.until("output", lambda p: "runs" in p["text"])
    await peer.call("interrupt")
    await peer.answer(call)
    assert (await peer.eval("disp(1)"))["output"] == "1\n"


async def test_many_interrupts_hit_only_what_runs(shared: Session) -> None:
    peer = await shared.connect()
    for n in range(10):
        peer.heard.clear()
        call = await peer.send("eval", code="while true, end")
        await peer.until("busy")
        for _ in range(3):
            await peer.send("interrupt")
        assert (await peer.answer(call))["result"]["status"] == "interrupted"
        assert (await peer.eval(f"disp({n})"))["output"] == f"{n}\n"


async def test_no_moment_of_a_command_is_deaf_to_an_interrupt(session: Session) -> None:
    """Ours neither: before the command, each script that it names is read for its functions."""
    peer = await session.connect()
    scripts = [f"script{number}" for number in range(20)]
    for script in scripts:
        (session.folder / f"{script}.m").write_text("1;\n")
    for attempt in range(100):
        call = await peer.send("eval", code=";".join([*scripts, "pause(5)"]))
        await peer.until("busy")
        peer.heard.clear()
        await asyncio.sleep(attempt * 0.0002)
        await peer.call("interrupt")
        assert (await peer.answer(call))["result"]["status"] == "interrupted", attempt


async def test_interrupting_an_idle_session_does_nothing(shared: Session) -> None:
    peer = await shared.connect()
    assert not (await peer.call("interrupt"))["interrupted"]
    assert (await peer.eval("2"))["output"] == "ans = 2\n"


async def test_a_restart_ends_what_runs_and_begins_anew(session: Session) -> None:
    peer = await session.connect()
    await peer.eval("x = 1;")
    running = await peer.send("eval", code="while true, end")
    waiting = await peer.send("eval", code="y = 1;")
    restarted = await peer.call("restart")
    assert restarted["interpreter"]["restarts"] == 1
    assert (await peer.answer(running))["result"]["status"] == "died"
    assert (await peer.answer(waiting))["result"]["status"] == "aborted"
    assert (await peer.until("exited"))["requested"]
    assert (await peer.eval("exist('x')"))["output"] == "ans = 0\n"


# ---------------------------------------------------------------- deaths


async def test_a_killed_interpreter_is_healed_and_its_clients_stay(session: Session) -> None:
    peer = await session.connect()
    pid = (await session.health())["interpreter"]["pid"]
    running = await peer.send("eval", code="x = 1; while true, end")
    await peer.until("busy")
    assert session.container.exec_run(["sh", "-c", f"kill -9 {pid}"]).exit_code == 0
    answer = (await peer.answer(running))["result"]
    assert answer["status"] == "died"
    assert "signal 9" in answer["error"]["message"]
    assert (await peer.until("exited"))["restart_in"] == 0
    await peer.until("ready")
    assert (await peer.eval("exist('x')"))["output"] == "ans = 0\n"
    assert (await session.health())["interpreter"]["restarts"] == 1


async def test_exit_gives_a_fresh_interpreter(session: Session) -> None:
    peer = await session.connect()
    assert (await peer.eval("exit"))["status"] == "died"
    assert (await peer.until("exited"))["exit_code"] == 0
    assert (await peer.eval("1+1"))["output"] == "ans = 2\n"


async def test_a_matrix_that_is_too_large_is_an_error_and_not_a_dead_session(session: Session) -> None:
    peer = await session.connect()
    await peer.eval("x = 1;")
    for size in (30_000, 11_000):  # far beyond the limit; and just beyond the guard, where the kernel would have killed
        answer = await peer.eval(f"a = ones({size});")
        assert answer["error"]["identifier"] == "Octave:bad-alloc"
    assert (await peer.eval("x"))["output"] == "x = 1\n"


async def test_the_memory_guard_follows_a_limit_that_is_changed_in_place(session: Session) -> None:
    peer = await session.connect()
    assert (await peer.eval("a = ones(11000);"))["status"] == "error"
    session.container.update(mem_limit=2048 * MIB, memswap_limit=2048 * MIB)
    assert (await peer.eval("a = ones(11000);"))["status"] == "ok"


# ---------------------------------------------------------------- the user's startup.m


async def test_the_users_startup_runs_last_and_its_variables_are_there(start: Start) -> None:
    session = await start({STARTUP: "from_startup = pwd; diary ('results/diary.txt')"}).ready()
    peer = await session.connect("?transcript=1")
    printed = "from_startup = /home/matlab/shared\n"
    assert (await peer.eval("from_startup"))["output"] == printed
    assert (await peer.eval("diary off"))["status"] == "ok"
    assert (session.folder / "results/diary.txt").read_text().strip() == printed.strip()  # and no prompt


@pytest.mark.parametrize(
    ("text", "says"), [("error('Oh:no', 'oh no')", "startup.m: oh no"), ("x = }", "startup.m: parse error")]
)
async def test_a_broken_startup_is_reported_and_the_session_comes_up(start: Start, text: str, says: str) -> None:
    session = await start({STARTUP: text}).ready()
    peer = await session.connect("?transcript=1")
    (_, hello) = peer.heard[0]
    past = "".join(entry["params"].get("text", "") for entry in hello["transcript"])
    assert says in past
    assert (await peer.eval("1+1"))["output"] == "ans = 2\n"


async def test_modules_in_the_users_folder_do_not_get_into_the_service(start: Start) -> None:
    in_home = ".local/lib/python3.11/site-packages/usercustomize.py"
    names = ("json.py", "aiohttp/__init__.py", "session_service/__init__.py", in_home)
    session = await start(dict.fromkeys(names, "print('the user was here', flush=True); raise SystemExit(7)")).ready()
    assert b"the user was here" not in session.container.logs()


async def test_the_users_own_python_finds_the_users_modules(start: Start) -> None:
    in_home = ".local/lib/python3.11/site-packages/installed.py"
    session = await start({"beside.py": "word = 'beside'", in_home: "word = 'installed'"}).ready()
    peer = await session.connect()
    found = 'python3 -c "import beside, installed; print(beside.word, installed.word)"'
    assert (await peer.eval(f"system('{found}');"))["output"] == "beside installed\n"


async def test_a_startup_that_kills_the_interpreter_leads_to_safe_mode(start: Start) -> None:
    session = await start({STARTUP: "exit(1)"}).ready()
    health = await session.health()
    assert health["interpreter"]["safe_mode"]
    assert health["interpreter"]["restarts"] == 1
    peer = await session.connect()
    assert (await peer.eval("1+1"))["output"] == "ans = 2\n"
    (session.folder / STARTUP).write_text("mended = 1;")
    assert not (await peer.call("restart"))["interpreter"]["safe_mode"]
    assert (await peer.eval("mended"))["output"] == "mended = 1\n"


async def test_a_startup_that_never_ends_can_be_stopped(start: Start) -> None:
    session = start({STARTUP: "disp('in startup'); while true, end"})
    await eventually(session.is_open, START_SECONDS)
    peer = await session.connect("?transcript=1")
    assert (await session.health())["state"] == "busy"
    waiting = await peer.send("eval", code="1+1")
    await peer.call("interrupt")
    assert (await peer.answer(waiting))["result"]["output"] == "ans = 2\n"


# ---------------------------------------------------------------- many clients


async def test_two_clients_see_the_same_in_the_same_order(shared: Session) -> None:
    one, two = await shared.connect(), await shared.connect()
    calls = [(peer, await peer.send("eval", code=f"disp({n})")) for n in range(10) for peer in (one, two)]
    numbers = [(await peer.answer(call))["result"]["eval_id"] for peer, call in calls]
    for peer in (one, two):
        await peer.until("idle", lambda p: p["eval_id"] == max(numbers))
    heard_one, heard_two = ([h for h in peer.heard if h[0] != "hello"] for peer in (one, two))
    assert heard_one == heard_two
    assert sorted(one.printed().split()) == sorted(str(n) for n in range(10) for _ in (one, two))


async def test_who_comes_later_sees_what_was(shared: Session) -> None:
    await (await shared.connect()).eval("disp('before')")
    later = await shared.connect("?transcript=1")
    past = "".join(e["params"]["text"] for e in later.heard[0][1]["transcript"] if e["method"] == "output")
    assert past.endswith("before\n")
    assert "transcript" not in (await shared.connect()).heard[0][1]


async def test_a_client_that_does_not_read_holds_up_nobody_and_is_told_what_it_missed(session: Session) -> None:
    slow, quick = await session.connect(), await session.connect()
    code = "s = repmat('x', 1, 2^20); for i = 1:40, fputs(stdout, s); end"
    answer = await quick.eval(code)
    assert answer["status"] == "ok"
    assert answer["output_truncated"]
    missed = await slow.until("missed")
    await slow.until("idle")
    for peer in (quick, slow):  # on a busy machine even the quick one may fall behind
        left_out = sum(p["characters"] for method, p in peer.heard if method == "missed")
        assert len(peer.printed()) + left_out == 40 * MIB
    assert missed["characters"] > 0
    assert session.memory() < 200 * MIB


async def test_a_client_that_takes_no_answers_at_all_is_let_go(session: Session) -> None:
    (session.folder / "large.txt").write_text("x" * MIB)
    deaf = await session.connect()
    for _ in range(8):
        for _ in range(10):
            await deaf.send("files.read", path="large.txt")
        await asyncio.sleep(0.4)  # for the service to come to wait until some of it is taken

    async def gone() -> bool:
        return bool((await session.health())["clients"] == 0)

    await eventually(gone, 30)
    assert session.memory() < 200 * MIB


# ---------------------------------------------------------------- bad input


def both_ports(session: Session) -> tuple[str, str]:
    return session.websocket, f"{session.page}/ws"


async def test_bad_messages_get_a_clear_error_and_the_session_is_unharmed(shared: Session) -> None:
    await (await shared.connect()).eval("x = 1;")
    for address in both_ports(shared):
        peer = Peer(await shared.http.ws_connect(address, max_msg_size=0))
        assert (await peer.send_raw("{"))["error"]["code"] == -32700
        assert (await peer.send_raw("[]"))["error"]["code"] == -32600
        assert (await peer.send_raw('{"jsonrpc": "2.0", "id": [], "method": "eval"}'))["error"]["code"] == -32600
        assert "characters" in (await peer.send_raw("x" * 10_000_000))["error"]["message"]
        await peer.socket.send_bytes(b"\x00\x01")
        assert "text frames" in (await peer.answer(None))["error"]["message"]
        await peer.socket.send_bytes(b"\x00" * 10_000_000)
        assert "text frames" in (await peer.answer(None))["error"]["message"]
        assert (await peer.refused("format_disk"))["code"] == -32601
        assert (await peer.refused("eval", code=1))["code"] == -32602
        assert (await peer.refused("eval", code="1", no="2"))["code"] == -32602
        assert (await peer.refused("files.read", path="../../../etc/passwd"))["data"]["reason"] == "outside"
        assert (await peer.eval("x"))["output"] == "x = 1\n"
        await peer.socket.close()


async def test_a_frame_beyond_all_bounds_ends_its_connection_and_nothing_else(shared: Session) -> None:
    """Its length is announced, and that is enough: no memory is spent on it."""
    other = await shared.connect()
    for address in both_ports(shared):
        reader, writer = await _handshake(address)
        writer.write(b"\x81\xff" + (LARGEST_FRAME + 1).to_bytes(8) + b"\0\0\0\0" + b"x" * 1000)
        async with asyncio.timeout(20):
            heard = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert int.from_bytes(heard[heard.rindex(b"\x88") :][2:4]) == 1009
    assert (await other.eval("1+1"))["output"] == "ans = 2\n"
    await other.socket.close()


async def test_what_is_no_websocket_is_told_so(shared: Session) -> None:
    for address in both_ports(shared):
        async with shared.http.get(address.replace("ws://", "http://")) as answer:
            assert answer.status == 426
            assert "WebSocket" in (await answer.json())["error"]
    for port in (shared.websocket, shared.page):
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(port).port)
        writer.write(b"\x16\x03\x01\r\n\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert (await shared.health())["state"] == "idle"


async def test_too_many_waiting_commands_are_refused(shared: Session) -> None:
    peer = await shared.connect()
    running = await peer.send("eval", code="pause(60)")
    await peer.until("busy")
    calls = [await peer.send("eval", code="1;") for _ in range(101)]
    assert (await peer.answer(calls[-1]))["error"]["code"] == -32000
    await peer.call("interrupt")
    assert (await peer.answer(running))["result"]["status"] == "interrupted"
    assert (await peer.answer(calls[-2]))["result"]["status"] == "ok"


async def test_a_page_of_another_site_is_refused_on_both_ports(shared: Session) -> None:
    for address in both_ports(shared):
        for origin in ("https://evil.example", "http://127.0.0.1:30008", "null"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await shared.http.ws_connect(address, headers={"Origin": origin})
            assert caught.value.status == 403
        async with shared.http.ws_connect(address, headers={"Origin": "http://127.0.0.1:30007"}) as socket:
            assert (await socket.receive()).type is WSMsgType.TEXT


# ---------------------------------------------------------------- seen from outside


async def test_health_tells_what_is_up_and_watching_is_no_activity(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("x = magic(3); plot(x); fid = fopen('results/seen.txt', 'w'); fputs(fid, 'x'); fclose(fid);")
    before = await shared.health()
    assert (before["state"], before["interpreter"]["name"]) == ("idle", "octave")
    logged = shared.container.logs()
    for _ in range(3):
        await _handshake_and_gone(shared)
    for path in ("/", "/healthz", "/files/results/seen.txt", "/files/missing"):
        async with shared.http.get(f"{shared.page}{path}") as answer:
            await answer.read()
    watcher = await shared.connect("?transcript=1")
    for method, params in WATCHING.items():
        await watcher.call(method, **params)
    with contextlib.suppress(AssertionError):
        await watcher.call("no.such.method")
    assert (await shared.health())["last_activity"] == before["last_activity"]
    assert shared.container.logs() == logged
    await peer.eval("1;")
    assert (await shared.health())["last_activity"] > before["last_activity"]
    (shared.folder / "results/seen.txt").unlink()


WATCHING: dict[str, dict[str, object]] = {
    "status": {},
    "whos": {},
    "value": {"name": "x"},
    "complete": {"code": "mag"},
    "figures": {},
    "figure.data": {"number": 1},
    "figure.export": {"number": 1, "format": "svg"},
    "files.list": {},
    "files.read": {"path": "results/seen.txt"},
}
"""All methods that only look."""


async def test_the_page_is_served_and_nothing_else(shared: Session) -> None:
    async with shared.http.get(shared.page) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        parts = re.findall(r'(?:src|href)="\./([^"]+)"', await answer.text())
    assert len(parts) >= 3
    for path in parts:
        async with shared.http.get(f"{shared.page}/{path}") as answer:
            assert answer.status == 200
    for path in (
        "/nothing",
        "/../octave.py",
        "/%2e%2e/octave.py",
        "/assets/..%2f..%2fstartup.m",
        "/assets/../../octave/startup.m",
    ):
        async with shared.http.get(URL(shared.page + path, encoded=True)) as answer:
            assert answer.status == 404
            assert (await answer.json())["code"] == "not_found"


async def test_a_container_stops_at_once_even_while_busy(session: Session) -> None:
    peer = await session.connect()
    await peer.send("eval", code="while true, end")
    await peer.until("busy")
    began = time.monotonic()
    await asyncio.to_thread(session.container.stop, timeout=30)
    assert time.monotonic() - began < 15, "it was killed for want of an end"
    session.container.reload()
    assert session.container.attrs["State"]["ExitCode"] == 0
    assert (await peer.socket.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.TEXT)


async def test_any_uid_will_do_and_the_root_file_system_is_read_only(start: Start) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder to another uid")
    session = await start(user="4321:4321").ready()
    peer = await session.connect()
    assert (await peer.eval("[~, u] = system('id -u'); disp(strtrim(u))"))["output"] == "4321\n"
    assert (await peer.eval("disp(fopen('/opt/x', 'w'))"))["output"] == "-1\n"
    assert (session.folder / "results").stat().st_uid == 4321


async def test_the_image_is_small_and_an_idle_session_takes_little(session: Session) -> None:
    image = session.container.client.images.get(IMAGE)  # type: ignore[union-attr]
    assert image.attrs["Size"] < 500_000_000
    assert session.memory() < 50 * MIB


async def _handshake_and_gone(session: Session) -> None:
    """As the controller's probe does it: a handshake, then the connection is simply dropped."""
    _, writer = await _handshake(session.websocket)
    writer.transport.abort()


async def _handshake(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    to = URL(address)
    reader, writer = await asyncio.open_connection(to.host, to.port)
    key = base64.b64encode(os.urandom(16)).decode()
    request = f"GET {to.path} HTTP/1.1\r\nHost: {to.authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{request}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 101")
    return reader, writer
