"""Asks a server as fast as it answers, and is cheap next to any."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from urllib.parse import urlsplit


async def requests_per_second(
    url: str, seconds: float = 2, connections: int = 8, headers: Mapping[str, str] | None = None
) -> float:
    """By keep-alive connections that each ask again as soon as they are answered."""
    parts = urlsplit(url)
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n{more}\r\n".encode()
    began = time.perf_counter()
    asking = (_ask_until(began + seconds, str(parts.hostname), parts.port or 80, request) for _ in range(connections))
    counts = await asyncio.gather(*asking)
    return sum(counts) / (time.perf_counter() - began)


async def _ask_until(end: float, host: str, port: int, request: bytes) -> int:
    count = 0
    while time.perf_counter() < end:
        reader, writer = await asyncio.open_connection(host, port, limit=2**22)
        while time.perf_counter() < end:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"content-length: (\d+)", head)
            assert head.startswith((b"http/1.1 200", b"http/1.0 200")), head
            assert length
            await reader.readexactly(int(length[1]))
            count += 1
            if b"connection: close" in head or head.startswith(b"http/1.0"):
                break
        writer.close()
    return count
