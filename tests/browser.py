"""A real browser for the tests of pages, driven as a person would."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-quic", "--enable-unsafe-swiftshader")
"""The last one draws in three dimensions on machines without a graphics card."""

expect.set_options(timeout=30_000)  # ms: a busy machine takes its time


@contextlib.asynccontextmanager
async def a_browser(*arguments: str) -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (`apt-get install chromium`)")
    async with async_playwright() as browsers:
        browser = await browsers.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *arguments])
        yield browser
        await browser.close()
