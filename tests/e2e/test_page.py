"""What a person sees at a session's address, in a real browser."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser import a_browser
from tests.rig import Rig
from tests.support import Lab


async def test_the_page_evaluates_remembers_and_comes_back(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    await rig.comes_up(1)
    async with a_browser() as browser:
        page = await browser.new_page(locale="en-GB")
        await page.goto(f"http://127.0.0.1:{lab.http_base + 1}/")
        await expect(page.locator("#state")).to_have_text("Ready")  # the page is there before its connection is
        await page.locator("#command").fill("A = magic(4)")
        await page.keyboard.press("Enter")
        transcript = page.locator("#transcript")
        await expect(transcript).to_contain_text("16    2    3   13")
        await expect(transcript).to_contain_text("4   14   15    1")
        await page.reload()
        await expect(page.locator("#state")).to_have_text("Ready")
        await page.locator("#command").fill("sum(A(:))")
        await page.keyboard.press("Enter")
        await expect(transcript).to_contain_text("ans = 136")
        lab.container(1).restart()
        await expect(transcript).to_contain_text("The session's container was started anew.")
        await expect(page.locator("#state")).to_have_text("Ready")
