"""The dashboard over real sessions: what an administrator sees of them, and how soon."""

from __future__ import annotations

import asyncio
import socket

from playwright.async_api import Page, expect

from tests.dashboard import row, stands
from tests.rig import Rig
from tests.support import Lab


async def test_a_class_comes_up_before_ones_eyes_and_a_session_opens_from_its_row(rig: Rig, page: Page) -> None:
    await page.get_by_role("button", name="Add users").first.click()
    await page.get_by_role("dialog").get_by_label("Users").fill("1-4")
    await page.get_by_role("button", name="Add 4 users").click()
    await expect(page.locator("[data-user]")).to_have_count(4)
    await expect(page.locator(".crowd")).to_contain_text("of 4 ready")
    for user_id in range(1, 5):
        await stands(page, user_id, "ready")
    await expect(page.locator(".crowd")).to_have_count(0)
    async with page.expect_popup() as opened:
        await row(page, 2).get_by_role("link", name="Open the session").click()
    session = await opened.value
    await expect(session.locator("#state")).to_have_text("Ready")


async def test_a_taken_port_is_named_until_it_is_given_free(rig: Rig, lab: Lab, page: Page) -> None:
    with socket.create_server(("127.0.0.1", lab.http_base + 3)) as holder:
        await asyncio.gather(rig.create(3), stands(page, 3, "waiting"))
        await row(page, 3).get_by_role("link", name="3", exact=True).click()
        drawer = page.get_by_role("complementary", name="User 3")
        await expect(drawer.locator(".why")).to_contain_text(str(lab.http_base + 3))
        await expect(drawer.locator(".timeline")).to_contain_text("The engine refused")
        await expect(drawer.locator(".timeline .next")).to_contain_text("Another try in")
        holder.close()
        await drawer.get_by_role("button", name="Restart").click()
        await page.get_by_role("dialog").get_by_role("button", name="Restart").click()
        await stands(page, 3, "ready")
    await expect(drawer.get_by_role("region", name="The last lines")).to_contain_text("interpreter")
