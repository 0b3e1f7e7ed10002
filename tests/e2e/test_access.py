"""Sessions that open with a token, and what is known of a session from outside; over a real controller."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import aiohttp
from playwright.async_api import expect
from yarl import URL

from tests.browser import a_browser
from tests.rig import Rig
from tests.support import Lab, eventually

WAIT_AND_DIE = "while (! exist ('/home/matlab/shared/go', 'file')) pause (0.1); end; exit"


async def user(rig: Rig, user_id: int) -> dict[str, Any]:
    status, body = await rig.call("GET", f"/v1/users/{user_id}")
    assert status == 200
    assert isinstance(body, dict)
    return body


async def conditions(rig: Rig, user_id: int) -> dict[str, tuple[str, str]]:
    found = (await user(rig, user_id))["conditions"]
    return {each["type"]: (each["status"], each["reason"]) for each in found}


async def opens(address: str) -> int:
    """The HTTP status that answers there."""
    async with aiohttp.ClientSession() as http, http.get(address) as answer:
        return answer.status


async def evaluate(address: str, code: str) -> str:
    """What a command prints in the session whose WebSocket is there."""
    async with aiohttp.ClientSession() as http, http.ws_connect(address) as socket:
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "eval", "params": {"code": code}})
        async with asyncio.timeout(30):
            while (answer := await socket.receive_json()).get("id") != 1:
                pass
        return str(answer["result"]["output"])


async def test_a_token_opens_the_session_whatever_happens_to_the_controller(idle_rig: Rig, lab: Lab) -> None:
    rig = idle_rig
    await rig.start(MCM_SESSION_TOKENS="on", MCM_FRAME_ANCESTORS="'none'")
    await rig.create(1)
    await rig.comes_up(1)  # the controller's probes need no token
    told = await user(rig, 1)
    page, websocket = told["access_url"], told["ws_url"]
    token = URL(page).query["token"]
    assert await opens(page) == 200
    assert await opens(page.replace(token, "x")) == 401
    assert await evaluate(websocket, "disp(6 * 7)") == "42\n"
    assert await _is(rig, "Ready", ("True", "ServicesAnswer"))
    await eventually(lambda: _is(rig, "SessionReady", ("True", "InterpreterUp")))  # as a probe finds it, later

    container = lab.container(1)
    assert token not in json.dumps(container.attrs)
    assert token not in rig.log()
    assert "MCM_FRAME_ANCESTORS='none'" in container.attrs["Config"]["Env"]
    assert (lab.folder / "state" / "token-secret").stat().st_mode & 0o777 == 0o600

    await rig.stop(signal.SIGKILL)
    await rig.start(MCM_FRAME_ANCESTORS="'none'")  # and now sessions are made without
    await rig.comes_up(1)
    assert (await user(rig, 1))["access_url"] == page
    assert lab.container(1).id == container.id
    await rig.destroy(1)
    await rig.create(1)
    await rig.comes_up(1)
    assert (await user(rig, 1))["access_url"] == str(URL(page).with_query(None))
    assert await opens(str(URL(page).with_query(None))) == 200


async def test_an_open_page_notices_that_its_session_was_made_anew_and_opens_with_another_token(idle_rig: Rig) -> None:
    rig = idle_rig
    await rig.start(MCM_SESSION_TOKENS="on")
    await rig.create(1)
    await rig.comes_up(1)
    async with a_browser() as browser:
        page = await browser.new_page(locale="en-GB")
        await page.goto((await user(rig, 1))["access_url"])
        await expect(page.locator("body")).to_have_attribute("data-state", "idle")
        await rig.destroy(1)
        await rig.create(1)
        await expect(page.locator("body")).to_contain_text("opens with its token")
        await page.locator("input").fill(URL((await user(rig, 1))["access_url"]).query["token"])
        await page.keyboard.press("Enter")
        await expect(page.locator("body")).to_have_attribute("data-state", "idle")


async def test_what_a_session_does_is_seen_and_seeing_it_is_no_activity(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    await rig.comes_up(1)

    async def idle() -> Any:
        found = await conditions(rig, 1)
        return found["Busy"] == ("False", "Idle") and found["SessionReady"] == ("True", "InterpreterUp")

    await eventually(idle)
    before = (await user(rig, 1))["observed"]
    checked_at = before["services"]["checked_at"]
    await eventually(lambda: _probed_since(rig, checked_at))
    after = (await user(rig, 1))["observed"]
    assert after["session"]["last_activity"] == before["session"]["last_activity"]

    busy = asyncio.create_task(evaluate((await user(rig, 1))["ws_url"], WAIT_AND_DIE))
    await eventually(lambda: _is(rig, "Busy", ("True", "Evaluating")))
    assert (await user(rig, 1))["observed"]["session"]["last_activity"] > before["session"]["last_activity"]
    (rig.data / "user_1" / "go").touch()
    assert await busy == ""
    await eventually(idle)
    found = await user(rig, 1)
    assert found["observed"]["session"]["restarts"] == 1
    assert found["observed"]["container"]["id"] == before["container"]["id"]


async def _probed_since(rig: Rig, moment: str) -> bool:
    return bool((await user(rig, 1))["observed"]["services"]["checked_at"] > moment)


async def _is(rig: Rig, condition: str, what: tuple[str, str]) -> bool:
    return (await conditions(rig, 1))[condition] == what


async def test_an_api_that_others_reach_wants_a_token_and_has_one_for_this_machine(idle_rig: Rig, lab: Lab) -> None:
    rig = idle_rig
    await rig.start(wait=False, MCM_API_HOST="0.0.0.0")
    await eventually(rig.answers)
    kept = lab.folder / "state" / "api-token"
    token = kept.read_text().strip()
    assert (kept.stat().st_mode & 0o777, str(kept) in rig.log(), token in rig.log()) == (0o600, True, False)
    assert (await rig.call("GET", "/readyz"))[0] == 401
    assert (await rig.create(1))[0] == 401
    assert (await rig.call("GET", "/v1/status", Authorization=f"Bearer {token}"))[1]["generation"] == 1
    await rig.stop(signal.SIGKILL)
    await rig.start(wait=False, MCM_API_HOST="0.0.0.0")
    await eventually(rig.answers)
    assert kept.read_text().strip() == token
    await eventually(lambda: _is_ready(rig, token))


async def _is_ready(rig: Rig, token: str) -> bool:
    return (await rig.call("GET", "/readyz", Authorization=f"Bearer {token}"))[0] == 200
