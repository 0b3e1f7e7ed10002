"""The dashboard's files: who is sent to them, how they are served, and that nothing else is."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from controller import dashboard
from controller.calls import Calls
from controller.connections import Runner
from controller.http import speaks_json
from tests.api_world import ApiWorld, api_world
from tests.serving import on_loopback

SCRIPT = "assets/index-4f2a.js"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    dist = tmp_path / "web" / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>dashboard</title>")
    (dist / SCRIPT).write_text("export {};")
    (dist / (SCRIPT + ".gz")).write_bytes(gzip.compress(b"export {};"))
    (tmp_path / "secret").write_text("nobody's business")
    return dist


@pytest.fixture
async def page(files: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with _served(files) as http:
        yield http


@pytest.fixture
async def api() -> AsyncIterator[ApiWorld]:
    async with api_world() as world:
        yield world


async def _document(_: web.Request) -> web.StreamResponse:
    return web.json_response({"service": "x"})


@asynccontextmanager
async def _served(files: Path) -> AsyncIterator[aiohttp.ClientSession]:
    app, handlers = web.Application(middlewares=[speaks_json(Calls())]), dashboard.handlers(files)
    root = dashboard.for_browsers(_document, files)
    app.add_routes([web.get("/", root), web.get("/dashboard/", handlers["dashboard"])])
    app.add_routes(dashboard.routes(handlers))
    async with (
        on_loopback(Runner(app, shutdown_timeout=1)) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", auto_decompress=False) as http,
    ):
        yield http


CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
INTERNET_EXPLORER = "text/html, application/xhtml+xml, */*"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.mark.parametrize(
    "accept",
    [
        CHROME,
        FIREFOX,
        INTERNET_EXPLORER,
        "text/html",
        "Text/HTML; Q=0.9, */*;q=0.8",
        "text/html, application/json;q=0.9",
    ],
)
async def test_a_browser_at_the_root_is_sent_to_the_dashboard(page: aiohttp.ClientSession, accept: str) -> None:
    async with page.get("/", headers={"Accept": accept}, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "dashboard/")


@pytest.mark.parametrize(
    "accept",
    [
        *("", "*/*", "application/json", JAVA, "text/html, */*", "text/html;q=0", "text/htmlx", "a;b=text/html"),
        "application/json, text/html",
        "application/json, text/html;q=0.9, */*;q=0.8",
        "application/json, text/html, application/xhtml+xml",
        "text/html;q=0.1, */*",
    ],
)
async def test_a_program_gets_the_document(page: aiohttp.ClientSession, accept: str) -> None:
    async with page.get("/", headers={"Accept": accept}, allow_redirects=False) as response:
        assert (response.status, await response.json()) == (200, {"service": "x"})


async def test_nobody_is_sent_to_a_page_that_was_never_built(tmp_path: Path) -> None:
    async with _served(tmp_path) as http, http.get("/", headers={"Accept": CHROME}) as response:
        assert (response.status, await response.json()) == (200, {"service": "x"})


async def test_the_api_has_the_document_and_the_way_to_the_page(api: ApiWorld) -> None:
    status, body = await api.call("GET", "/")
    assert (status, body["service"]) == (200, "MATLAB Container Manager")
    async with api.http.get("/dashboard", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "dashboard/")


async def test_the_page_may_load_nothing_from_elsewhere_and_be_framed_by_nobody(page: aiohttp.ClientSession) -> None:
    async with page.get("/dashboard/") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert response.headers["Cache-Control"] == "no-cache"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "dashboard" in await response.text()


async def test_what_has_its_digest_in_its_name_is_kept_for_ever_and_sent_compressed(
    page: aiohttp.ClientSession,
) -> None:
    async with page.get(f"/dashboard/{SCRIPT}", headers={"Accept-Encoding": "gzip"}) as response:
        assert (response.status, response.content_type) == (200, "text/javascript")
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await response.read()) == b"export {};"
    async with page.get(f"/dashboard/{SCRIPT}", headers={"Accept-Encoding": "identity"}) as response:
        assert await response.read() == b"export {};"


@pytest.mark.parametrize(
    "path",
    [
        "../../secret",
        "..%2f..%2fsecret",
        "%2e%2e/%2e%2e/secret",
        "//etc/passwd",
        "assets",
        "assets/",
        SCRIPT + ".gz",
        "x%00",
    ],
)
async def test_nothing_else_is_served(page: aiohttp.ClientSession, path: str) -> None:
    async with page.get(URL(f"/dashboard/{path}", encoded=True)) as response:
        assert response.status == 404
        assert (await response.json())["code"] == "not_found"


async def test_a_page_that_was_never_built_says_what_to_do(tmp_path: Path) -> None:
    async with _served(tmp_path) as http, http.get("/dashboard/") as response:
        assert response.status == 404
        assert "make run" in (await response.json())["error"]
