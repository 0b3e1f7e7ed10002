"""The client on both its faces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from controller.client import Client, Patience
from controller.client.aio import AsyncClient

SOON = Patience(again=(0.05, 0.1, 0.2))

Ask = Callable[..., Coroutine[Any, Any, Any]]


@asynccontextmanager
async def asking(face: str, server: str, **options: Any) -> AsyncIterator[Ask]:
    """Ask by a verb's name, on either face; `under` gives the request's id."""
    if face == "blocking":
        client = Client(server, **options)

        async def in_thread(verb: str, *args: Any, under: str = "", **more: Any) -> Any:
            asked = client.under(under) if under else client
            return await asyncio.to_thread(getattr(asked, verb), *args, **more)

        yield in_thread
        return
    async with AsyncClient(server, **options) as awaiting:

        async def in_loop(verb: str, *args: Any, under: str = "", **more: Any) -> Any:
            asked = awaiting.under(under) if under else awaiting
            return await getattr(asked, verb)(*args, **more)

        yield in_loop
