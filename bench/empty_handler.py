"""The floor of `GET /list`: an aiohttp server whose one handler answers an empty JSON object."""

from __future__ import annotations

import sys

from aiohttp import web


async def empty(_: web.Request) -> web.Response:
    return web.json_response({})


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/", empty)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
