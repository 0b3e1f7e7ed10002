"""The proxy before an engine: where it is gone, it is gone for everybody."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from tests.faults.proxy import FaultProxy


@pytest.mark.parametrize("steps", range(8))
async def test_who_comes_as_it_closes_is_hung_up_on(tmp_path: Path, steps: int) -> None:
    """At whatever step of being taken in: one that was left out would go on with an engine that is gone."""
    proxy = FaultProxy(tmp_path / "proxy.sock", tmp_path / "engine.sock")
    await proxy.open()
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(proxy.socket))
        for _ in range(steps):
            await asyncio.sleep(0)
        await proxy.close()
        caller.setblocking(False)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):  # it was not even taken in
                assert await asyncio.get_running_loop().sock_recv(caller, 1) == b""
