"""Builds the parts and runs them until the container is stopped. The WebSocket port opens when startup.m says so."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from . import folder, log
from .files import Files
from .guard import guard_of
from .hub import Hub
from .interpreter import Interpreters
from .matlab import Matlabs
from .matlab_desktop import Desktop, DesktopEnded
from .matlab_gateway import Gateway
from .octave import Octave
from .server import Server
from .session import Session

HOME = Path("/home/matlab/shared")
MATLAB_HOME = HOME / ".home"
"""With the user's data, so that whoever signed in to MathWorks need not do so again in the next container."""

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

Page = Callable[[Server], web.Application]
"""What is served on the HTTP port."""


async def serve() -> None:
    """Raises: ExceptionGroup: of DesktopEnded."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder.lay_out(HOME)
    kind = with_matlab if os.environ.get("SESSION_INTERPRETER") == "matlab" else with_octave
    async with kind(os.environ.get("MCM_FRAME_ANCESTORS", "")) as (interpreters, page):
        hub = Hub()
        session = Session(interpreters, HOME, hub.publish)
        who = {name: os.environ[variable] for name, variable in WHO.items() if os.environ.get(variable)}
        server = Server(session, hub, Files(HOME), who, guard_of(os.environ))
        logging.getLogger(__name__).info("session service starting", extra=who)
        await _serve_until(stop, session, server, page)


@contextlib.asynccontextmanager
async def with_octave(frame_ancestors: str) -> AsyncIterator[tuple[Interpreters, Page]]:
    yield Octave, lambda server: server.web_app(frame_ancestors)


@contextlib.asynccontextmanager
async def with_matlab(frame_ancestors: str) -> AsyncIterator[tuple[Interpreters, Page]]:
    async with (
        Desktop(os.environ, MATLAB_HOME, HOME) as desktop,
        Gateway(desktop.address, desktop.path) as gateway,
        asyncio.TaskGroup() as tasks,
    ):
        watching = tasks.create_task(desktop.watch())
        yield Matlabs(desktop), lambda server: server.desktop_app(gateway, frame_ancestors)
        watching.cancel()


async def _serve_until(stop: asyncio.Event, session: Session, server: Server, page: Page) -> None:
    web_runner = web.AppRunner(page(server), access_log=None)
    websocket_runner = web.AppRunner(server.websocket_app(), access_log=None)
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
    try:
        asyncio.run(serve())
    except* DesktopEnded as ended:
        logging.getLogger(__name__).error("session ends", extra={"reason": str(ended.exceptions[0])})
        sys.exit(1)
