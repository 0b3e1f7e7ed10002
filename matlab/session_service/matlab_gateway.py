"""The page of a MATLAB session: what is asked of it goes on to matlab-proxy, and the answers come back as they are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

import aiohttp
from aiohttp import WSMsgType, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

HOP_BY_HOP = frozenset(("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"))
"""Headers about one connection (RFC 9110, section 7.6.1)."""

CHUNK = 64 * 1024

Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


class Gateway:
    """To be entered with `async with`."""

    def __init__(self, address: str, path: str) -> None:
        """`path`: below which everything is."""
        self.path = path
        self._address = address
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Gateway:
        self._http = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),  # cookies are the browser's
            timeout=aiohttp.ClientTimeout(total=None),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def enter(self, _: web.Request) -> web.StreamResponse:
        """The session's own address leads in."""
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        raise web.HTTPFound(f".{self.path}/", headers=headers)

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Any method, on any path below ours."""
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._forward_websocket(request)
            return await self._forward_http(request)
        except aiohttp.ClientError as error:
            raise web.HTTPBadGateway(text="MATLAB's desktop does not answer; it may still be starting.") from error

    async def _forward_http(self, request: web.Request) -> web.StreamResponse:
        asked = self._http.request(
            request.method,
            self._inside(request),
            headers=_without(request.headers, HOP_BY_HOP),
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        )
        async with asked as answer:
            response = web.StreamResponse(status=answer.status, headers=_without(answer.headers, HOP_BY_HOP))
            response.headers["Referrer-Policy"] = "same-origin"  # nobody else is to learn the path
            await response.prepare(request)
            async for chunk in answer.content.iter_chunked(CHUNK):
                await response.write(chunk)
            await response.write_eof()
            return response

    async def _forward_websocket(self, request: web.Request) -> web.StreamResponse:
        handshake = {name.lower() for name in request.headers if name.lower().startswith("sec-websocket-")}
        headers = _without(request.headers, HOP_BY_HOP | handshake)
        async with self._http.ws_connect(self._inside(request), headers=headers, max_msg_size=0) as inner:
            outer = web.WebSocketResponse(max_msg_size=0)
            await outer.prepare(request)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pass_on(inner, outer))
                await _pass_on(outer, inner)
            return outer

    def _inside(self, request: web.Request) -> URL:
        return URL(self._address + request.raw_path, encoded=True)


async def _pass_on(source: Socket, target: Socket) -> None:
    """Until one of them is closed; then the other is, too."""
    with contextlib.suppress(ConnectionError):
        async for message in source:
            if message.type is WSMsgType.TEXT:
                await target.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await target.send_bytes(message.data)
    await target.close()


def _without(headers: CIMultiDictProxy[str], names: Iterable[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in names)
