"""The dashboard in a browser, as the tests of its views look at it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from controller.dashboard import FILES
from tests.browser import a_browser

AXE = FILES.parent / "node_modules" / "axe-core" / "axe.min.js"
ACCESSIBLE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
DESKTOP = (1280, 800)
PHONE = (375, 760)


@asynccontextmanager
async def looking_at(url: str, place: str = "", **context: Any) -> AsyncIterator[Page]:
    """The dashboard of the controller at `url`, on a page of its own; what goes wrong in its scripts fails the test."""
    if not (FILES / "index.html").exists():
        pytest.skip("the dashboard is not built here (`make test` does that)")
    async with a_browser() as browser:
        page = await a_page(browser, url, place, **context)
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        yield page
        assert wrong == []


async def a_page(
    browser: Browser, url: str, place: str = "", size: tuple[int, int] = DESKTOP, language: str = "en-GB", **more: Any
) -> Page:
    view = {"width": size[0], "height": size[1]}
    context = await browser.new_context(viewport=view, locale=language, **more)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(f"{url}/dashboard/{place}")
    return page


def row(page: Page, user_id: int) -> Locator:
    """A user's, in the table or among the cards."""
    return page.locator(f'[data-user="{user_id}"]')


async def stands(page: Page, user_id: int, state: str) -> None:
    """Wait until a user is shown in this state: as long as `Rig.comes_up`, for it may take a session to come up."""
    await expect(row(page, user_id)).to_have_attribute("data-state", state, timeout=120_000)


async def accessibility_faults(page: Page) -> list[Any]:
    """What axe finds wrong with what is shown."""
    if not AXE.exists():
        pytest.skip("axe-core is there only where the dashboard was built with the host's own Node")
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found = await page.evaluate(f"axe.run({{ runOnly: {json.dumps(ACCESSIBLE)} }})")
    assert len(found["passes"]) > 15
    return [
        (fault["id"], fault["help"], [node["target"] for node in fault["nodes"]][:5]) for fault in found["violations"]
    ]
