"""Stands in for matlab-proxy: starts MATLAB when it can have a licence, restarts it and ends it when asked to; its page
says what came to it. What it did is in `$HOME/stand-in.log`, a word a line.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

from aiohttp import WSMsgType, web

BASE = os.environ["MWI_BASE_URL"]
LOG = Path.home() / "stand-in.log"


class Proxy:
    def __init__(self) -> None:
        self._matlab: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    @property
    def licensed(self) -> bool:
        return bool(os.environ.get("MLM_LICENSE_FILE"))

    async def status(self, _: web.Request) -> web.Response:
        up = self._matlab is not None and self._matlab.returncode is None
        licensing = {"type": "nlm", "connectionString": os.environ["MLM_LICENSE_FILE"]} if self.licensed else None
        return web.json_response({"matlab": {"status": "up" if up else "down"}, "licensing": licensing, "error": None})

    async def start(self, request: web.Request) -> web.Response:
        await self.start_matlab()
        return await self.status(request)

    async def stop(self, request: web.Request) -> web.Response:
        async with self._turn:
            await self._stop_matlab()
        return await self.status(request)

    async def start_matlab(self) -> None:
        async with self._turn:
            await self._stop_matlab()
            note("start")
            self._matlab = await asyncio.create_subprocess_exec(
                "MATLAB", "-nodesktop", "-r", os.environ["MWI_MATLAB_STARTUP_SCRIPT"], stdin=asyncio.subprocess.PIPE
            )

    async def _stop_matlab(self) -> None:
        """Without limit, as the real one: MATLAB's `exit` waits for what runs."""
        if self._matlab is None or self._matlab.returncode is not None:
            return
        note("stop")
        assert self._matlab.stdin is not None
        self._matlab.stdin.write(b"exit\n")
        note(f"ended {await self._matlab.wait()}")

    async def page(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await socket.send_str(message.data.upper())
                else:
                    await socket.send_bytes(message.data[::-1])
            return socket
        body = await request.read()
        headers = json.loads(os.environ.get("MWI_CUSTOM_HTTP_HEADERS", "{}"))
        seen = {"method": request.method, "path": request.path_qs, "body": body.decode()}
        response = web.json_response(seen, headers=headers)
        response.set_cookie("matlab", "its own")
        return response


def note(word: str) -> None:
    with LOG.open("a") as log:
        log.write(f"{word}\n")


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    proxy = Proxy()
    app = web.Application()
    app.router.add_get(f"{BASE}/get_status", proxy.status)
    app.router.add_put(f"{BASE}/start_matlab", proxy.start)
    app.router.add_delete(f"{BASE}/stop_matlab", proxy.stop)
    app.router.add_route("*", f"{BASE}/{{path:.*}}", proxy.page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, os.environ["MWI_APP_HOST"], int(os.environ["MWI_APP_PORT"])).start()
    if proxy.licensed:
        await proxy.start_matlab()
    await stop.wait()
    note("terminated")


if __name__ == "__main__":
    asyncio.run(main())
