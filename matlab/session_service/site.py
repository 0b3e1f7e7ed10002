"""The page, as its build left it beside this package: `index.html`, which names everything else, and what it names.

Nothing is loaded from elsewhere, and the browser is told so.
"""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

SITE = Path(__file__).parents[1] / "page"

HEADERS = {
    # 'unsafe-inline' for style sheets only: the editor and the figures write their own
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def add_routes(router: web.UrlDispatcher) -> None:
    router.add_get("/", _index)
    router.add_get("/icon.svg", _icon)
    router.add_get("/assets/{name}", _asset)


async def _index(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(SITE / "index.html", headers=HEADERS | {"Cache-Control": "no-cache"})


async def _icon(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(SITE / "icon.svg", headers=HEADERS | {"Cache-Control": "no-cache"})


async def _asset(request: web.Request) -> web.StreamResponse:
    """A file whose name tells its content, so that browsers need never ask for it again."""
    file = SITE / "assets" / request.match_info["name"]
    if file.parent != SITE / "assets" or not file.is_file():
        raise web.HTTPNotFound(text="The page has no such part. Reload it.")
    return web.FileResponse(file, headers=HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"})
