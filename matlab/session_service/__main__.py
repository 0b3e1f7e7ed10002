"""Builds the parts and runs them until the container is stopped. The WebSocket port opens when startup.m says so."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path

from aiohttp import web

from . import folder, log
from .files import Files
from .guard import guard_of
from .hub import Hub
from .octave import Octave
from .server import Server
from .session import Session

HOME = Path("/home/matlab/shared")
HTTP_PORT = 8888
WEBSOCKET_PORT = 8889
STOP_SECONDS = 0.5

WHO = {
    "user_id": "MCM_USER_ID",
    "session_id": "MCM_SESSION_ID",
    "container": "MCM_CONTAINER",
    "instance": "MCM_INSTANCE",
    "profile": "MCM_PROFILE",
}


async def serve() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder.lay_out(HOME)
    hub = Hub()
    session = Session(Octave, HOME, hub.publish)
    who = {name: os.environ[variable] for name, variable in WHO.items() if os.environ.get(variable)}
    server = Server(session, hub, Files(HOME), who, guard_of(os.environ))
    web_runner = web.AppRunner(server.web_app(os.environ.get("MCM_FRAME_ANCESTORS", "")), access_log=None)
    websocket_runner = web.AppRunner(server.websocket_app(), access_log=None)
    logging.getLogger(__name__).info("session service starting", extra=who)
    try:
        async with asyncio.TaskGroup() as tasks:
            interpreter = tasks.create_task(session.run())
            ports = tasks.create_task(_open_ports(web_runner, websocket_runner, session))
            await stop.wait()
            ports.cancel()
            interpreter.cancel()
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await server.close()
                await web_runner.cleanup()
                await websocket_runner.cleanup()


async def _open_ports(web_runner: web.AppRunner, websocket_runner: web.AppRunner, session: Session) -> None:
    await web_runner.setup()
    await web.TCPSite(web_runner, port=HTTP_PORT).start()
    await session.ready.wait()
    await websocket_runner.setup()
    await web.TCPSite(websocket_runner, port=WEBSOCKET_PORT).start()
    logging.getLogger(__name__).info("session ready", extra={"http": HTTP_PORT, "websocket": WEBSOCKET_PORT})


if __name__ == "__main__":
    log.set_up()
    asyncio.run(serve())
