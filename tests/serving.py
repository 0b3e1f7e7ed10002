"""Something that answers HTTP on a port of 127.0.0.1, for as long as a test needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


@asynccontextmanager
async def on_loopback(runner: web.BaseRunner) -> AsyncIterator[int]:
    """The port that it answers on."""
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def served(handler: Any) -> AsyncIterator[str]:
    """The address at which this answers every request."""
    async with on_loopback(web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)) as port:
        yield f"http://127.0.0.1:{port}"
