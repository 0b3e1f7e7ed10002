"""The page, as its build left it beside this package: `index.html`, which names everything else, and what it names.

Nothing is loaded from elsewhere, and the browser is told so. Where the session asks for a token, whoever comes to the
page without it gets another page, which says so and takes one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

SITE = Path(__file__).parents[1] / "page"
LOCKED = Path(__file__).with_name("locked.html").read_text(encoding="utf-8")

# 'unsafe-inline' for style sheets only: the editor and the figures write their own
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'"
)


class Page:
    def __init__(self, frame_ancestors: str) -> None:
        """`frame_ancestors`: which sites may show it in a frame, in CSP's words; empty: any."""
        framed = f"; frame-ancestors {frame_ancestors}" if frame_ancestors else ""
        self._headers = {
            "Content-Security-Policy": POLICY + framed,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        self._locked_headers = self._headers | {
            "Content-Security-Policy": f"default-src 'none'; script-src '{_digest(LOCKED)}'; "
            f"style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'{framed}",
            "Cache-Control": "no-store",
            "WWW-Authenticate": "Bearer",
        }

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/", self._index)
        router.add_get("/icon.svg", self._icon)
        router.add_get("/assets/{name}", self._asset)

    @web.middleware
    async def ask_for_token(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """A person who comes without a token is asked in words; a program gets the error."""
        try:
            return await handler(request)
        except web.HTTPUnauthorized:
            if request.path != "/" or "text/html" not in request.headers.get("Accept", ""):
                raise
            return web.Response(text=LOCKED, status=401, content_type="text/html", headers=self._locked_headers)

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(SITE / "index.html", headers=self._headers | {"Cache-Control": "no-cache"})

    async def _icon(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(SITE / "icon.svg", headers=self._headers | {"Cache-Control": "no-cache"})

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        """A file whose name tells its content, so that browsers need never ask for it again."""
        file = SITE / "assets" / request.match_info["name"]
        if file.parent != SITE / "assets" or not file.is_file():
            raise web.HTTPNotFound(text="The page has no such part. Reload it.")
        return web.FileResponse(file, headers=self._headers | {"Cache-Control": "public, max-age=31536000, immutable"})


def _digest(page: str) -> str:
    """Of the page's own script, by which the browser is told to run that one and no other."""
    script = page.partition("<script>")[2].partition("</script>")[0]
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
