"""What the session's service decides without any interpreter: framing, JSON-RPC, endings, recovery, backlogs."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matlab.session_service import folder, limits, octave, protocol, rpc
from matlab.session_service.files import Files
from matlab.session_service.frames import LONGEST_FRAME, Frame, FrameReader, frame_prefix
from matlab.session_service.guard import guard_of
from matlab.session_service.hub import BACKLOG, LARGEST_BACKLOG, TRANSCRIPT, Client, Hub
from matlab.session_service.methods import Methods
from matlab.session_service.octave_debugger import COMMAND, Debugger
from matlab.session_service.outcome import read_error
from matlab.session_service.recovery import LONGEST_DELAY_SECONDS, QUICK_DEATH_SECONDS, Recovery
from matlab.session_service.session import Question
from matlab.session_service.terminal import Terminal
from tests.support import eventually

PREFIX = frame_prefix("n0nce")


async def test_an_answer_that_cannot_be_read_costs_its_call_and_nothing_else(tmp_path: Path) -> None:
    asked: list[Question] = []
    answers: list[Any] = []
    session: Any = SimpleNamespace(ask=asked.append)
    call = rpc.Call(1, True, "figure.export", {"number": 1, "format": "png"})
    await Methods(session, Files(tmp_path), dict).carry_out(call, answers.append, answers.append)
    asked[0].done({"file": str(tmp_path / "never_drawn.png")})
    assert [(fault.code, fault.call_id) for fault in answers] == [(rpc.INTERNAL, 1)]


# ---------------------------------------------------------------- Octave's debugger

AT = f"{COMMAND} at line 1 [{COMMAND}]"
DEBUGGED = {
    f"stopped in {AT} \n1: keyboard\nkeyboard> ": "K>> ",
    f"stopped in:\n\n  --> {AT}\n{' ' * 27}__session_eval__ at line 13 [/usr/x.m]\nkeyboard> ": "K>> ",
    "stopped in f at line 2 [/f.m] \n2: y\n[1]debug> ": "stopped in f at line 2 [/f.m] \n2: y\nK>> ",
    f"stopped in:\n\n  -->{' ' * 9}f at line 2 [/f.m]\n      {AT}\n[1]debug> ": "  --> f at line 2 [/f.m]\nK>> ",
    "1: not listed\ndebug> ": "1: not listed\nK>> ",
}


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_debugger_speaks_as_matlabs_does_and_of_the_users_functions_only(size: int) -> None:
    debugger = Debugger()
    assert debugger.read("an end> ") == "an end> "
    assert debugger.read("now\nstopped in ") == "now\n"
    for number, (said, shown) in enumerate(DEBUGGED.items()):
        rest = said if number else said.removeprefix("stopped in ")
        assert "".join(debugger.read(rest[i : i + size]) for i in range(0, len(rest), size)) == shown
    assert (debugger.read("half a li"), debugger.rest(over=True)) == ("", "half a li")
    assert debugger.read("more\n") == "more\n"


@pytest.mark.parametrize(("moment", "seconds"), [(7.5, 0), (7.95, 0.07), (8.0, 0.02), (8.015, 0.005), (8.02, 0)])
def test_octaves_prompt_reads_no_folder_about_the_turn_of_a_second(moment: float, seconds: float) -> None:
    assert octave.until_turned(moment) == pytest.approx(seconds)


class OnATerminal:
    """Octave, which has said that it asks, and may have no processor to come to wait for the answer."""

    def __init__(self) -> None:
        self.waits = False
        self.had: list[object] = []

    def rests(self) -> bool:
        return self.waits

    def signal(self, number: signal.Signals) -> None:
        self.had.append(number)

    def type(self, line: str) -> None:
        self.had.append(line)


async def test_a_ctrl_c_comes_again_with_its_line_when_octave_does_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Octave forgets one that comes before, and the line would be the answer."""
    monkeypatch.setattr(octave, "LINE_SOON", 0.01)
    terminal: Any = OnATerminal()
    heard = octave._Heard(lambda _: None)
    heard({"frame": "input", "prompt": "? ", "kind": "value"})
    octave.Octave(terminal, heard).interrupt()
    await asyncio.sleep(0.2)
    assert terminal.had == [signal.SIGINT]
    terminal.waits = True
    await eventually(lambda: terminal.had == [signal.SIGINT, signal.SIGINT, ""])


@pytest.mark.parametrize(("command", "rests"), [("read line", True), ("while :; do :; done", False)])
async def test_who_waits_for_a_line_rests_and_who_has_something_to_do_does_not(command: str, rests: bool) -> None:
    process = await asyncio.create_subprocess_exec("sh", "-c", command, stdin=asyncio.subprocess.PIPE)
    terminal: Any = SimpleNamespace(pid=process.pid)
    await eventually(lambda: Terminal.rests(terminal) is rests)
    process.kill()
    await process.wait()


# ---------------------------------------------------------------- the terminal


def heard(*pieces: bytes) -> list[str | Frame]:
    """What a reader makes of these pieces, adjacent text joined."""
    reader = FrameReader(PREFIX)
    items = [item for piece in pieces for item in reader.feed(piece)]
    items.append(reader.close())
    joined: list[str | Frame] = []
    for item in items:
        if isinstance(item, str) and joined and isinstance(joined[-1], str):
            joined[-1] += item
        elif item != "":
            joined.append(item)
    return joined


def a_frame(**content: object) -> bytes:
    return (PREFIX + json.dumps(content) + "\a").encode()


def test_text_and_frames_come_out_in_order() -> None:
    assert heard(b"one" + a_frame(n=1) + a_frame(n=2) + b"two") == ["one", {"n": 1}, {"n": 2}, "two"]


@given(st.lists(st.integers(0, 120), max_size=20))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts: list[int]) -> None:
    whole = (
        "é中 \x1b]51".encode() + a_frame(text="中\n") + b"\x1b" + PREFIX.encode()[:-1] + a_frame() + b"end\x1b]5151;"
    )
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[a:b] for a, b in itertools.pairwise(edges)]
    assert heard(*pieces) == heard(whole)
    assert [i for i in heard(whole) if isinstance(i, dict)] == [{"text": "中\n"}, {}]


@pytest.mark.parametrize("inside", [b"{", b"[1]", b"[" * 100_000, b"\xff\xfe"])
def test_what_only_looks_like_a_frame_is_text(inside: bytes) -> None:
    assert heard(PREFIX.encode() + inside + b"\a" + a_frame(n=1))[-1] == {"n": 1}


def test_a_frame_without_end_does_not_hold_back_the_rest_for_ever() -> None:
    assert heard(PREFIX.encode() + b"x" * (LONGEST_FRAME + 1), a_frame(n=1))[-1] == {"n": 1}


def test_bytes_that_are_no_utf8_are_shown_as_such() -> None:
    assert heard(b"a\xffb") == ["a\ufffdb"]


# ---------------------------------------------------------------- JSON-RPC


def test_a_call_is_read() -> None:
    call = rpc.parse('{"jsonrpc": "2.0", "id": "x", "method": "eval", "params": {"code": "1+1"}}')
    assert (call.id, call.wants_answer, call.method, call.params) == ("x", True, "eval", {"code": "1+1"})


def test_a_call_without_id_wants_no_answer() -> None:
    assert not rpc.parse('{"jsonrpc": "2.0", "method": "status"}').wants_answer


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", rpc.NOT_JSON, "not JSON"),
        ("{", rpc.NOT_JSON, "not JSON"),
        ("[" * 100_000, rpc.NOT_JSON, "not JSON"),
        ('{"id": NaN}', rpc.NOT_JSON, "NaN"),
        ("1" * 5000, rpc.NOT_JSON, "not JSON"),
        ("[]", rpc.NOT_A_CALL, "Batches"),
        ("null", rpc.NOT_A_CALL, "object"),
        ('{"method": "status"}', rpc.NOT_A_CALL, "jsonrpc"),
        ('{"jsonrpc": "2.0"}', rpc.NOT_A_CALL, "method"),
        ('{"jsonrpc": "2.0", "id": true, "method": "status"}', rpc.NOT_A_CALL, "id"),
        ('{"jsonrpc": "2.0", "id": {}, "method": "status"}', rpc.NOT_A_CALL, "id"),
        ('{"jsonrpc": "2.0", "method": "eval", "params": ["1+1"]}', rpc.WRONG_PARAMS, "by name"),
        ('"' + "x" * rpc.LONGEST_MESSAGE + '"', rpc.NOT_A_CALL, "at most"),
    ],
)
def test_what_is_no_call_is_refused_with_a_sentence(text: str, code: int, says: str) -> None:
    with pytest.raises(rpc.Fault, match=says) as caught:
        rpc.parse(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        ("eval", "{}", "needs `code`"),
        ("eval", '{"code": 1}', "is a string"),
        ("eval", '{"code": "\\ud800"}', "valid Unicode"),
        ("eval", '{"code": "1", "x": 1}', "no parameter 'x'"),
        ("eval", '{"code": "1", "\\ud800": 1}', "no parameter"),
        ("figure.export", '{"number": true, "format": "svg"}', "whole number from 1"),
        ("figure.export", '{"number": 1, "format": "exe"}', "one of svg, png, pdf"),
        ("value", '{"name": "x", "path": {}}', "a list of at most 100"),
        ("value", '{"name": "x", "path": [1, 0]}', "each is a string"),
        ("input", '{"text": "%s"}' % ("x" * 1001), "at most 1000 characters"),
    ],
)
def test_wrong_parameters_are_refused_with_a_sentence(method: str, params: str, says: str) -> None:
    call = rpc.parse(f'{{"jsonrpc": "2.0", "id": 5, "method": "{method}", "params": {params}}}')
    wrong = protocol.wrong_params(call.method, call.params)
    assert wrong is not None
    assert says in wrong
    rpc.error(rpc.Fault(rpc.WRONG_PARAMS, wrong, call.id)).encode()


@given(st.text())
def test_no_text_makes_anything_but_a_call_or_a_fault(text: str) -> None:
    try:
        assert isinstance(rpc.parse(text), rpc.Call)
    except rpc.Fault as fault:
        json.loads(rpc.error(fault))


# ---------------------------------------------------------------- how commands and interpreters end


def test_our_own_frames_and_file_names_are_taken_out_of_errors() -> None:
    command = "/opt/command"
    error = read_error(
        {
            "identifier": "a:b",
            "message": f"parse error near line 2 of file {command}\n\n  syntax error\n\n",
            "stack": [
                {"file": command, "name": "f", "line": 2, "column": 3},
                {"file": command, "name": command, "line": 5, "column": 1},
                {"file": "/site/__session_eval__.m", "name": "__session_eval__", "line": 10, "column": 7},
            ],
        },
        command,
    )
    assert error.as_json() == {
        "identifier": "a:b",
        "message": "parse error near line 2\n\n  syntax error",
        "stack": [
            {"file": None, "name": "f", "line": 2, "column": 3},
            {"file": None, "name": "", "line": 5, "column": 1},
        ],
    }


def test_a_stack_of_one_frame_comes_without_its_brackets() -> None:
    raw = {"identifier": "", "message": "m", "stack": {"file": "/a/g.m", "name": "g", "line": 1, "column": 2}}
    assert [f.name for f in read_error(raw, "/c").stack] == ["g"]


def test_a_first_death_is_healed_at_once_and_a_series_ever_more_slowly() -> None:
    recovery, delays = Recovery(), []
    for _ in range(12):
        recovery = recovery.after_death(lived=1.0, in_user_startup=False)
        delays.append(recovery.delay)
    assert delays[0] == 0.0
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_SECONDS
    assert recovery.after_death(lived=QUICK_DEATH_SECONDS, in_user_startup=False).delay == 0.0
    assert not recovery.safe_mode


def test_a_death_in_the_users_startup_leads_to_safe_mode_and_stays_there() -> None:
    recovery = Recovery().after_death(lived=0.2, in_user_startup=True)
    assert recovery.safe_mode
    assert recovery.after_death(lived=1000.0, in_user_startup=False).safe_mode


# ---------------------------------------------------------------- who listens


async def drained(client: Client) -> list[dict[str, Any]]:
    """All that waits for a client now."""
    client.send('"mark"')
    messages: list[dict[str, Any]] = []
    while (message := await client.next()) != '"mark"':
        assert message is not None
        messages.append(json.loads(message))
    return messages


async def test_all_clients_hear_the_same_in_the_same_order() -> None:
    hub, one, two = Hub(), Client(), Client()
    hub.join(one)
    hub.join(two)
    for n in range(5):
        hub.publish("output", {"eval_id": n, "text": str(n)})
    assert await drained(one) == await drained(two)


async def test_a_slow_client_loses_printed_text_only_and_is_told_how_much() -> None:
    hub, slow = Hub(), Client()
    hub.join(slow)
    piece = "x" * (BACKLOG // 4)
    for _ in range(8):
        hub.publish("output", {"eval_id": 1, "text": piece})
    hub.publish("idle", {"eval_id": 1})
    messages = await drained(slow)
    arrived = sum(len(m["params"]["text"]) for m in messages if m["method"] == "output")
    (missed,) = [m["params"]["characters"] for m in messages if m["method"] == "missed"]
    assert arrived + missed == 8 * len(piece)
    assert messages[-1]["method"] == "idle"


async def test_a_client_that_reads_nothing_at_all_is_let_go() -> None:
    client = Client()
    for _ in range(LARGEST_BACKLOG // BACKLOG + 1):
        client.send("x" * BACKLOG)
    assert await client.next() is None
    client.send("x")
    assert await client.next() is None


def test_the_transcript_is_bounded() -> None:
    hub = Hub()
    for n in range(100):
        hub.publish("output", {"eval_id": n, "text": "x" * (TRANSCRIPT // 10)})
    assert 5 < len(hub.transcript()) < 11
    assert hub.transcript()[-1]["params"]["eval_id"] == 99


# ---------------------------------------------------------------- the edges


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "may"),
    [
        (None, "localhost:31001", "", True),
        ("http://localhost:9007", "localhost:9007", "", True),
        ("http://localhost:30001", "localhost:31001", "", True),
        ("http://[::1]:30001", "[::1]:31001", "", True),
        ("https://lab.example.edu", "lab.example.edu", "", True),
        ("http://localhost:30008", "localhost:31001", "", False),  # another user's session
        ("https://lab.example.edu", "lab.example.edu:31001", "", False),
        ("http://evil.example", "localhost:31001", "", False),
        ("http://localhost.evil.example", "localhost:31001", "", False),
        ("null", "localhost:31001", "", False),
        ("", "", "", False),
        ("https://platform.example", "localhost:31001", "https://platform.example", True),
        ("http://platform.example", "localhost:31001", "https://platform.example", False),
        ("http://[", "localhost:31001", "", False),
        ("http://localhost:99999", "localhost:31001", "", False),
    ],
)
def test_which_pages_may_talk_to_a_session(origin: str | None, host: str, allowed: str, may: bool) -> None:
    guard = guard_of({"MCM_ALLOWED_ORIGINS": allowed, "MCM_HTTP_PORT": "30001", "MCM_WS_PORT": "31001"})
    assert guard.trusts(origin, host) is may


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost:30001", True),
        ("127.0.0.1:30001", True),
        ("[::1]:30001", True),
        ("10.1.2.3", True),
        ("labserver:30001", True),
        ("matlab.localhost", True),
        ("lab.example.edu:30001", True),
        ("rebound.evil.example:30001", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("localhost.", False),
        ("", False),
        ("[", False),
    ],
)
def test_a_session_does_not_answer_to_names_that_a_stranger_could_own(host: str, known: bool) -> None:
    assert guard_of({"MCM_ALLOWED_HOSTS": "lab.example.edu"}).knows(host) is known


def test_a_token_is_known_by_its_digest() -> None:
    guard = guard_of({"MCM_TOKEN_CHECK": "salt:" + hashlib.sha256(b"right").hexdigest()})
    assert [guard.opens(each) for each in ("right", "wrong", "", None, "\ud800")] == [True, False, False, False, False]
    assert guard_of({}).opens(None)


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        ({"memory.max": "1073741824\n"}, 1 << 30),
        ({"memory.max": "max\n"}, None),
        ({"memory/memory.limit_in_bytes": "536870912\n"}, 512 << 20),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ({}, None),
    ],
)
def test_the_memory_limit_is_read_from_either_cgroup(tmp_path: Path, files: dict[str, str], memory: int | None) -> None:
    _write(tmp_path, files)
    assert limits.memory_limit(tmp_path) == memory


@pytest.mark.parametrize(
    "files",
    [{"cpu.max": "50000 100000"}, {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}],
)
def test_half_a_core_is_one_thread(tmp_path: Path, files: dict[str, str]) -> None:
    _write(tmp_path, files)
    assert limits.cpus(tmp_path) == 1


def test_the_users_folder_is_laid_out_once_and_what_is_there_is_left_alone(tmp_path: Path) -> None:
    _write(tmp_path, {"Documents/MATLAB/startup.m": "mine", "scripts/a.m": "1"})
    folder.lay_out(tmp_path)
    assert all((tmp_path / name).is_dir() for name in folder.FOLDERS)
    assert (tmp_path / "Documents/MATLAB/startup.m").read_text() == "mine"


def test_a_users_folder_that_cannot_be_laid_out_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "commands").write_text("a file where a folder should be")
    folder.lay_out(tmp_path)


def test_a_link_in_place_of_the_startup_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "Documents/MATLAB").mkdir(parents=True)
    (tmp_path / "Documents/MATLAB/startup.m").symlink_to(tmp_path / "elsewhere")
    folder.lay_out(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
