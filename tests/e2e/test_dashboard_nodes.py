"""The dashboard's view of a swarm's nodes, in a real browser: sessions on three nodes of an engine in memory."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from controller.model import Node
from tests.api_world import ApiWorld, api_world
from tests.dashboard import PHONE, accessibility_faults, looking_at, stands
from tests.fake_engine import FakeEngine
from tests.wish_place import Place

USERS = 6


@asynccontextmanager
async def a_swarm(place: Place, nodes: int = 3) -> AsyncIterator[ApiWorld]:
    engine = FakeEngine()
    for number in range(1, nodes + 1):
        role = "manager" if number == 1 else "worker"
        engine.add_node(f"n{number}", role=role, reserved_cpus=float(2 * number), reserved_memory=number * 2**32)
    async with api_world(engine=engine, real_store=await place.running("version: 1\nusers: {}\n...\n")) as world:
        for user_id in range(1, USERS + 1):
            await world.create(user_id)
        yield world


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    async with a_swarm(place) as world:
        yield world


@pytest.fixture
async def page(world: ApiWorld) -> AsyncIterator[Page]:
    async with looking_at(world.url, "#/nodes") as page:
        await expect(node(page, "n1")).to_be_visible()
        yield page


def node(page: Page, name: str) -> Locator:
    return page.locator(f'[data-node="{name}"]')


async def asked(page: Page, name: str, deed: str) -> Locator:
    await node(page, name).get_by_role("button", name=deed).click()
    return page.get_by_role("dialog", name=f"{deed} {name}?")


async def test_each_node_is_shown_with_its_sessions_and_what_is_reserved_of_it(page: Page) -> None:
    await expect(page.locator("[data-node]")).to_have_count(3)
    await expect(node(page, "n1")).to_contain_text("manager")
    await expect(node(page, "n2")).to_contain_text("10.77.0.3")
    await expect(node(page, "n2")).to_contain_text("Ready")
    await expect(node(page, "n2")).to_contain_text("2 (2, 5)")
    await expect(node(page, "n2")).to_contain_text("4 of 8")
    await expect(page.get_by_role("link", name="Nodes")).to_have_attribute("aria-current", "page")


async def test_where_there_is_one_host_only_nobody_is_led_to_its_nodes(place: Place) -> None:
    async with a_swarm(place, nodes=0) as world, looking_at(world.url) as page:
        await stands(page, USERS, "ready")
        await expect(page.get_by_role("link", name="Events")).to_be_visible()
        await expect(page.get_by_role("link", name="Nodes")).to_have_count(0)
        await page.goto(f"{world.url}/dashboard/#/nodes")
        await expect(page.get_by_role("heading", name="There are no nodes")).to_be_visible()


async def test_a_node_is_emptied_after_a_question_that_says_what_happens_and_taken_back(
    world: ApiWorld, page: Page
) -> None:
    dialog = await asked(page, "n2", "Drain")
    await expect(dialog).to_contain_text("sessions of users 2, 5 are restarted on other nodes, 2 at a time")
    await expect(dialog).to_contain_text("The variables in the memory of each of these sessions")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    assert world.engine.nodes["id-n2"].availability == "active", "Enter does nothing"

    dialog = await asked(page, "n2", "Drain")
    await dialog.get_by_role("button", name="Drain").click()
    await expect(page.locator(".toast")).to_contain_text("n2 takes no more sessions")
    await expect(node(page, "n2")).to_contain_text("Empty")
    await expect(node(page, "n2").locator(".whose")).to_have_text("0 ")
    dialog = await asked(page, "n2", "Activate")
    await expect(dialog).to_contain_text("None comes back by itself.")
    await dialog.get_by_role("button", name="Activate").click()
    await expect(node(page, "n2")).not_to_contain_text("Empty")
    assert world.engine.nodes["id-n2"].availability == "active"


async def test_who_finds_no_room_elsewhere_is_seen_to_be_there_still(world: ApiWorld, page: Page) -> None:
    world.engine.full = True
    await (await asked(page, "n3", "Drain")).get_by_role("button", name="Drain").click()
    await expect(node(page, "n3")).to_contain_text("Is to be empty")
    await expect(node(page, "n3")).to_contain_text("still there: 3, 6")
    world.engine.full = False
    await expect(node(page, "n3")).to_contain_text("Empty")


async def test_what_is_refused_is_told_in_the_question(world: ApiWorld, page: Page) -> None:
    dialog = await asked(page, "n1", "Drain")
    world.engine.away = True
    await dialog.get_by_role("button", name="Drain").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("The engine does not answer")
    world.engine.away = False


async def test_a_lost_node_says_that_its_sessions_are_waited_for(world: ApiWorld, page: Page) -> None:
    lose(world, "n3")
    await expect(node(page, "n3")).to_contain_text("Down")
    await expect(node(page, "n3")).to_contain_text("Nobody knows what runs there.")
    dialog = await asked(page, "n3", "Drain")
    await expect(dialog).to_contain_text("Its sessions are waited for, and begun nowhere else.")
    await expect(dialog).not_to_contain_text("restarted")


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"color_scheme": "dark"},
        {"size": PHONE},
        {"size": PHONE, "language": "zh-CN", "color_scheme": "dark"},
        {"language": "zh-CN"},
    ],
    ids=["light", "dark", "phone", "phone-chinese", "chinese"],
)
async def test_it_can_be_read_and_used_by_everybody(world: ApiWorld, how: dict[str, Any]) -> None:
    lose(world, "n3")
    world.engine.full = True
    await world.engine.drain("id-n2")
    async with looking_at(world.url, "#/nodes", **how) as page:
        await expect(node(page, "n2").locator(".pill.working")).to_be_visible()
        await expect(node(page, "n3").locator(".pill.bad")).to_be_visible()
        assert await accessibility_faults(page) == []
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        await node(page, "n1").get_by_role("button").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert await accessibility_faults(page) == []
        if "language" in how:
            shown = await page.locator("main").inner_text()
            assert re.findall(r"[A-Za-z]{3,}", shown.replace("CPU", "").replace("swarm", "").replace("GiB", "")) == []


def lose(world: ApiWorld, name: str) -> None:
    """A node is not heard of any more, and neither is what runs there."""
    found = world.engine.nodes[f"id-{name}"]
    world.engine.nodes[found.id] = replace(found, state="down")
    for box in world.engine.containers():
        if box.node is not None and box.node.name == name:
            world.engine.lose(box.name, Node(name, found.address, f"The node {name} is down.", id=found.id))
