"""The dashboard's files, and the way to them: `GET /` sends a browser there.

The page is built from `controller/web` and knows nothing but the public API, so its files are the same for everybody
and need no token; what it shows, it asks for with the token that its reader gives it.
"""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

from aiohttp import web

from controller.http import Handler, Handlers, Refusal

FILES = Path(__file__).parent / "web" / "dist"

# 'unsafe-inline' for style sheets only: the editor writes its own
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOR_EVER = "public, max-age=31536000, immutable"
"""Of what has a digest of its content in its name."""


def handlers(files: Path = FILES) -> Handlers:
    """What is served is what is there when the controller starts: no path is ever made from what a caller sends."""
    there = {str(path.relative_to(files)): path for path in files.rglob("*") if path.is_file() and path.suffix != ".gz"}

    async def dashboard(request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("name", "index.html")
        if name not in there:
            missing = "There is no such file in the dashboard."
            raise Refusal(404, "not_found", missing if there else "The dashboard was not built: `make run` does that.")
        cache = FOR_EVER if name.startswith("assets/") else "no-cache"
        response = web.FileResponse(there[name], headers={**HEADERS, "Cache-Control": cache})
        response.content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return response

    return {"dashboard": dashboard}


def routes(handlers: Handlers) -> list[web.RouteDef]:
    """Those that are no endpoints of their own: the page's parts, and its address as people type it."""

    async def enter(_: web.Request) -> web.StreamResponse:
        return _sent_to("dashboard/")

    return [web.get("/dashboard", enter), web.get("/dashboard/{name:.+}", handlers["dashboard"])]


def for_browsers(document: Handler, files: Path = FILES) -> Handler:
    """`GET /`: whoever prefers HTML is sent to the dashboard, if there is one; everybody else gets the document."""
    built = (files / "index.html").is_file()

    async def handle(request: web.Request) -> web.StreamResponse:
        if built and _prefers_html(",".join(request.headers.getall("Accept", ()))):
            return _sent_to("dashboard/")
        return await document(request)

    return handle


def _prefers_html(accept: str) -> bool:
    """Nothing is wanted more than HTML, and nothing as much; but browsers want XHTML as much, and some want pictures.

    So Java's own client is none, which wants `text/html, image/gif, image/jpeg` of whatever it fetches.
    """
    wanted = {each.partition(";")[0].strip().lower(): _weight(each) for each in accept.split(",")}
    most = {media for media, weight in wanted.items() if weight == max(wanted.values()) > 0}
    return most == {"text/html"} or (most >= {"text/html", "application/xhtml+xml"} and "application/json" not in most)


def _weight(wanted: str) -> float:
    said = re.search(r";\s*q\s*=\s*([0-9]*\.?[0-9]+)", wanted, re.IGNORECASE)
    return float(said[1]) if said else 1.0


def _sent_to(place: str) -> web.Response:
    """Told as it lies from here, so that it holds behind a proxy that puts a prefix before all."""
    return web.Response(status=303, headers={"Location": place, "Vary": "Accept"})
