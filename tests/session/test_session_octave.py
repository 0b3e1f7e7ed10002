"""What people used to MATLAB expect of the interpreter itself: printing, files, help, solvers, clean messages."""

from __future__ import annotations

import contextlib

import docker
import pytest

from tests.session.conftest import FULL_IMAGE, Session, Start

PRINTED = {
    "print -dpng results/print.png": b"\x89PNG",
    "print('-dpdf', 'results/print.pdf')": b"%PDF",
    "print -dsvg results/print.svg": b"<?xml",
    "print -depsc results/print.eps": b"%!PS",
    "print -djpeg results/print.jpg": b"\xff\xd8",
    "saveas(gcf, 'results/print_2.png')": b"\x89PNG",
    "saveas(1, 'results/print_2.pdf')": b"%PDF",
}


@pytest.mark.parametrize(("code", "begins"), PRINTED.items())
async def test_figures_are_printed_without_a_stray_word(shared: Session, code: str, begins: bytes) -> None:
    peer = await shared.connect()
    answer = await peer.eval(f"figure(1); plot(1:3); title('\\alpha – 中文'); legend('one');\n{code}")
    assert (answer["status"], answer["error"], answer["output"]) == ("ok", None, "")
    (file,) = (shared.folder / "results").glob("print*")
    assert file.read_bytes().startswith(begins)
    file.unlink()


@pytest.mark.parametrize(
    ("code", "prints"),
    [
        ("[t, y] = ode45(@(t, y) -y, [0 1], 1); printf('%.3f', y(end))", "0.368"),
        ("[t, y] = ode15s(@(t, y) -y, [0 1], 1); printf('%.2f', y(end))", "0.37"),
        ("disp(eigs(sparse(diag(1:20)), 2)')", "   20   19\n"),
        ("disp(norm(svd(magic(4)) - sqrt(eig(magic(4)' * magic(4)))(end:-1:1)) < 1e-5)", "1\n"),
        ("x = 5; save -v7 results/v7.mat x; clear x; load results/v7.mat; disp(x), delete results/v7.mat", "5\n"),
        ("x = {1}; save -hdf5 results/h x; clear x; load results/h; disp(x{1}), delete results/h", "1\n"),
        ("imwrite(rand(5), 'results/i.png'); disp(size(imread('results/i.png'))), delete results/i.png", "   5   5\n"),
        ("warning('My:id', 'mind %d', 3)", "warning: mind 3\n"),
        ("inv(zeros(2));", "warning: matrix singular to machine precision\n"),
    ],
)
async def test_what_people_compute_prints_this_and_nothing_else(shared: Session, code: str, prints: str) -> None:
    peer = await shared.connect()
    answer = await peer.eval(code)
    assert (answer["error"], answer["output"]) == (None, prints)


async def test_what_trickles_is_heard_whole_in_order_and_before_the_end(shared: Session) -> None:
    peer = await shared.connect()
    await peer.eval("for k = 1:20000, printf('%d\\n', k); end")
    assert peer.printed().split() == [str(k) for k in range(1, 20001)]
    assert [method for method, _ in peer.heard if method != "output"] == ["hello", "busy", "idle"]


async def test_a_session_starts_without_a_word(session: Session) -> None:
    peer = await session.connect("?transcript=1")
    assert [e for e in peer.heard[0][1]["transcript"] if e["method"] == "output"] == []


async def test_help_is_there(shared: Session) -> None:
    peer = await shared.connect()
    assert "Compute the sine" in (await peer.eval("help sin"))["output"]
    assert "N-by-N magic square" in (await peer.eval("help magic"))["output"]
    assert "Print PROMPT and wait" in (await peer.eval("help input"))["output"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("[1 2] * [3 4]", "operator *: nonconformant arguments (op1 is 1x2, op2 is 1x2)"),
        ("nothing_like_it(3)", "'nothing_like_it' undefined near line 1, column 1"),
        ("ones(2)(3, 3)", "index (3,_): out of bound 2 (dimensions are 2x2)"),
        ("fclose(99)", "fclose: invalid stream number = 99"),
        ("ginput(1)", "ginput: there is no window to click into; figures are shown by the session's page."),
    ],
)
async def test_errors_are_told_as_octave_words_them(shared: Session, code: str, message: str) -> None:
    peer = await shared.connect()
    answer = await peer.eval(code)
    assert (answer["error"]["message"], answer["output"]) == (message, "")


async def test_asking_for_a_window_does_not_end_the_session(shared: Session) -> None:
    peer = await shared.connect()
    assert (await peer.eval("uigetfile"))["status"] == "error"
    assert (await peer.eval("disp(1)"))["output"] == "1\n"


async def test_the_full_image_has_its_packages_loaded(start: Start) -> None:
    with contextlib.closing(docker.from_env()) as client:
        if not client.images.list(FULL_IMAGE):
            pytest.skip(f"{FULL_IMAGE} is not built; `make image-full` does")
    session = await start(image=FULL_IMAGE).ready()
    peer = await session.connect("?transcript=1")
    assert [e for e in peer.heard[0][1]["transcript"] if e["method"] == "output"] == []
    code = (
        "[b, a] = butter(2, 0.3); tf([1], [1 2]); x = mean(normpdf(0)); rgb2gray(rand(2, 2, 3)); printf('%.4f', b(1))"
    )
    assert (await peer.eval(code))["output"] == "0.1311"
