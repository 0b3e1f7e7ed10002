"""The page of a session, used as a person would use it: a real browser, a real container."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from docker.models.containers import Container
from playwright.async_api import Browser, FrameLocator, Locator, Page, expect

from tests.browser import a_browser
from tests.session.conftest import HTTP, ROOT, WEBSOCKET, Session, Start
from tests.support import Lab, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all

AXE = ROOT / "matlab" / "page" / "node_modules" / "axe-core" / "axe.min.js"
ACCESSIBLE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
DROP = """(element, [name, text]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], name));
    for (const type of ["dragenter", "dragover", "drop"])
        element.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
}"""
EYE = "document.getElementById('plot')._fullLayout.scene._scene.getCamera().eye"
ZOOM = "document.getElementById('plot')._fullLayout.scene.aspectratio.x"
NUMBERS = (
    "document.getElementById('plot')._fullLayout.scene._scene.axesOptions.ticks"
    ".map((axis) => axis.map(({ text }) => text.trim()))"
)
RANGE = "document.getElementById('plot')._fullLayout.xaxis.range"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with a_browser() as it:
        yield it


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, shared: Session) -> AsyncIterator[Page]:
    """The page of a session that others used before; it must not complain of anything."""
    async with a_quiet_page(browser, shared) as page:
        await run(page, "clc")
        await expect(page.locator("#transcript .command")).to_have_count(0)
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def own_page(browser: Browser, session: Session) -> AsyncIterator[Page]:
    """That of a session that may be broken."""
    async with a_quiet_page(browser, session) as page:
        yield page


@pytest.fixture
async def on_ports_of_its_own(start: Start, lab: Lab) -> Session:
    """A session that can be started again and is at the same address then."""
    ports = {HTTP: ("127.0.0.1", lab.http_base), WEBSOCKET: ("127.0.0.1", lab.ws_base)}
    return await start(ports=ports).ready()


@asynccontextmanager
async def a_quiet_page(browser: Browser, session: Session) -> AsyncIterator[Page]:
    page = await a_page(browser, session)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield page
    await page.context.close()
    assert complaints == []


async def a_page(browser: Browser, session: Session, **options: Any) -> Page:
    context = await browser.new_context(**({"locale": "en-GB", "viewport": {"width": 1280, "height": 800}} | options))
    page = await context.new_page()
    await page.clock.install()
    await page.goto(session.page)
    await expect(page.locator("body")).to_have_attribute("data-state", "idle")
    return page


async def run(page: Page | FrameLocator, command: str) -> None:
    await page.locator("#command").fill(command)
    await page.locator("#command").press("Enter")


def printed(page: Page | FrameLocator, text: str) -> Any:
    """By a command: what was typed is in the transcript, too, and does not count."""
    return expect(page.locator("#transcript .output").filter(has_text=text).first).to_be_visible()


def noted(page: Page, text: str) -> Any:
    """Said by the page about the session."""
    return expect(page.locator("#transcript .note").filter(has_text=text).first).to_be_visible()


def state(page: Page, text: str) -> Any:
    return expect(page.locator("#state")).to_have_text(text)


def variable(page: Page, name: str) -> Locator:
    return page.locator(f"#variables tr[data-name={name}]")


def entry(page: Page, name: str) -> Locator:
    return page.locator(f'.entry[data-name="{name}"]')


async def middle(it: Locator) -> tuple[float, float]:
    box = await it.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def test_commands_are_completed_recalled_and_answered(page: Page) -> None:
    await run(page, "A = magic(4)")
    await printed(page, "16    2    3   13")
    await run(page, "error('Mine:id', 'went wrong')")
    await expect(page.locator("#transcript .error")).to_contain_text("went wrong")
    await page.locator("#command").fill("A")
    await page.keyboard.press("ArrowUp")
    await expect(page.locator("#command")).to_have_text("A = magic(4)")
    await page.locator("#command").fill("nthargou")
    await page.keyboard.press("Tab")
    await expect(page.locator("#command")).to_have_text("nthargout")
    await page.keyboard.press("Escape")
    await page.keyboard.type("z = '🙂'; linsp")
    await page.keyboard.press("Tab")
    await expect(page.locator("#command")).to_have_text("z = '🙂'; linspace")
    await page.keyboard.type("(0, 1, 3)")
    await page.keyboard.press("Enter")
    await printed(page, "0.5000")
    await run(page, "6 * 7")
    await run(page, "ans")
    await expect(page.locator("#transcript .output", has_text="ans = 42")).to_have_count(2)
    await run(page, "disp('early'); clc; disp('late')")
    await printed(page, "late")
    await expect(page.locator("#transcript")).to_have_text("late")


async def test_long_output_is_followed_to_its_end(page: Page) -> None:
    await run(page, "for k = 1:50000, printf('%d: a line\\n', k); end, disp('all of it')")
    await printed(page, "all of it")
    await expect(page.locator("#line")).to_be_in_viewport()


async def test_progress_is_shown_as_it_is_now(page: Page) -> None:
    step = r"fprintf('step %d of 11', k), fprintf(repmat('\b', 1, 12 + (k > 9)))"
    await run(page, f"for k = 9:11, {step}, end, disp('all steps done')")
    await printed(page, "all steps done")
    await expect(page.locator("#transcript .output").last).to_have_text("all steps done")


async def test_a_command_asks_and_only_the_command_line_answers(page: Page) -> None:
    await run(page, "s = 1; surf(peaks(5)); name = input('Who? ', 's');")
    await state(page, "Waiting for input")
    await expect(page.locator("#prompt")).to_have_text("Who? ")
    await expect(page.locator("#transcript")).not_to_contain_text("Who? Ada")
    await page.locator("#new-script").click()
    await page.keyboard.type("no_answer = 1;")
    await page.keyboard.press("F9")
    await expect(page.locator("#notice")).to_contain_text("waits for an answer")
    await page.locator("#command").press_sequentially("Ada")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("Lovelace")
    await page.keyboard.press("Enter")
    await expect(page.locator("#notice")).to_contain_text("one line")
    await expect(page.locator("#prompt")).to_have_text("Who? ")
    await run(page, "Ada")
    await printed(page, "Who? Ada")
    await run(page, "printf('Hello, %s!\\n', name); keyboard")
    await printed(page, "Hello, Ada!")
    await expect(page.locator("#prompt")).to_have_text("K>> ")
    await page.locator(".file:visible .cm-content").focus()
    await page.keyboard.press("F9")  # a debugger takes what is in the editor
    await expect(page.locator("#transcript .output").last).to_contain_text("no_answer = 1;")
    await state(page, "Waiting for input")
    await run(page, "dbcont")
    await state(page, "Ready")
    await expect(variable(page, "no_answer")).to_be_visible()
    await run(page, "input('Who else? ', 's')")
    await state(page, "Waiting for input")
    await page.locator("#command").press_sequentially("Bob")
    await page.keyboard.press("Control+c")
    await state(page, "Ready")
    await expect(page.locator("#command")).to_have_text("")  # it was for a question that is gone


async def test_the_workspace_shows_variables_and_what_is_in_them(page: Page) -> None:
    await run(page, "A = magic(4); s.name = 'Ada'; s.list = {1, [5 6 7]};")
    await expect(variable(page, "A")).to_contain_text("4×4")
    await expect(variable(page, "s")).to_contain_text("struct")
    await variable(page, "A").dblclick()
    await expect(page.locator(".viewer:visible .numbers")).to_contain_text("16")
    await run(page, "A(1) = 1234;")
    await expect(page.locator(".viewer:visible .numbers")).to_contain_text("1234")
    await variable(page, "s").dblclick()
    viewer = page.locator(".viewer:visible")
    await expect(viewer).to_contain_text("'Ada'")
    await viewer.get_by_role("button", name="list").click()
    await viewer.get_by_role("button", name="2", exact=True).click()
    await expect(viewer.locator(".numbers td").nth(3)).to_have_text("7")
    await run(page, "clear s")
    await expect(viewer).to_contain_text("There is no variable s any more.")


async def test_a_curve_is_zoomed_with_the_mouse_and_brought_back(page: Page) -> None:
    await run(page, "plot(1:10, (1:10).^2); title('Squares')")
    plot = page.locator("#plot[data-drawn]")
    await expect(plot.locator(".scatterlayer path.js-line")).to_have_count(1)
    await expect(plot).to_contain_text("Squares")
    whole = await page.evaluate(RANGE)
    x, y = await middle(plot)
    await page.mouse.move(x - 40, y - 40)
    await page.mouse.down()
    await page.mouse.move(x + 40, y + 40, steps=4)
    await page.mouse.up()
    left, right = await eventually(lambda: page.evaluate(f"{RANGE}[0] > {whole[0]} && {RANGE}"))
    assert whole[0] < left < right < whole[1]
    await page.locator("#theme").click()  # which draws it anew
    await expect(plot.locator(".scatterlayer path.js-line")).to_have_count(1)
    assert await page.evaluate(RANGE) == [left, right]
    await plot.dblclick(position={"x": 150, "y": 150})
    await eventually(lambda: page.evaluate(f"String({RANGE}) === '{whole[0]},{whole[1]}'"))


async def test_a_surface_is_turned_stays_so_and_is_exported(page: Page, tmp_path: Path) -> None:
    await run(page, "surf(peaks(20))")
    await expect(page.locator("#plot[data-kind=solid][data-drawn] canvas").first).to_be_visible()
    await eventually(lambda: page.evaluate(f"{NUMBERS}[1].at(-1) === '20'"))
    _, _, upwards = await page.evaluate(NUMBERS)  # the lowest would lie upon that 20
    assert upwards == ["", "−5", "0", "5", "10"]
    before = await page.evaluate(EYE)
    x, y = await middle(page.locator("#plot"))
    await page.mouse.move(x, y)
    await page.mouse.down()
    distances = itertools.count(10, 10)

    async def turned() -> bool:
        await page.mouse.move(x + next(distances) % 100, y)
        return bool(await page.evaluate(f"Math.abs({EYE}.x - {before['x']}) > 0.05"))

    await eventually(turned, every=0.1)
    seen = [before]

    async def at_rest() -> bool:
        seen.append(await page.evaluate(EYE))
        return all(each == seen[-1] != before for each in seen[-5:])

    await eventually(at_rest, every=0.2)  # it swings a little, and a busy machine turns it late
    await page.mouse.up()  # which is when it is remembered
    await run(page, "title('Peaks')")
    await expect(page.locator("#plot")).to_contain_text("Peaks")
    assert await page.evaluate(EYE) == pytest.approx(seen[-1], abs=1e-6)
    await page.mouse.wheel(0, -400)
    await eventually(lambda: page.evaluate(f"{ZOOM} > 1"))
    await page.get_by_role("button", name="Original view").click()
    await eventually(lambda: page.evaluate(f"{ZOOM} === 1"))
    assert await page.evaluate(EYE) == pytest.approx(before, abs=1e-6)
    await page.locator("#enlarge").click()
    await expect(page.locator("#command-window")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(page.locator("#command-window")).to_be_visible()
    for label, beginning in (("PNG", b"\x89PNG"), ("SVG", b"<?xml"), ("PDF", b"%PDF")):
        await page.locator("#export-figure").click()
        async with page.expect_download() as download:
            await page.get_by_role("menuitem", name=f"Save as {label}").click()
        file = tmp_path / label
        await (await download.value).save_as(file)
        assert file.read_bytes().startswith(beginning)


async def test_a_script_is_written_saved_and_run_whole_and_in_parts(page: Page, shared: Session) -> None:
    await expect(page.locator("#run")).to_be_disabled()
    await page.locator("#new-script").click()
    await page.keyboard.type("%% One\na = 6;\n%% Two\nb = 7;\nif a, disp(a * b)\n")
    await page.keyboard.press("F5")
    await page.get_by_role("dialog").get_by_role("textbox").fill("answer.m")
    await page.keyboard.press("Enter")
    await expect(page.locator("#transcript .error")).to_contain_text("parse error")
    unsaved = page.get_by_role("tab", name="answer.m").locator(".unsaved")
    await expect(unsaved).to_have_count(0)
    await page.locator(".file:visible .cm-line", has_text="a = 6;").click()
    await page.locator("#transcript .error .place").click()  # leads to where the error is, on the last line
    await page.keyboard.press("Control+End")
    await page.keyboard.type("end")
    await expect(unsaved).to_be_visible()
    await page.keyboard.press("F5")
    await printed(page, "42")
    assert "disp(a * b)" in (shared.folder / "answer.m").read_text()
    await run(page, "clear; loaded = 1; save -v7 mine.mat loaded; clear")
    await page.locator(".file:visible .cm-line", has_text="a = 6;").click()
    await page.keyboard.press("Control+Enter")
    await expect(variable(page, "a")).to_be_visible()
    await expect(variable(page, "b")).to_have_count(0)
    await page.locator(".file:visible .cm-line", has_text="b = 7;").click()
    await page.keyboard.press("F9")
    await expect(variable(page, "b")).to_contain_text("7")
    await run(page, "edit other")
    await page.get_by_role("dialog").get_by_role("button", name="Create").click()
    await expect(page.get_by_role("tab", name="other.m")).to_have_attribute("aria-selected", "true")
    await entry(page, "mine.mat").dblclick()  # is loaded
    await expect(variable(page, "loaded")).to_be_visible()


async def test_a_file_keeps_its_line_breaks(page: Page, shared: Session) -> None:
    file = shared.folder / "from_windows.m"
    file.write_bytes(b"a = 1;\r\nb = 2;\r\n")
    await page.get_by_role("button", name="Refresh").click()
    await entry(page, file.name).dblclick()
    await expect(page.locator(".file:visible .cm-line")).to_have_count(3)
    unsaved = page.get_by_role("tab", name=file.name).locator(".unsaved")
    await expect(unsaved).to_have_count(0)
    await page.keyboard.press("Control+End")
    await page.keyboard.type("c = 3;")
    await expect(unsaved).to_be_visible()
    await page.keyboard.press("Control+s")
    await expect(unsaved).to_have_count(0)
    assert file.read_bytes() == b"a = 1;\r\nb = 2;\r\nc = 3;"


async def test_files_go_up_come_down_and_are_renamed_and_removed(page: Page, shared: Session, tmp_path: Path) -> None:
    mine = tmp_path / "数据 1.csv"
    mine.write_bytes(b"1,2\n3,4\n")
    await page.locator("#upload-files").set_input_files(mine)
    await expect(entry(page, mine.name)).to_be_visible()
    assert (shared.folder / mine.name).read_bytes() == b"1,2\n3,4\n"
    await entry(page, mine.name).click(button="right")
    async with page.expect_download() as download:
        await page.get_by_role("menuitem", name="Download").click()
    await (await download.value).save_as(tmp_path / "back.csv")
    assert (tmp_path / "back.csv").read_bytes() == b"1,2\n3,4\n"
    await entry(page, mine.name).click()
    await page.keyboard.press("F2")
    await page.get_by_role("dialog").get_by_role("textbox").fill("data.csv")
    await page.keyboard.press("Enter")
    await expect(entry(page, "data.csv")).to_be_visible()
    await entry(page, "data.csv").click(button="right")
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(entry(page, "data.csv")).to_have_count(0)
    assert not (shared.folder / "data.csv").exists()


async def test_folders_are_made_dropped_into_and_entered(page: Page, shared: Session) -> None:
    await page.get_by_role("button", name="New folder").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill("drop here")
    await page.keyboard.press("Enter")
    await entry(page, "drop here").evaluate(DROP, ["dropped.txt", "into the folder"])
    await page.locator("#file-list").evaluate(DROP, ["beside.txt", "beside it"])
    await expect(entry(page, "beside.txt")).to_be_visible()
    await entry(page, "drop here").dblclick()
    await expect(entry(page, "dropped.txt")).to_be_visible()
    assert (shared.folder / "drop here" / "dropped.txt").read_text() == "into the folder"
    await run(page, "pwd")
    await printed(page, "ans = /home/matlab/shared/drop here")
    await entry(page, "dropped.txt").dblclick()
    await expect(page.locator(".file:visible .cm-content")).to_have_text("into the folder")
    await page.get_by_role("button", name="Home").click()
    await expect(entry(page, "drop here")).to_be_visible()


async def test_stop_ends_a_loop_and_a_forced_restart_what_does_not_listen(own_page: Page) -> None:
    page = own_page
    await expect(page.locator("#transcript .hint")).to_contain_text("Type a command")  # nobody was here before
    await expect(page.locator("#variables")).to_contain_text("No variables")
    await run(page, "disp('it loops'), while true, end")
    await printed(page, "it loops")
    await page.locator("#stop").click()
    await noted(page, "Stopped.")
    await state(page, "Ready")
    await run(page, "system('trap \"\" INT; echo deaf; sleep 60');")
    await printed(page, "deaf")  # only now: before the trap it would have listened
    await page.keyboard.press("Control+c")
    await page.get_by_role("button", name="Force restart").click()
    await noted(page, "The interpreter was restarted.")
    await run(page, "1 + 1")
    await printed(page, "ans = 2")


async def test_the_interpreter_dies_and_the_page_goes_on(own_page: Page) -> None:
    page = own_page
    await run(page, "before = 1;")
    await expect(variable(page, "before")).to_be_visible()
    await run(page, "system(sprintf('kill -9 %d', getpid()));")
    await noted(page, "ended by signal 9")
    await run(page, "after = 2")
    await printed(page, "after = 2")
    await expect(variable(page, "before")).to_have_count(0)


async def test_a_session_that_falls_silent_is_missed_and_found_again(
    page: Page, shared_container: tuple[Container, Path]
) -> None:
    await run(page, "kept = 43")
    await printed(page, "kept = 43")
    container, _ = shared_container
    container.pause()
    try:
        await page.clock.fast_forward(5_000)  # the page looks
        await page.clock.fast_forward(11_000)  # and loses patience
        await state(page, "Connecting…")
        await expect(page.locator("#notice")).to_contain_text("The connection is lost.")
        await run(page, "kept + 1")
        await expect(page.locator("#command")).to_have_text("kept + 1")  # not taken, not lost
    finally:
        container.unpause()
    await state(page, "Ready")
    await page.locator("#command").press("Enter")
    await printed(page, "ans = 44")


async def test_the_session_dies_with_its_service_and_the_page_finds_the_next_one(
    browser: Browser, on_ports_of_its_own: Session
) -> None:
    page = await a_page(browser, on_ports_of_its_own)
    await run(page, "x = 41")
    await printed(page, "x = 41")
    await expect(variable(page, "x")).to_be_visible()
    on_ports_of_its_own.container.kill()  # the service is what a container runs: one ends with the other
    await state(page, "Connecting…")
    await expect(page.locator("#notice")).to_contain_text("The connection is lost.")
    on_ports_of_its_own.container.start()
    await noted(page, "started anew. All variables are gone.")
    await state(page, "Ready")
    await expect(variable(page, "x")).to_have_count(0)
    await printed(page, "x = 41")
    await run(page, "1 + 1")
    await printed(page, "ans = 2")
    await page.context.close()


async def test_a_reloaded_page_shows_the_session_as_it_was(page: Page) -> None:
    await run(page, "kept = 41; plot(1:3)")
    await expect(page.locator("#plot[data-drawn]")).to_be_visible()
    await page.locator("#new-script").click()
    await page.keyboard.type("not yet saved = true")
    await eventually(lambda: page.evaluate("localStorage.getItem('documents')?.includes('not yet saved = true')"))
    await page.reload()
    await expect(page.locator("#transcript .command").last).to_have_text("kept = 41; plot(1:3)")
    await expect(variable(page, "kept")).to_contain_text("41")
    await expect(page.locator("#plot[data-drawn]")).to_be_visible()
    await expect(page.locator(".file:visible .cm-content")).to_contain_text("not yet saved = true")
    await run(page, "kept + 1")
    await printed(page, "ans = 42")


async def test_the_keys_alone_reach_everything(page: Page, shared: Session) -> None:
    (shared.folder / "keys.m").write_text("disp('by keys')\n")
    await page.get_by_role("button", name="Refresh").click()
    await expect(entry(page, "keys.m")).to_be_visible()
    await page.locator("#toggle-left").focus()
    for _ in range(40):  # to Current Folder, with Tab
        await page.keyboard.press("Tab")
        if await page.locator("#file-list").evaluate("list => list === document.activeElement"):
            break
    await expect(page.locator("#file-list")).to_be_focused()
    rows = await page.locator(".entry").evaluate_all("rows => rows.map((row) => row.dataset.name)")
    for _ in range(rows.index("keys.m") + 1):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Shift+F10")
    await expect(page.get_by_role("menuitem", name="Open")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".file:visible .cm-content")).to_be_focused()
    await page.keyboard.press("F5")
    await printed(page, "by keys")
    await page.keyboard.press("Escape")  # Tab is a character in the editor, but not after Escape
    await page.keyboard.press("Tab")
    await expect(page.locator("#split-centre")).to_be_focused()
    height = await page.locator("#documents").evaluate("pane => pane.offsetHeight")
    await page.keyboard.press("ArrowUp")
    await eventually(lambda: page.locator("#documents").evaluate(f"pane => pane.offsetHeight < {height}"))
    await page.get_by_role("tab", name="keys.m").focus()
    await page.keyboard.press("Delete")
    await expect(page.get_by_role("tab", name="keys.m")).to_have_count(0)
    await page.locator("#command").focus()
    await page.keyboard.type("typed")
    await page.keyboard.press("Escape")
    await expect(page.locator("#command")).to_have_text("")
    await page.keyboard.press("Tab")
    await expect(page.locator("#split-right")).to_be_focused()


async def test_it_can_be_read_by_everyone_in_both_themes(page: Page) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is there only where the page was built with the host's own Node")
    await page.locator("#new-script").click()
    await page.keyboard.type("%% Title\nfor k = 1:3\nx = 'text' % comment\nend\n")
    await page.keyboard.press("Control+f")
    await expect(page.locator(".cm-search")).to_be_visible()
    await run(page, "A = magic(4), s.a = 1; surf(peaks(9)); figure; plot(1:3); error('Mine:id', 'went wrong')")
    await expect(page.locator("#plot[data-kind=flat][data-drawn]")).to_be_visible()
    await expect(variable(page, "A")).to_be_visible()
    await page.locator(".entry").first.click(button="right")
    await page.evaluate(AXE.read_text())
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme)
        await expect(page.locator("html")).to_have_attribute("data-theme", theme)
        found = await page.evaluate(f"axe.run({{ runOnly: {json.dumps(ACCESSIBLE)} }})")
        faults = [(fault["help"], [node["target"] for node in fault["nodes"]]) for fault in found["violations"]]
        assert faults == [], theme
        assert len(found["passes"]) > 20


@pytest.mark.parametrize(
    ("locale", "title", "other"), [("en-GB", "Command Window", "命令行窗口"), ("zh-CN", "命令行窗口", "Command Window")]
)
async def test_it_speaks_the_browsers_language_or_the_chosen_one(
    browser: Browser, shared: Session, locale: str, title: str, other: str
) -> None:
    page = await a_page(browser, shared, locale=locale)
    await expect(page.locator("#command-title")).to_have_text(title)
    await page.locator("#language").click()
    await expect(page.locator("#command-title")).to_have_text(other)
    await page.reload()
    await expect(page.locator("#command-title")).to_have_text(other)
    await page.context.close()


async def test_it_is_light_or_dark_as_the_system_or_as_chosen(browser: Browser, shared: Session) -> None:
    def brightness(page: Page) -> Any:
        return page.evaluate(
            "Number(/\\d+/.exec(getComputedStyle(document.getElementById('window').parentElement).backgroundColor)[0])"
        )

    page = await a_page(browser, shared, color_scheme="dark")
    assert await brightness(page) < 60
    await page.locator("#theme").click()
    assert await brightness(page) > 200
    await page.reload()
    assert await brightness(page) > 200
    await page.context.close()
    page = await a_page(browser, shared, color_scheme="light")
    assert await brightness(page) > 200
    await page.context.close()


async def test_it_is_used_in_a_frame_of_another_sites_page(browser: Browser, shared: Session) -> None:
    async def platform(_: web.Request) -> web.Response:
        html = f'<!doctype html><iframe src="{shared.page}" width="900" height="650"></iframe>'
        return web.Response(text=html, content_type="text/html")

    site = web.Application()
    site.router.add_get("/", platform)
    runner = web.AppRunner(site)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    context = await browser.new_context(locale="en-GB", viewport={"width": 960, "height": 700})
    try:
        page = await context.new_page()
        await page.goto(f"http://localhost:{runner.addresses[0][1]}/")  # to a browser another site than 127.0.0.1
        frame = page.frame_locator("iframe")
        await expect(frame.locator("body")).to_have_attribute("data-state", "idle")
        await run(frame, "framed = 6 * 7, surf(peaks(9))")
        await printed(frame, "framed = 42")
        await expect(frame.locator("#plot[data-drawn] canvas").first).to_be_visible()
        await frame.locator("#theme").click()
        await frame.locator("#new-script").click()
        await page.keyboard.type("disp('from the frame')")
        await page.keyboard.press("F9")
        await printed(frame, "from the frame")
        fits = "page => page.scrollWidth <= page.clientWidth && page.scrollHeight <= page.clientHeight"
        assert await frame.locator("html").evaluate(fits)
        bar = "bar => bar.lastElementChild.getBoundingClientRect().right <= innerWidth"
        assert await frame.locator("#toolbar").evaluate(bar), "all of the bar can be reached"
        whole = "titles => titles.filter((it) => it.scrollWidth > it.clientWidth).map((it) => it.textContent)"
        assert await frame.locator("h2:visible").evaluate_all(whole) == []
        await frame.locator("#language").click()
        await expect(frame.locator("#files-title")).to_have_text("当前文件夹")
        assert await frame.locator("h2:visible").evaluate_all(whole) == []
    finally:
        await context.close()
        await runner.cleanup()


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
async def test_on_a_phone_the_panes_stand_one_below_the_other(browser: Browser, shared: Session, language: str) -> None:
    page = await a_page(browser, shared, locale=language, viewport={"width": 390, "height": 760}, has_touch=True)
    await expect(page.locator("#line")).to_be_in_viewport()
    await run(page, "phone = 6 * 7, surf(peaks(9))")
    await printed(page, "phone = 42")
    await expect(page.locator("#plot[data-drawn] canvas").first).to_be_attached()
    await expect(page.locator("#line")).to_be_in_viewport()  # a figure does not take the reader away from what is typed
    assert await page.locator("html").evaluate("page => page.scrollWidth <= innerWidth")
    places = await page.locator(".pane").evaluate_all("panes => panes.map((it) => it.getBoundingClientRect().width)")
    assert min(places) > 350
    buttons = "buttons => buttons.every((it) => it.getBoundingClientRect().right <= innerWidth)"
    assert await page.locator("#toolbar button").evaluate_all(buttons)
    await page.locator("#figures").scroll_into_view_if_needed()
    await page.locator("#figure-tools button").last.click()  # enlarge
    box = await page.locator("#figures").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["height"] > 600
    await page.context.close()


async def test_stop_frees_a_session_that_hangs_on_a_question(own_page: Page, session: Session) -> None:
    page = own_page
    await run(page, "x = 1;")
    await expect(variable(page, "x")).to_be_visible()
    (session.folder / "mat2str.m").write_text("function text = mat2str (varargin)\n  while true, end\nend\n")
    await run(page, "x = 2")
    await printed(page, "x = 2")
    await state(page, "Ready")  # and now the page asks for the variables, but never hears of their values
    await run(page, "disp('freed')")
    await page.clock.fast_forward(5_000)  # the page looks, and sees that a command waits while none runs
    await page.locator("#stop").click()
    await printed(page, "freed")
    await expect(page.locator("#transcript .note")).to_have_count(0)  # nothing was lost for it
