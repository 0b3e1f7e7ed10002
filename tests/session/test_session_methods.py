"""What a page or a program asks of a session besides running commands: variables, completion, input, figures."""

from __future__ import annotations

import asyncio
import base64
import math
import os
import shutil
import time
from typing import Any

import pytest

from tests.session.conftest import Session, Start

# ---------------------------------------------------------------- variables


async def test_whos_tells_of_every_variable_and_leaves_ans_alone(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("6 * 7; x = magic(4); s.a = 1; t = 'abc'; z = 1 + 2i; e = []; f = @(v) v + 1; global g")
    variables = {v["name"]: v for v in (await peer.call("whos"))["variables"]}
    assert sorted(variables) == ["ans", "e", "f", "g", "s", "t", "x", "z"]
    assert (variables["x"]["class"], variables["x"]["size"], variables["x"]["bytes"]) == ("double", [4, 4], 128)
    assert {n: variables[n]["text"] for n in "tzef"} == {"t": "'abc'", "z": "1+2i", "e": "[]", "f": "@(v) v + 1"}
    assert (variables["z"]["complex"], variables["g"]["global"]) == (True, True)
    assert (await peer.eval("ans"))["output"] == "ans = 42\n"


async def test_asking_is_seen_by_nobody_and_is_no_activity(shared: Session) -> None:
    peer, other = await shared.connect(), await shared.connect()
    await peer.eval("x = 1; plot(1:3)")
    await other.until("idle")
    before, heard = await shared.health(), len(other.heard)
    await peer.call("whos")
    await peer.call("value", name="x")
    await peer.call("complete", code="plo")
    await peer.call("figure.data", number=1)
    await peer.call("figure.export", number=1, format="svg")
    await peer.call("files.list")
    assert (await other.call("status"))["since"] == before["since"]
    assert len(other.heard) == heard
    assert (await shared.health())["last_activity"] == before["last_activity"]


async def test_a_question_is_answered_after_the_commands_that_came_before_it(shared: Session) -> None:
    peer = await shared.connect()
    await peer.send("eval", code="pause(0.2); late = 1;")
    assert [v["name"] for v in (await peer.call("whos"))["variables"]] == ["late"]


async def test_a_block_of_a_matrix_is_viewed(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("x = reshape(1:60000, 300, 200);")
    block = await peer.call("value", name="x", row=299, column=2, rows=10, columns=3)
    assert (block["kind"], block["size"], block["values"]) == (
        "matrix",
        [300, 200],
        [[599, 899, 1199], [600, 900, 1200]],
    )
    assert len((await peer.call("value", name="x"))["values"]) == 100


async def test_the_largest_block_that_may_be_asked_for_arrives(shared: Session) -> None:
    peer = await shared.connect(max_msg_size=0)
    await peer.eval("x = -(1 + rand(1000, 200)) * 1e-100;")
    block = await peer.call("value", name="x", rows=1000, columns=200)
    assert (len(block["values"]), len(block["values"][-1])) == (1000, 200)
    assert peer.printed() == ""


@pytest.mark.parametrize(
    ("code", "path", "shows"),
    [
        ("x = [NaN, -Inf; Inf, 0.1];", [], {"values": [["NaN", "-Inf"], ["Inf", 0.1]]}),
        ("x = [1+2i, 3];", [], {"values": [[1, 3]], "imaginary": [[2, 0]]}),
        ("x = sparse(eye(2));", [], {"values": [[1, 0], [0, 1]]}),
        ("x = true;", [], {"values": [[1]], "class": "logical"}),
        ("x = zeros(0, 3);", [], {"values": [], "size": [0, 3]}),
        ("x = cat(3, [1 2], [3 4]);", [], {"values": [[1, 2]], "page": 1, "size": [1, 2, 2]}),
        ("x = int8([1 -2]);", [], {"values": [[1, -2]], "text": "[1 -2]"}),
        ("x = 1:3;", [], {"values": [[1, 2, 3]]}),
        ("x = ['ab'; 'cd'];", [], {"kind": "text", "content": "ab\ncd"}),
        ("x = @sin;", [], {"kind": "text", "content": "@sin\n"}),
        ("x.a.b = {5, 'six'};", ["a", "b", 2], {"kind": "text", "content": "six"}),
        ("x = struct('q', {1, 2});", [2, "q"], {"values": [[2]]}),
    ],
)
async def test_values_of_every_kind_are_viewed(shared: Session, code: str, path: list[object], shows: object) -> None:
    peer = await shared.connect()
    await peer.eval(code)
    value = await peer.call("value", name="x", path=path)
    assert {name: value.get(name) for name in shows} == shows  # type: ignore[attr-defined]


async def test_structs_and_cells_are_viewed_as_trees(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("s.name = 'Ann'; s.marks = {1, [1 2], 'x'};")
    value = await peer.call("value", name="s")
    assert [(i["step"], i["class"], i["text"]) for i in value["items"]] == [
        ("name", "char", "'Ann'"),
        ("marks", "cell", ""),
    ]
    value = await peer.call("value", name="s", path=["marks"], row=2, rows=1)
    assert [(i["step"], i["text"]) for i in value["items"]] == [(2, "[1 2]")]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"name": "nothing"}, "no variable `nothing`"),
        ({"name": "x", "path": ["a"]}, "no such element"),
        ({"name": "x", "path": [9]}, "no such element"),
        ({"name": "exit(3)"}, "no variable"),
    ],
)
async def test_what_is_not_there_cannot_be_viewed(shared: Session, params: dict[str, object], says: str) -> None:
    peer = await shared.connect()
    await peer.eval("x = [1 2];")
    error = await peer.refused("value", **params)
    assert error["code"] == -32002
    assert says in error["message"]


# ---------------------------------------------------------------- completion


@pytest.mark.parametrize(
    ("code", "start", "among"),
    [
        ("plot", 0, "plot3"),
        ("y = long_na", 4, "long_name"),
        ("y = st.fi", 4, "st.field"),
        ("y = long_name'; z = st.fi", 20, "st.field"),
        ("load('Docu", 6, "Documents/"),
        ('cd "Documents/MAT', 14, "MATLAB/"),
    ],
)
async def test_names_fields_and_files_are_completed(shared: Session, code: str, start: int, among: str) -> None:
    peer = await shared.connect()
    await peer.eval("long_name = 1; st.field = 2; 5;")
    completed = await peer.call("complete", code=code)
    assert completed["start"] == start
    assert among in completed["matches"]
    assert (await peer.eval("ans"))["output"] == "ans = 5\n"


async def test_only_what_is_before_the_cursor_counts(shared: Session) -> None:
    peer = await shared.connect()
    completed = await peer.call("complete", code="plotmat + 1", cursor=7)
    assert completed == {"start": 0, "matches": ["plotmatrix"]}
    assert (await peer.call("complete", code="1 + ")) == {"start": 4, "matches": []}


# ---------------------------------------------------------------- silent commands


async def test_a_silent_command_is_told_as_such_and_leaves_no_trace_in_the_transcript(shared: Session) -> None:
    peer, other = await shared.connect(), await shared.connect()
    answer = await peer.call("eval", code="cd results; disp('quiet'); figure(3);", silent=True)
    assert (answer["status"], answer["output"]) == ("ok", "quiet\n")
    idle = await other.until("idle")
    busy = await other.until("busy")
    assert (busy["eval_id"], busy["silent"], idle["silent"]) == (answer["eval_id"], True, True)
    assert [f["number"] for f in (await other.until("figures"))["figures"]] == [3]
    assert other.printed() == ""
    await peer.eval("disp('aloud')")
    past = (await shared.connect("?transcript=1")).heard[0][1]["transcript"]
    numbers = [e["params"].get("eval_id") for e in past if e["method"] in ("busy", "output", "idle")]
    assert answer["eval_id"] not in numbers
    assert numbers[-3:] == [answer["eval_id"] + 1] * 3
    assert (await shared.health())["folder"] == "/home/matlab/shared/results"


# ---------------------------------------------------------------- files that changed


@pytest.mark.parametrize("interrupted", [False, True])
async def test_a_new_file_hides_a_function_that_was_used_before(shared: Session, interrupted: bool) -> None:
    """Octave's own prompt would look for it; the loop that we put in its place must do so, too."""
    peer = await shared.connect()
    if interrupted:
        call = await peer.send("eval", code="pause(30)")
        await peer.until("busy")
        await peer.call("interrupt")
        assert (await peer.answer(call))["result"]["status"] == "interrupted"
    folders = [shared.folder / "Documents/MATLAB", shared.folder]  # the current folder comes first
    said = []
    for number, folder in enumerate(folders):
        (folder / "greet.m").write_text(f"function greet, disp('{number}'), end\n")
        answer = await peer.eval("greet")
        said.append((answer["error"], answer["output"]))
    for folder in reversed(folders):
        (folder / "greet.m").unlink()
    assert said == [(None, "0\n"), (None, "1\n")]
    assert "undefined" in (await peer.eval("greet"))["error"]["message"]


@pytest.mark.parametrize("interrupted", [False, True])
async def test_a_file_that_is_made_at_the_turn_of_a_second_is_found(shared: Session, interrupted: bool) -> None:
    """The kernel dates a folder's change by its last tick: in the second before, with Octave's look in this one."""
    peer, folder = await shared.connect(), shared.folder / "Documents/MATLAB"
    file = folder / "just_made.m"

    for _ in range(5):  # until the machine was quick enough to meet the moment
        turn = math.ceil(time.time() + 0.3)
        await asyncio.sleep(turn - 0.2 - time.time())
        file.touch()
        file.unlink()  # a folder that did not change in the second before is read again in any case
        call = await peer.send("eval", code="pause(30)") if interrupted else 0
        await asyncio.sleep(turn - time.time())
        if interrupted:
            await peer.call("interrupt")
            await peer.answer(call)  # the line that makes sure of it follows at once
        else:
            await peer.send("eval", code="1;")
        await asyncio.sleep(turn + 0.015 - time.time())
        file.write_text("function just_made, disp('here'), end\n")
        os.utime(folder, (turn - 0.001, turn - 0.001))
        if time.time() < turn + 0.02:
            break
        os.utime(folder)  # no tick is so late
    answer = await peer.eval("just_made")
    file.unlink()
    assert (answer["error"], answer["output"]) == (None, "here\n")


async def test_a_users_scripts_may_have_the_names_of_what_the_session_itself_calls(start: Start) -> None:
    names = ("time", "stat", "path", "mod", "glob")
    session = await start({f"{name}.m": "disp('mine')\n" for name in names}).ready()
    peer = await session.connect()
    for code in ("disp(1)", *names, "disp(2)"):
        answer = await peer.eval(code)
        assert (answer["error"], answer["output"]) == (None, f"{code[5]}\n" if "(" in code else "mine\n")
    assert "error" not in peer.printed()


async def test_a_private_function_that_was_added_is_found(shared: Session) -> None:
    peer = await shared.connect()
    private = shared.folder / "private"
    private.mkdir(mode=0o755)
    (shared.folder / "asks_inside.m").write_text("function asks_inside\n  inside\nend\n")
    assert (await peer.eval("asks_inside"))["status"] == "error"
    (private / "inside.m").write_text("function inside, disp('inside'), end\n")
    assert (await peer.eval("asks_inside"))["output"] == "inside\n"
    shutil.rmtree(private)
    (shared.folder / "asks_inside.m").unlink()


async def test_scripts_with_functions_at_their_end_run_from_within_commands_and_other_scripts(shared: Session) -> None:
    peer = await shared.connect()
    outer = "inner; w = twice(y)\nfunction b = twice(a)\n  b = 2 * a;\nend\n"
    inner = "y = half(x); % outer\nfunction b = half(a)\n  b = a / 2;\nend\n"
    for name, text in (("outer", outer), ("inner", inner)):
        (shared.folder / f"{name}.m").write_text(text)
    answer = await peer.eval("7; x = 3; for k = 1:2, outer; end, outer")
    for name in ("outer", "inner"):
        (shared.folder / f"{name}.m").unlink()
    assert (answer["error"], answer["output"]) == (None, "w = 3\n" * 3)
    assert (await peer.eval("ans"))["output"] == "ans = 7\n"


# ---------------------------------------------------------------- input


async def test_input_is_asked_for_and_answered_by_anyone(shared: Session) -> None:
    peer, other = await shared.connect(), await shared.connect()
    await peer.eval("k = 4;")
    call = await peer.send("eval", code="n = input('how many? '); who = input('name: ', 's'); disp(n), disp(who)")
    request = await other.until("input_request")
    assert (request["prompt"], request["kind"]) == ("how many? ", "value")
    assert (await shared.health())["asks"] == request
    assert (await shared.connect()).heard[0][1]["status"]["asks"] == request
    await other.call("input", text="k + 1")
    assert (await other.until("input_request", lambda p: p["kind"] == "text"))["prompt"] == "name: "
    await peer.call("input", text="Zoë 中")
    answer = (await peer.answer(call))["result"]
    assert answer["output"] == "how many? k + 1\nname: Zoë 中\n5\nZoë 中\n"
    assert (await shared.health())["asks"] is None


async def test_the_debugger_asks_for_commands(shared: Session) -> None:
    peer = await shared.connect()
    call = await peer.send("eval", code="q = 3; printf('now'), keyboard; disp(q)")
    for text in ("q = q * 2;", "dbwhere", "dbstack", "dbcont"):
        request = await peer.until("input_request")
        assert (request["prompt"], request["kind"]) == ("K>> ", "debugger")
        peer.heard.clear()
        await peer.call("input", text=text)
    answer = (await peer.answer(call))["result"]
    assert answer["status"] == "ok"
    assert answer["output"].removeprefix("now").endswith("K>> q = q * 2;\nK>> dbwhere\nK>> dbstack\nK>> dbcont\n6\n")
    assert "session" not in answer["output"]


async def test_the_debugger_is_left_together_with_the_command(shared: Session) -> None:
    peer = await shared.connect()
    call = await peer.send("eval", code="keyboard; disp('never')")
    await peer.until("input_request")
    await peer.call("input", text="dbquit")
    answer = (await peer.answer(call))["result"]
    assert (answer["status"], answer["output"]) == ("interrupted", "K>> dbquit\n")
    assert (await peer.eval("disp(1)"))["output"] == "1\n"


async def test_a_diary_holds_what_was_printed_and_can_be_shown(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("diary('results/diary.txt');")
    await peer.eval("disp('first')")
    await peer.eval("clear all")
    peer.heard.clear()
    call = await peer.send("eval", code="disp('endless'); while true, end")
    await peer.until("output")
    await peer.call("interrupt")
    assert (await peer.answer(call))["result"]["status"] == "interrupted"  # Octave's own prompt is not printed into it
    await peer.eval("disp('second')")
    shown = await peer.eval("diary off; type -q results/diary.txt; delete results/diary.txt")
    assert (shown["status"], shown["output"].split()) == ("ok", ["first", "endless", "second"])
    assert (await peer.eval("disp(1)"))["output"] == "1\n"


async def test_the_debugger_stops_in_the_users_own_functions(shared: Session) -> None:
    peer = await shared.connect()
    file = shared.folder / "Documents/MATLAB/halves.m"
    file.write_text("function y = halves(x)\n  y = x / 2;\nend\n")
    call = await peer.send("eval", code="dbstop in halves; halves(8)")
    assert (await peer.until("input_request"))["prompt"] == "K>> "
    peer.heard.clear()
    await peer.call("input", text="dbstack")
    await peer.until("input_request")
    await peer.call("input", text="dbclear all; dbcont")
    output = (await peer.answer(call))["result"]["output"]
    file.unlink()
    where = "halves at line 2 [/home/matlab/shared/Documents/MATLAB/halves.m]"
    assert output.startswith(f"stopped in {where} \n2:   y = x / 2;\nK>> dbstack\n  --> {where}\nK>> ")
    assert output.endswith("K>> dbclear all; dbcont\nans = 4\n")


async def test_pause_waits_for_anyone(shared: Session) -> None:
    peer = await shared.connect()
    call = await peer.send("eval", code="pause; disp('on')")
    assert (await peer.until("input_request"))["kind"] == "key"
    await peer.call("input", text="")
    assert (await peer.answer(call))["result"]["output"] == "\non\n"


async def test_what_nobody_asked_for_is_not_typed(shared: Session) -> None:
    peer = await shared.connect()
    assert (await peer.refused("input", text="disp(666)"))["code"] == -32001
    assert (await peer.refused("input", text="two\nlines"))["code"] == -32602
    assert (await peer.eval("disp(1)"))["output"] == "1\n"


async def test_an_error_in_what_was_put_in_is_an_error_of_the_command(shared: Session) -> None:
    peer = await shared.connect()
    call = await peer.send("eval", code="x = input('? ');")
    await peer.until("input_request")
    await peer.call("input", text="undefined_thing")
    assert "undefined" in (await peer.answer(call))["result"]["error"]["message"]
    assert (await peer.call("whos"))["variables"] == []


# ---------------------------------------------------------------- status


async def test_status_tells_folder_memory_and_processor_time(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("cd results; x = 0; for i = 1:2e5, x += i; end")
    status = await peer.call("status")
    assert status["folder"] == "/home/matlab/shared/results"
    assert 10**7 < status["usage"]["memory"] < status["usage"]["memory_limit"] == 2**30
    before = status["usage"]["cpu_seconds"]
    await peer.eval("for i = 1:2e5, x += i; end")
    assert (await peer.call("status"))["usage"]["cpu_seconds"] > before > 0


# ---------------------------------------------------------------- figures


async def test_figures_are_announced_when_they_are_new_changed_or_closed(shared: Session) -> None:
    peer = await shared.connect()

    def announced() -> list[list[int]]:
        return [[f["number"] for f in p["figures"]] for method, p in peer.heard if method == "figures"]

    await peer.eval("figure(2); plot(1:3); figure(5, 'name', 'mine');")
    assert announced() == [[2, 5]]
    first = {f["number"]: f for f in (await peer.call("figures"))["figures"]}
    assert first[5]["name"] == "mine"
    await peer.eval("figure(2); title('changed'); drawnow;")
    second = {f["number"]: f for f in (await peer.call("figures"))["figures"]}
    assert second[2]["revision"] > first[2]["revision"]
    assert second[5] == first[5]
    await peer.eval("x = 1;")
    await peer.call("figure.export", number=2, format="png")
    await peer.eval("x = 2;")
    assert announced() == [[2, 5], [2, 5]]
    await peer.eval("close(2)")
    assert announced()[-1] == [5]
    assert [f["number"] for f in (await shared.connect()).heard[0][1]["figures"]] == [5]


DRAWN = {
    "plot(1:3, 'r--o')": ["scatter"],
    "plot3(1:3, 1:3, 1:3)": ["scatter3d"],
    "bar([1 2; 3 4])": ["scatter"],
    "hist(1:20)": ["scatter"],
    "surf(peaks(9))": ["scatter3d", "surface"],
    "mesh(peaks(9))": ["scatter3d"],
    "contour(peaks(12))": ["scatter"],
    "contourf(peaks(12))": ["scatter"],
    "pie([1 2 3])": ["scatter"],
    "errorbar(1:3, 1:3, [.1 .2 .3])": ["scatter"],
    "stairs(1:3)": ["scatter"],
    "stem(1:3)": ["scatter"],
    "area([1 2; 2 3])": ["scatter"],
    "scatter(1:4, 1:4, 20, 1:4, 'filled')": ["scatter"],
    "imagesc(magic(4)); colorbar": ["heatmap"],
    "imshow(uint8(rand(4, 5, 3) * 255))": ["image"],
    "pcolor(magic(4))": ["heatmap"],
    "quiver(1:2, 1:2, 1:2, 1:2)": ["scatter"],
    "semilogx(1:3)": ["scatter"],
    "plotyy(1:3, 1:3, 1:3, [4 1 2])": ["scatter"],
    "trisurf([1 2 3], [0 1 0], [0 0 1], [0 1 2])": ["mesh3d", "scatter3d"],
    "text(.5, .5, 'hello')": ["scatter"],
}


@pytest.mark.parametrize(("code", "kinds"), DRAWN.items())
async def test_figures_of_every_kind_are_told_as_data(shared: Session, code: str, kinds: list[str]) -> None:
    peer = await shared.connect()
    answer = await peer.eval(f"figure(1); {code}; title('t'); xlabel('x');")
    assert (answer["status"], answer["output"]) == ("ok", "")
    figure = await peer.call("figure.data", number=1)
    assert not figure["too_large"]
    assert sorted({trace["type"] for trace in figure["data"]}) == kinds
    assert "<b>t</b>" in [a["text"] for a in figure["layout"]["annotations"]]


async def test_axes_come_as_octave_draws_them(shared: Session) -> None:
    peer = await shared.connect()

    async def drawn(code: str) -> dict[str, Any]:
        await peer.eval(f"clf; {code};")
        return await peer.call("figure.data", number=1)

    polar = await drawn("polar(0:.1:6, 0:.1:6)")
    assert {"0", "90", "270"} <= {a["text"] for a in polar["layout"]["annotations"]}
    assert (await drawn("bar([1 2; 3 4])"))["layout"]["xaxis"]["tickvals"] == [1, 2]
    assert (await drawn("pie([1 2 3])"))["layout"]["yaxis"]["scaleratio"] == 1
    (ring,) = (await drawn("[x, y] = meshgrid(-2:.5:2); contour(x, y, x.^2 + y.^2, [1 1])"))["data"]
    assert (ring["x"][0], ring["y"][0]) == (ring["x"][-1], ring["y"][-1])
    legend = await drawn(
        "plot(1:3, 1:3, 1:3, 3:-1:1); legend('a_1', 'b'); title('\\alpha^2'); set(gca, 'ydir', 'reverse')"
    )
    assert [t["name"] for t in legend["data"] if t["showlegend"]] == ["a<sub>1</sub>", "b"]
    assert legend["layout"]["annotations"][0]["text"] == "<b>α<sup>2</sup></b>"
    assert legend["layout"]["yaxis"]["range"] == [3, 1]


async def test_a_figure_with_too_many_numbers_is_exported_instead(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("plot(rand(1, 200001))")
    figure = await peer.call("figure.data", number=1)
    assert (figure["too_large"], figure["data"]) == (True, [])
    assert "<svg" in (await peer.call("figure.export", number=1, format="svg"))["content"]


@pytest.mark.parametrize(("form", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
async def test_figures_are_exported(shared: Session, form: str, begins: bytes) -> None:
    peer = await shared.connect()
    await peer.eval("surf(peaks(10)); title('\\alpha^2 – 中');")
    answer = await peer.call("figure.export", number=1, format=form, width=900, height=500)
    content = answer["content"]
    data = base64.b64decode(content) if answer["encoding"] == "base64" else content.encode()
    assert data.startswith(begins)
    if form == "png":
        assert (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) == (900, 500)
    assert peer.printed() == ""
    listing = str(shared.container.exec_run(["ls", "/tmp"]).output)
    assert f".{form}" not in listing


async def test_a_figure_that_is_not_there_is_refused(shared: Session) -> None:
    peer = await shared.connect()
    assert "no figure 3" in (await peer.refused("figure.data", number=3))["message"]
    assert "no figure 3" in (await peer.refused("figure.export", number=3, format="png"))["message"]
