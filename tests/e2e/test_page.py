"""What a person sees at a session's address, in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.rig import Rig
from tests.support import Lab

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
expect.set_options(timeout=30_000)  # ms: a busy machine takes its time


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    if CHROMIUM is None:
        assert not os.environ.get("CI"), "CI must have a browser"
        pytest.skip("no Chromium on this machine (`apt-get install chromium`)")
    async with async_playwright() as browsers:
        browser = await browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic"])
        yield await browser.new_page(locale="en-GB")
        await browser.close()


async def test_the_page_evaluates_and_remembers(rig: Rig, lab: Lab, page: Page) -> None:
    await rig.create(1)
    await rig.comes_up(1)
    await page.goto(f"http://127.0.0.1:{lab.http_base + 1}/")
    await page.locator("#command").fill("A = magic(4)")
    await page.keyboard.press("Enter")
    transcript = page.locator("#transcript")
    await expect(transcript).to_contain_text("16    2    3   13")
    await expect(transcript).to_contain_text("4   14   15    1")
    await page.reload()
    await page.locator("#command").fill("sum(A(:))")
    await page.keyboard.press("Enter")
    await expect(transcript).to_contain_text("ans = 136")
