"""The page of a session, used as a person would use it: a real browser, a real container."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import a_browser
from tests.session.conftest import Session
from tests.support import eventually


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with a_browser() as it:
        yield it


@pytest.fixture
async def page(browser: Browser, session: Session) -> AsyncIterator[Page]:
    """The session's page, which must not complain of anything."""
    page = await a_page(browser, session)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield page
    assert complaints == []


async def a_page(browser: Browser, session: Session, **options: Any) -> Page:
    context = await browser.new_context(**({"locale": "en-GB", "viewport": {"width": 1280, "height": 800}} | options))
    page = await context.new_page()
    await page.goto(session.page)
    await expect(page.locator("body")).to_have_attribute("data-state", "idle")
    return page


async def run(page: Page, command: str) -> None:
    await page.locator("#command").fill(command)
    await page.keyboard.press("Enter")


def printed(page: Page, text: str) -> Any:
    """By a command: what was typed is in the transcript, too, and does not count."""
    return expect(page.locator("#transcript .output").filter(has_text=text).first).to_be_visible()


def noted(page: Page, text: str) -> Any:
    """Said by the page about the session."""
    return expect(page.locator("#transcript .note").filter(has_text=text).first).to_be_visible()


def variable(page: Page, name: str) -> Any:
    return page.locator(f"#variables tr[data-name={name}]")


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
    await page.keyboard.type("linsp")
    await page.keyboard.press("Tab")
    await expect(page.locator("#command")).to_have_text("linspace")
    await page.keyboard.type("(0, 1, 3)")
    await page.keyboard.press("Enter")
    await printed(page, "0.5000")


async def test_a_command_asks_and_is_answered(page: Page) -> None:
    await run(page, "name = input('Who? ', 's');")
    await expect(page.locator("#state")).to_have_text("Waiting for input")
    await run(page, "Ada")
    await run(page, "printf('Hello, %s!\\n', name)")
    await printed(page, "Hello, Ada!")


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


async def test_figures_are_drawn_rotated_and_exported(page: Page, tmp_path: Path) -> None:
    await run(page, "plot(1:10, (1:10).^2); title('Squares')")
    plot = page.locator("#plot[data-drawn]")
    await expect(plot.locator(".scatterlayer path.js-line")).to_have_count(1)
    await expect(plot).to_contain_text("Squares")
    await run(page, "figure; surf(peaks(20))")
    await expect(page.locator("#plot[data-kind=solid][data-drawn^='2.'] canvas").first).to_be_visible()
    eye = "document.getElementById('plot')._fullLayout.scene._scene.getCamera().eye"
    before = await page.evaluate(eye)
    box = await page.locator("#plot").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    distances = itertools.count(10, 10)

    async def turned() -> bool:
        await page.mouse.move(x + next(distances) % 100, y)
        return bool(await page.evaluate(f"Math.abs({eye}.x - {before['x']}) > 0.05"))

    await eventually(turned, every=0.1)
    await page.mouse.up()
    for label, beginning in (("PNG", b"\x89PNG"), ("SVG", b"<?xml"), ("PDF", b"%PDF")):
        await page.locator("#export-figure").click()
        async with page.expect_download() as download:
            await page.get_by_role("menuitem", name=f"Save as {label}").click()
        file = tmp_path / label
        await (await download.value).save_as(file)
        assert file.read_bytes().startswith(beginning)


async def test_a_script_is_written_saved_and_run_whole_and_in_parts(page: Page, session: Session) -> None:
    await page.locator("#new-script").click()
    await page.keyboard.type("%% One\na = 6;\n%% Two\nb = 7;\nif a, disp(a * b)\n")
    await page.keyboard.press("F5")
    await page.get_by_role("dialog").get_by_role("textbox").fill("answer.m")
    await page.keyboard.press("Enter")
    await expect(page.locator("#transcript .error")).to_contain_text("parse error")
    await page.locator(".file:visible .cm-content").focus()
    await page.keyboard.type("end")
    await page.keyboard.press("F5")
    await printed(page, "42")
    assert "disp(a * b)" in (session.folder / "answer.m").read_text()
    await run(page, "clear; clc")
    await page.locator(".file:visible .cm-line", has_text="a = 6;").click()
    await page.keyboard.press("Control+Enter")
    await expect(variable(page, "a")).to_be_visible()
    await expect(variable(page, "b")).to_have_count(0)
    await page.locator(".file:visible .cm-line", has_text="b = 7;").click()
    await page.keyboard.press("F9")
    await expect(variable(page, "b")).to_contain_text("7")


async def test_files_go_up_come_down_and_are_renamed_and_removed(page: Page, session: Session, tmp_path: Path) -> None:
    mine = tmp_path / "数据 1.csv"
    mine.write_bytes(b"1,2\n3,4\n")
    await page.locator("#upload-files").set_input_files(mine)
    entry = page.locator(".entry", has_text="数据 1.csv")
    await expect(entry).to_be_visible()
    assert (session.folder / mine.name).read_bytes() == b"1,2\n3,4\n"
    await entry.click(button="right")
    async with page.expect_download() as download:
        await page.get_by_role("menuitem", name="Download").click()
    await (await download.value).save_as(tmp_path / "back.csv")
    assert (tmp_path / "back.csv").read_bytes() == b"1,2\n3,4\n"
    await entry.click()
    await page.keyboard.press("F2")
    await page.get_by_role("dialog").get_by_role("textbox").fill("data.csv")
    await page.keyboard.press("Enter")
    await expect(page.locator(".entry", has_text="data.csv")).to_be_visible()
    await page.locator(".entry", has_text="data.csv").click(button="right")
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.locator(".entry", has_text="data.csv")).to_have_count(0)
    assert not (session.folder / "data.csv").exists()


async def test_stop_ends_a_loop_and_a_forced_restart_what_does_not_listen(page: Page) -> None:
    await run(page, "disp('it loops'), while true, end")
    await printed(page, "it loops")
    await page.locator("#stop").click()
    await noted(page, "Stopped.")
    await expect(page.locator("#state")).to_have_text("Ready")
    await run(page, "system('trap \"\" INT; echo deaf; sleep 60');")
    await printed(page, "deaf")  # only now: before the trap it would have listened
    await page.keyboard.press("Control+c")
    await page.get_by_role("button", name="Force restart").click()
    await noted(page, "The interpreter was restarted.")
    await run(page, "1 + 1")
    await printed(page, "ans = 2")


async def test_the_interpreter_dies_and_the_page_goes_on(page: Page) -> None:
    await run(page, "before = 1;")
    await expect(variable(page, "before")).to_be_visible()
    await run(page, "system(sprintf('kill -9 %d', getpid()));")
    await noted(page, "ended by signal 9")
    await run(page, "after = 2")
    await printed(page, "after = 2")
    await expect(variable(page, "before")).to_have_count(0)


async def test_a_reloaded_page_shows_the_session_as_it_was(page: Page) -> None:
    await run(page, "kept = 41; plot(1:3)")
    await expect(page.locator("#plot[data-drawn]")).to_be_visible()
    await page.locator("#new-script").click()
    await page.keyboard.type("not yet saved = true")
    await eventually(lambda: page.evaluate("localStorage.getItem('documents')?.includes('not yet saved = true')"))
    await page.reload()
    await expect(page.locator("#transcript .command").first).to_have_text("kept = 41; plot(1:3)")
    await expect(variable(page, "kept")).to_contain_text("41")
    await expect(page.locator("#plot[data-drawn]")).to_be_visible()
    await expect(page.locator(".file:visible .cm-content")).to_contain_text("not yet saved = true")
    await run(page, "kept + 1")
    await printed(page, "ans = 42")


@pytest.mark.parametrize(
    ("locale", "title", "other"), [("en-GB", "Command Window", "命令行窗口"), ("zh-CN", "命令行窗口", "Command Window")]
)
async def test_it_speaks_the_browsers_language_or_the_chosen_one(
    browser: Browser, session: Session, locale: str, title: str, other: str
) -> None:
    page = await a_page(browser, session, locale=locale, viewport={"width": 900, "height": 700})
    await expect(page.locator("#command-title")).to_have_text(title)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "usable at 900 pixels"
    await page.locator("#language").click()
    await expect(page.locator("#command-title")).to_have_text(other)
    await page.reload()
    await expect(page.locator("#command-title")).to_have_text(other)


async def test_it_is_light_or_dark_as_the_system_or_as_chosen(browser: Browser, session: Session) -> None:
    def brightness(page: Page) -> Any:
        return page.evaluate(
            "Number(/\\d+/.exec(getComputedStyle(document.getElementById('window').parentElement).backgroundColor)[0])"
        )

    page = await a_page(browser, session, color_scheme="dark")
    assert await brightness(page) < 60
    await page.locator("#theme").click()
    assert await brightness(page) > 200
    await page.reload()
    assert await brightness(page) > 200
    assert await brightness(await a_page(browser, session, color_scheme="light")) > 200
