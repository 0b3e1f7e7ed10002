"""The dashboard's views of the desired state: its editor, what waits for approval, the history and the events.

On a fake engine, with a real store and the real loop; one walk on real containers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Dialog, Locator, Page, expect

from controller.model import Phase, RunState, SessionState, Wish
from tests.api_world import SITE, ApiWorld, api_world
from tests.dashboard import PHONE, accessibility_faults, looking_at
from tests.git_world import Forge
from tests.rig import Rig
from tests.support import eventually
from tests.wish_place import Place, to

HEAD = """\
# the lab
version: 1
generation: 1   # ours
users:
"""
STOPPED = Wish(state=RunState.STOPPED)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def lab(*ids: int, tail: str = "...\n") -> str:
    return HEAD + "".join(f"  {user_id}: {{}}   # seat {user_id}\n" for user_id in ids) + tail


TEN = lab(*range(1, 11))


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    async with api_world(real_store=await place.running(TEN)) as world:
        await eventually(lambda: len(running(world)) == 10)
        yield world


@pytest.fixture
async def page(world: ApiWorld) -> AsyncIterator[Page]:
    async with looking_at(world.url, "#/desired") as page:
        await expect(text(page)).to_contain_text("seat 10")
        yield page


def running(world: ApiWorld) -> list[int]:
    return sorted(c.user_id or 0 for c in world.engine.containers() if c.phase is Phase.RUNNING)


def text(page: Page) -> Locator:
    return page.locator(".sheet .cm-content")


def plan(page: Page) -> Locator:
    return page.locator(".plan")


def banner(page: Page, title: str) -> Locator:
    return page.locator(".desired .banner", has_text=title)


async def write(page: Page, whole: str) -> None:
    """In the place of all that stands there, as somebody who pastes it."""
    await text(page).click()
    await page.keyboard.press("Control+a")
    await page.keyboard.insert_text(whole)


async def apply(page: Page, answer: str | None = None) -> None:
    await page.get_by_role("button", name="Apply", exact=False).first.click()
    if answer is not None:
        await page.get_by_role("dialog").get_by_role("button", name=answer).click()


async def entry(page: Page, line: int) -> None:
    """Between the braces of a user's line."""
    await text(page).click()
    await page.keyboard.press("Control+Home")
    for _ in range(line - 1):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Home")
    await page.keyboard.press("Home")
    for _ in range(6):
        await page.keyboard.press("ArrowRight")


# ---------------------------------------------------------------- the editor


async def test_what_is_completed_and_planned_comes_into_force_and_is_carried_out(page: Page, world: ApiWorld) -> None:
    await entry(page, 6)
    offered = page.locator(".cm-tooltip-autocomplete li")
    await page.keyboard.type("st")
    await expect(offered.first).to_contain_text("state")
    await page.keyboard.press("Enter")
    await expect(offered).to_have_text(["running", "stopped"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(text(page)).to_contain_text("2: {state: stopped}   # seat 2")
    await expect(plan(page)).to_contain_text("Ends 1 session")
    await expect(plan(page).locator(".changes tbody tr")).to_have_text("user 2{}→{state: stopped}")
    await expect(plan(page).locator(".actions")).to_contain_text("wanted stopped")
    await page.keyboard.press("Control+s")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("This ends 1 session")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    assert running(world) == list(range(1, 11)), "nothing is done before it is confirmed"
    await dialog.get_by_role("button", name="Apply, end 1").click()
    await expect(page.locator(".toasts")).to_contain_text("Generation 2 is in force")
    await eventually(lambda: running(world) == [1, *range(3, 11)])
    await expect(page.locator(".sheet header")).to_contain_text("As in force")
    await expect(text(page)).to_contain_text("generation: 2   # ours")


async def test_profiles_and_users_who_are_not_declared_are_offered(page: Page) -> None:
    offered = page.locator(".cm-tooltip-autocomplete li")
    await entry(page, 6)
    await page.keyboard.type("prof")
    await expect(offered.first).to_contain_text("profile")
    await page.keyboard.press("Enter")
    await expect(offered).to_have_text(["large", "standard"])
    await page.keyboard.press("Enter")
    await expect(text(page)).to_contain_text("2: {profile: large}")
    await page.keyboard.press("Control+End")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("End")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Control+Space")
    await expect(offered.first).to_contain_text("11")
    await page.keyboard.press("Enter")
    await expect(text(page)).to_contain_text("11: {}")
    await expect(plan(page).locator(".actions")).to_contain_text("create")


async def test_a_word_under_the_pointer_is_explained(page: Page) -> None:
    await page.locator(".cm-line", has_text="seat 3").locator(".yaml-key").hover()
    await expect(page.locator(".hovered")).to_contain_text("One user's session")


async def test_faults_are_marked_and_led_to_and_nothing_is_applied(page: Page, world: ApiWorld) -> None:
    await write(page, TEN.replace("  7: {}", "  7: {stat: stopped}"))
    fault = plan(page).get_by_role("button", name="Line 11, column 7")
    await expect(fault).to_be_visible()
    await expect(plan(page)).to_contain_text("unknown key stat")
    await expect(page.locator(".cm-lintRange-error")).to_have_text("stat")
    await expect(page.get_by_role("button", name="Apply")).to_be_disabled()
    await fault.click()
    await page.keyboard.type("x")
    await expect(text(page)).to_contain_text("{xstat: stopped}")
    assert world.store.current.generation == 1


async def test_every_key_is_taken_though_the_plan_is_drawn_anew(page: Page) -> None:
    await text(page).click()
    await page.keyboard.press("Control+Home")
    remark = "# a long remark that somebody types while the plan comes and goes "
    await page.keyboard.type(remark, delay=20)
    await expect(text(page)).to_contain_text(f"{remark}# the lab")


async def test_what_is_typed_survives_a_reload_and_can_be_discarded(page: Page) -> None:
    asked: list[str] = []

    async def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    page.on("dialog", leave)
    await write(page, TEN.replace("seat 3", "seat three"))
    await expect(page.locator(".sheet header")).to_contain_text("not applied")
    await page.reload()
    assert asked == ["beforeunload"]
    await expect(text(page)).to_contain_text("seat three")
    await page.get_by_role("link", name="History").click()
    await page.get_by_role("link", name="Desired state").click()
    await expect(text(page)).to_contain_text("seat three")
    await page.get_by_role("button", name="Discard").click()
    await page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    await expect(text(page)).to_contain_text("seat 3")
    await expect(page.locator(".sheet header")).to_contain_text("As in force")


async def test_who_looks_at_users_does_not_wait_for_the_editor(world: ApiWorld) -> None:
    asked: list[str] = []
    async with looking_at(world.url) as page:
        page.on("request", lambda request: asked.append(request.url))
        await page.reload()
        await expect(page.locator("[data-user]").first).to_be_visible()
        assert not [each for each in asked if "/editor-" in each or "/yaml-" in each], "it comes when it is wanted"
        await page.get_by_role("link", name="Desired state").click()
        await expect(text(page)).to_be_visible()
        assert [each for each in asked if "/editor-" in each]


async def test_another_writer_meanwhile_is_told_and_neither_loses_anything(page: Page, world: ApiWorld) -> None:
    await write(page, TEN.replace("  3: {}", "  3: {profile: large}"))
    await expect(plan(page)).to_contain_text("{profile: large}")
    await world.store.change(5, to(STOPPED), "api other")
    notice = banner(page, "Generation 2 came into force while you edit")
    await expect(notice).to_contain_text("nothing is lost")
    await notice.get_by_role("button", name="Show what came").click()
    await expect(page.locator(".came .diff")).to_contain_text("5: {state: stopped}")
    await expect(plan(page).locator(".changes tbody tr")).to_have_count(1)
    await apply(page)
    await expect(page.locator(".toasts")).to_contain_text("Generation 3 is in force")
    assert world.wish(5) == STOPPED
    assert world.wish(3) == Wish(profile="large")
    await expect(notice).to_have_count(0)
    await expect(text(page)).to_contain_text("5: {state: stopped}")


# ---------------------------------------------------------------- the brake


async def test_what_ends_many_sessions_waits_until_it_is_approved(page: Page, world: ApiWorld) -> None:
    world.services.session = replace(world.services.session, state=SessionState.BUSY)
    await write(page, lab(1, 2))
    await expect(plan(page)).to_contain_text("The brake would hold this")
    await apply(page, "Ask for approval")
    panel = page.get_by_role("region", name="A change waits for approval")
    await expect(panel).to_contain_text("Dashboard")
    await expect(panel).to_contain_text("it would end 8 of 10 sessions")
    await expect(panel.locator(".person")).to_have_count(8)
    await expect(panel).to_contain_text("8 of them are busy now")
    await expect(panel.locator("#approval-title")).to_be_focused()
    await expect(page.locator(".sheet header")).to_contain_text("Waits for approval")
    assert running(world) == list(range(1, 11))
    await panel.get_by_role("button", name="Show what it changes").click()
    await expect(panel.locator(".diff")).to_contain_text("seat 9")
    await panel.get_by_role("button", name="Approve").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("End 8 sessions?")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await dialog.get_by_role("button", name="Approve, end 8").click()
    await expect(page.locator(".toasts")).to_contain_text("Approved: generation 2 is in force")
    await eventually(lambda: running(world) == [1, 2])
    await expect(panel).to_have_count(0)
    await expect(page.locator(".sheet header")).to_contain_text("As in force")


async def test_a_text_that_was_rejected_stays_in_the_editor(page: Page, world: ApiWorld) -> None:
    await write(page, lab(1, 2))
    await apply(page, "Ask for approval")
    panel = page.get_by_role("region", name="A change waits for approval")
    await panel.get_by_role("button", name="Reject").click()
    await page.get_by_role("dialog").get_by_role("button", name="Reject").click()
    await expect(panel).to_have_count(0)
    await world.store.change(12, to(Wish()), "api other")
    await expect(banner(page, "Generation 2 came into force while you edit")).to_be_visible()
    await expect(page.locator(".sheet header")).to_contain_text("not applied")
    await expect(text(page)).not_to_contain_text("seat 9")


async def test_an_edit_of_the_file_that_waits_is_rejected_and_stays_beside_it(
    page: Page, world: ApiWorld, place: Place
) -> None:
    place.file.write_text(lab(1, 2))
    panel = page.get_by_role("region", name="A change waits for approval")
    await expect(panel).to_contain_text("Edit of the file")
    await expect(banner(page, "not in force")).to_have_count(0)
    await panel.get_by_role("button", name="Reject").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("set aside")
    await dialog.get_by_role("button", name="Reject").click()
    await expect(panel).to_have_count(0)
    assert place.file.read_text() == TEN
    assert [aside.read_text() for aside in place.asides] == [lab(1, 2)]
    assert running(world) == list(range(1, 11))


async def test_an_answer_to_what_has_changed_since_does_nothing(page: Page, world: ApiWorld, place: Place) -> None:
    place.file.write_text(lab(1, 2))
    panel = page.get_by_role("region", name="A change waits for approval")
    await panel.get_by_role("button", name="Approve").click()
    dialog = page.get_by_role("dialog").get_by_role("button", name="Approve, end 8")
    await page.route("**/v1/approve", lambda route: _after(world, route))
    await dialog.click()
    await expect(page.locator(".toasts")).to_contain_text("Somebody else has answered already")
    assert running(world) == list(range(1, 11))


async def _after(world: ApiWorld, route: Any) -> None:
    """Somebody else was faster."""
    await world.store.reject(world.store.pending.id, "api other")
    await route.continue_()


# ---------------------------------------------------------------- a file that is no good


async def test_a_broken_file_is_told_with_its_place_and_mended_in_the_editor(
    page: Page, world: ApiWorld, place: Place
) -> None:
    broken = TEN.replace("  7: {}", "  7: {stat: stopped}")
    place.file.write_text(broken)
    told = banner(page, "The file as it lies there is not in force")
    await expect(told).to_contain_text("Line 11, column 7")
    await expect(text(page)).to_contain_text("7: {}")
    await told.get_by_role("button", name="Mend it here").click()
    await expect(text(page)).to_contain_text("7: {stat: stopped}")
    await told.get_by_role("button", name="Line 11, column 7").click()
    for _ in "stat":
        await page.keyboard.press("Delete")
    await page.keyboard.type("state", delay=10)
    await page.keyboard.press("Escape")
    await expect(plan(page).locator(".changes tbody tr")).to_have_text("user 7{}→{state: stopped}")
    await apply(page, "Apply, end 1")
    await expect(told).to_have_count(0)
    assert world.wish(7) == STOPPED
    assert world.store.health.valid
    assert [aside.read_text() for aside in place.asides] == [broken]


async def test_the_last_good_text_is_put_back_over_a_broken_one(page: Page, world: ApiWorld, place: Place) -> None:
    place.file.write_text("version: 1\nusers: {1: {}\n")
    await banner(page, "not in force").get_by_role("button", name="Put the last good text back").click()
    await expect(banner(page, "not in force")).to_have_count(0)
    assert place.file.read_text() == TEN
    assert len(place.asides) == 1


async def test_a_state_that_only_commits_change_can_be_tried_and_not_applied(tmp_path: Path) -> None:
    forge = Forge(tmp_path)
    store = await forge.running(write=False)
    async with api_world(real_store=store) as world, looking_at(world.url, "#/desired") as page:
        await expect(banner(page, "Changed by commits only")).to_be_visible()
        await expect(text(page)).to_contain_text("by the window")
        await expect(page.get_by_role("button", name="Apply")).to_have_count(0)
        await text(page).click()
        await page.keyboard.type("x")
        await expect(text(page)).not_to_contain_text("x# the lab")
        await page.get_by_role("button", name="Try a change").click()
        await write(page, forge.text.replace("  3: {}", "  3: {state: stopped}"))
        await expect(plan(page).locator(".changes tbody tr")).to_have_text("user 3{}→{state: stopped}")
        await page.keyboard.press("Control+s")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert world.store.current.generation == 1
    await forge.close()


# ---------------------------------------------------------------- history and events


async def test_an_earlier_generation_comes_back_after_a_look_at_what_that_does(page: Page, world: ApiWorld) -> None:
    await world.store.change(3, to(STOPPED), "api matlabctl:ann:3f2a1c")
    await eventually(lambda: 3 not in running(world))
    await page.get_by_role("link", name="History").click()
    first = page.locator(".generations tbody tr").first
    await expect(first).to_contain_text("stops 3")
    await expect(first).to_contain_text("matlabctl, by ann")
    await world.store.change(12, to(Wish()), "api other")
    await expect(first).to_contain_text("adds 12")
    await page.get_by_role("link", name="1", exact=True).click()
    await expect(page).to_have_url(f"{world.url}/dashboard/#/history/1")
    await page.get_by_text("The one in force").click()
    await expect(page.locator(".generation .diff")).to_contain_text("3: {state: stopped}")
    await page.get_by_role("button", name="Roll back to this").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator(".changes tbody tr")).to_have_text(["user 3{state: stopped}→{}", "user 12{}→nothing"])
    await expect(dialog).to_contain_text("Ends 1 session")
    await dialog.get_by_role("button", name="Roll back, end 1").click()
    await expect(page).to_have_url(f"{world.url}/dashboard/#/history/4")
    await eventually(lambda: running(world) == list(range(1, 11)))
    await expect(page.locator(".generations tbody tr").first).to_contain_text("rollback to 1")


async def test_events_come_as_they_happen_and_are_sifted_held_and_taken_away(page: Page, world: ApiWorld) -> None:
    await page.get_by_role("link", name="Events").click()
    rows = page.locator(".events tbody tr")
    await expect(rows.first).to_be_visible()
    await world.store.change(3, to(STOPPED), "api bridge-7, token ci")
    await expect(rows.filter(has_text="stop: wanted stopped")).to_have_count(1)
    await page.get_by_role("button", name="Calls of this request only: bridge-7").first.click()
    await expect(rows).not_to_have_count(0)
    await expect(rows.first).to_contain_text("user 3")
    await page.get_by_role("button", name="Show all calls again").click()
    await page.get_by_role("button", name="Pause").click()
    before = await rows.count()
    await world.store.change(4, to(STOPPED), "api bridge-8")
    await expect(page.locator(".follow")).to_contain_text("new")
    assert await rows.count() == before
    await page.get_by_role("button", name="Follow").click()
    await expect(rows.first).to_contain_text("user 4")
    await page.get_by_role("spinbutton", name="User").fill("4")
    await page.keyboard.press("Tab")
    await expect(rows.filter(has_text="user 3")).to_have_count(0)
    await expect(rows.filter(has_text="user 4")).not_to_have_count(0)
    await page.locator(".kinds button", has_text="Action").click()
    await expect(rows.filter(has_text="declared")).to_have_count(0)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Export").click()
    lines = (await asyncio.to_thread((await (await download.value).path()).read_text)).splitlines()
    assert {(each["user_id"], each["kind"]) for each in map(json.loads, lines)} == {(4, "action")}
    await page.get_by_role("searchbox").fill("nothing is like this")
    await page.get_by_role("button", name="Clear the filters").click()
    await expect(rows.filter(has_text="user 3")).not_to_have_count(0)


# ---------------------------------------------------------------- for everybody


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
async def test_everybody_can_read_it_in_both_themes(world: ApiWorld, place: Place, language: str) -> None:
    await world.store.change(3, to(STOPPED), "api bridge-7, token ci")
    async with looking_at(world.url, "#/desired", language=language) as page:
        await write(page, place.file.read_text().replace("  5: {}", "  5: {profile: huge}"))
        await expect(page.locator(".cm-lintRange-error")).to_be_visible()
        place.file.write_text(lab(1, 2))
        await page.locator(".approval .quiet").click()
        await expect(page.locator(".approval .cm-mergeView")).to_be_visible()
        for theme in THEMES:
            await page.emulate_media(color_scheme=theme)
            assert await accessibility_faults(page) == [], theme
        await page.locator(".approval footer .danger").click()
        assert await accessibility_faults(page) == []
        await page.keyboard.press("Escape")
        for view, shown in (("history/2", ".generation .diff .cm-editor"), ("events", ".events tbody tr")):
            await page.evaluate(f"location.hash = '#/{view}'")
            await expect(page.locator(shown).first).to_be_visible()
            for theme in THEMES:
                await page.emulate_media(color_scheme=theme)
                assert await accessibility_faults(page) == [], (view, theme)


async def test_on_a_phone_nothing_is_cut_off(world: ApiWorld, place: Place) -> None:
    await world.store.change(3, to(STOPPED), "api bridge-7, token ci")
    place.file.write_text(lab(1, 2))
    async with looking_at(world.url, "#/desired", size=PHONE) as page:
        await expect(page.locator(".approval")).to_be_visible()
        for view, shown in (
            ("desired", ".sheet .cm-content"),
            ("history", ".list"),
            ("history/2", ".diff"),
            ("events", ".list"),
        ):
            await page.evaluate(f"location.hash = '#/{view}'")
            await expect(page.locator(shown).first).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


async def test_on_real_containers_an_edit_is_followed_by_the_engine(rig: Rig) -> None:
    for user_id in (1, 2):
        await rig.create(user_id)
    async with looking_at(rig.url, "#/desired") as page:
        await expect(text(page)).to_contain_text("2: {}")
        whole = rig.wish.read_text()
        await write(page, whole.replace("2: {}", "2: {state: stopped}"))
        await expect(plan(page)).to_contain_text("Ends 1 session")
        await apply(page, "Apply, end 1")
        await eventually(lambda: _has(rig, {1: "running", 2: "exited"}))
        await page.get_by_role("link", name="What it changed").click()
        await expect(page.locator(".generation .changes")).to_contain_text("{state: stopped}")
        await page.get_by_role("link", name="Events").click()
        await expect(page.locator(".events tbody tr", has_text="stop: wanted stopped")).to_be_visible()


async def _has(rig: Rig, statuses: dict[int, str]) -> bool:
    return await rig.statuses() == statuses


def test_the_world_has_the_profiles_of_the_store() -> None:
    assert set(SITE.profiles) == {"standard", "large"}
