"""Who gets into a session that asks for a token, and who does not; in a container, and with a browser."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from docker.models.containers import Container
from playwright.async_api import Page, expect
from yarl import URL

from tests.browser import a_browser
from tests.serving import on_loopback
from tests.session.conftest import Session, a_container
from tests.session.peer import Peer

TOKEN = "the-right+one/="
ALLOWED = "https://platform.example"
FRAMED_BY = "'self' http://localhost:*"
Headers = dict[str, str]


@pytest.fixture(scope="module")
def locked_container(session_image: str) -> Iterator[tuple[Container, Path]]:
    environment = {
        "MCM_USER_ID": "7",
        "MCM_TOKEN_CHECK": f"salt:{hashlib.sha256(TOKEN.encode()).hexdigest()}",
        "MCM_ALLOWED_ORIGINS": ALLOWED,
        "MCM_FRAME_ANCESTORS": FRAMED_BY,
    }
    with a_container(session_image, {"mine.m": "1;"}, {"environment": environment}) as made:
        yield made


@pytest.fixture
async def locked(locked_container: tuple[Container, Path], http: aiohttp.ClientSession) -> Session:
    """A session that opens with `TOKEN`; its interpreter stays alive."""
    return await Session(*locked_container, http, TOKEN).ready()


def both_ports(session: Session) -> tuple[str, str]:
    return session.page, session.websocket.replace("ws://", "http://").rstrip("/")


WAYS: list[tuple[str, Headers]] = [
    (f"?token={URL.build(query={'token': TOKEN}).raw_query_string.removeprefix('token=')}", {}),
    ("", {"Authorization": f"Bearer {TOKEN}"}),
]
NO_WAYS: list[tuple[str, Headers]] = [
    ("", {}),
    ("?token=", {}),
    ("?token=wrong", {}),
    ("", {"Authorization": "Bearer wrong"}),
    ("", {"Authorization": f"Basic {TOKEN}"}),
    ("", {"Cookie": f"token={TOKEN}"}),
]


@pytest.mark.parametrize(("query", "headers"), WAYS)
async def test_the_token_opens_both_ports_and_the_files(locked: Session, query: str, headers: Headers) -> None:
    for address in (f"{locked.page}/{query}", f"{locked.page}/files/mine.m{query}"):
        async with locked.http.get(URL(address, encoded=True), headers=headers) as answer:
            assert answer.status == 200
    for address in (f"{locked.websocket}{query}", f"{locked.page}/ws{query}"):
        peer = Peer(await locked.http.ws_connect(URL(address, encoded=True), headers=headers))
        assert (await peer.eval("1+1"))["output"] == "ans = 2\n"
        await peer.socket.close()


@pytest.mark.parametrize(("query", "headers"), NO_WAYS)
async def test_nothing_opens_without_it_and_the_answer_says_what_to_do(
    locked: Session, query: str, headers: Headers
) -> None:
    for path in ("/", "/ws", "/files/mine.m", "/nothing"):
        async with locked.http.get(f"{locked.page}{path}{query}", headers=headers) as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert "access_url" in (await answer.json())["error"]
    for port in both_ports(locked):
        async with locked.http.put(f"{port}/files/mine.m{query}", data=b"theirs", headers=headers) as answer:
            assert answer.status == 401
    assert (locked.folder / "mine.m").read_text() == "1;"
    for address in (locked.websocket, f"{locked.page}/ws"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await locked.http.ws_connect(address + query, headers=headers)
        assert caught.value.status == 401


async def test_without_a_token_health_tells_that_the_session_lives_and_nothing_of_what_is_done_in_it(
    locked: Session,
) -> None:
    async with locked.http.get(f"{locked.page}/healthz") as answer:
        health = await answer.json()
    assert sorted(health) == ["interpreter", "last_activity", "process", "since", "state"]
    assert {"folder", "asks", "usage"} < set(await locked.health())


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {TOKEN}"}])
async def test_a_page_of_another_site_stays_out_with_a_token_too(locked: Session, headers: Headers) -> None:
    other = headers | {"Origin": "http://127.0.0.1:1"}  # of another user's session on the same machine
    for address in (locked.websocket, f"{locked.page}/ws"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await locked.http.ws_connect(address, headers=other)
        assert caught.value.status == 403
    for port in both_ports(locked):
        for method in ("GET", "PUT"):
            async with locked.http.request(method, f"{port}/files/mine.m", headers=other) as answer:
                assert answer.status == 403
    status = 200 if headers else 401
    async with locked.http.get(f"{locked.page}/files/mine.m", headers=headers | {"Origin": ALLOWED}) as answer:
        assert answer.status == status


async def test_the_operator_says_which_sites_may_show_the_page(locked: Session, shared: Session) -> None:
    for headers in ({}, {"Accept": "text/html"}, {"Authorization": f"Bearer {TOKEN}"}):
        async with locked.http.get(locked.page, headers=headers) as answer:
            told = answer.headers.get("Content-Security-Policy", "")
        assert ("json" in answer.content_type) or told.endswith(f"; frame-ancestors {FRAMED_BY}")
    async with shared.http.get(shared.page) as answer:
        assert "frame-ancestors" not in answer.headers["Content-Security-Policy"]


async def test_without_a_token_a_session_answers_to_no_name_that_a_stranger_could_own(shared: Session) -> None:
    """A site can have its own name lead here, so that its pages are of this very address (DNS rebinding)."""
    headers = {"Host": "rebound.evil.example", "Origin": "http://rebound.evil.example"}
    for address in (f"{shared.page}/", f"{shared.page}/files/x", f"{shared.page}/healthz"):
        async with shared.http.get(address, headers=headers) as answer:
            assert answer.status == 403
            assert "session_url" in (await answer.json())["error"]
    for address in (shared.websocket, f"{shared.page}/ws"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await shared.http.ws_connect(address, headers=headers)
        assert caught.value.status == 403


# ---------------------------------------------------------------- a person's way


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with a_browser() as browser:
        yield await (await browser.new_context(locale="en-GB")).new_page()


def idle(page: Any) -> Any:
    return expect(page.locator("body")).to_have_attribute("data-state", "idle")


async def test_the_address_with_the_token_opens_the_page_which_keeps_it_to_itself(locked: Session, page: Page) -> None:
    await page.goto(str(URL(locked.page).with_query(token=TOKEN)))
    await idle(page)
    assert page.url == f"{locked.page}/"
    assert await page.evaluate("document.cookie") == ""
    await page.reload()
    await idle(page)
    assert page.url == f"{locked.page}/"
    (locked.folder / "results/kept.txt").write_text("what was kept")
    await page.locator(".entry.folder[data-name=results]").dblclick()
    await page.locator(".entry[data-name='kept.txt']").click(button="right")
    async with page.expect_download() as downloading:
        await page.get_by_role("menuitem", name="Download").click()
    download = await downloading.value
    assert (await download.path()).read_text() == "what was kept"


async def test_who_comes_without_the_token_is_asked_for_it(locked: Session, page: Page) -> None:
    await page.goto(locked.page)
    await expect(page.locator("body")).to_contain_text("opens with its token")
    await expect(page.locator("body")).to_contain_text("令牌")
    await page.locator("input").fill("wrong")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/?token=wrong")
    await expect(page.locator("body")).to_contain_text("opens with its token")
    await page.locator("input").fill(TOKEN)
    await page.keyboard.press("Enter")
    await idle(page)


async def test_in_a_frame_of_another_site_the_session_works(locked: Session, page: Page) -> None:
    """Browsers keep cookies, and maybe all memory, from such a frame; the token is in the frame's address."""
    inside = URL(locked.page).with_query(token=TOKEN)
    async with a_site(f"<iframe width=900 height=600 src='{inside}'></iframe>") as platform:
        await page.goto(platform)
        frame = page.frame_locator("iframe")
        await idle(frame)
        await frame.locator("#command").fill("disp(6 * 7)")
        await page.keyboard.press("Enter")
        await expect(frame.locator("#transcript .output").filter(has_text="42").first).to_be_visible()


@contextlib.asynccontextmanager
async def a_site(content: str) -> AsyncIterator[str]:
    """The address of a page of another site: to browsers, `localhost` and 127.0.0.1 are two."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(text=content, content_type="text/html")

    async with on_loopback(web.ServerRunner(web.Server(answer))) as port:
        yield f"http://localhost:{port}/"
