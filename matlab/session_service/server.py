"""The two ports: pages, `/healthz` and `/ws` on one, WebSocket alone on the other. Speaks the protocol of
docs/session-protocol.md; what a call does is `session.py`'s.

Both ports are asked every few seconds whether they answer. So a connection costs nothing until it says something, is
never logged, and is no activity.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from . import rpc, site
from .hub import Client, Hub
from .session import Session, TooManyWaiting

log = logging.getLogger(__name__)

PROTOCOL = 1

LARGEST_FRAME = 16 * 1024 * 1024
"""Bytes after which a connection is closed (1009). Below it a message that is too long gets an answer that says so."""

HEARTBEAT_SECONDS = 30.0


class Server:
    """`who`: what tells this session from others, passed on to clients in `hello`."""

    def __init__(self, session: Session, hub: Hub, who: Mapping[str, str], allowed_origins: frozenset[str]) -> None:
        self._session = session
        self._hub = hub
        self._who = who
        self._allowed_origins = allowed_origins
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._sockets: set[web.WebSocketResponse] = set()

    def web_app(self) -> web.Application:
        app = web.Application(middlewares=[_json_errors])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/ws", self._websocket)
        site.add_routes(app.router)
        return app

    def websocket_app(self) -> web.Application:
        app = web.Application(middlewares=[_json_errors])
        app.router.add_get("/", self._websocket)
        return app

    async def close(self) -> None:
        """Tell every client that the session goes away."""
        sockets = tuple(self._sockets)
        await asyncio.gather(*(s.close(code=WSCloseCode.GOING_AWAY, message=b"the session ends") for s in sockets))

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response(self._status())

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if not origin_allowed(origin, request.host, self._allowed_origins):
            log.warning("refused a page of another site", extra={"origin": origin, "host": request.host})
            raise web.HTTPForbidden(text="Pages of this origin may not talk to this session (MCM_ALLOWED_ORIGINS).")
        socket = web.WebSocketResponse(max_msg_size=LARGEST_FRAME, heartbeat=HEARTBEAT_SECONDS, compress=False)
        await socket.prepare(request)
        client = Client()
        hello = {"protocol": PROTOCOL, "session": dict(self._who), "status": self._status()}
        if request.query.get("transcript") == "1":
            hello["transcript"] = self._hub.transcript()
        client.send(rpc.notification("hello", hello))
        self._hub.join(client)
        self._sockets.add(socket)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(_write(socket, client))
                await self._read(socket, client)
                writer.cancel()
        finally:
            self._hub.leave(client)
            self._sockets.discard(socket)
        return socket

    async def _read(self, socket: web.WebSocketResponse, client: Client) -> None:
        async for message in socket:
            try:
                if message.type is not WSMsgType.TEXT:
                    raise rpc.Fault(rpc.NOT_A_CALL, "Only text frames are taken.")
                self._dispatch(rpc.parse(message.data), client)
            except rpc.Fault as fault:
                client.send(rpc.error(fault))

    def _dispatch(self, call: rpc.Call, client: Client) -> None:
        def answer(value: Mapping[str, Any]) -> None:
            if call.wants_answer:
                client.send(rpc.result(call.id, value))

        match call.method:
            case "eval":
                self._eval(call, answer)
            case "interrupt":
                rpc.expect(call)
                answer({"interrupted": self._session.interrupt()})
            case "restart":
                rpc.expect(call)
                self._session.restart(lambda _: answer(self._status()))
            case "status":
                rpc.expect(call)
                answer(self._status())
            case _:
                raise rpc.Fault(rpc.NO_SUCH_METHOD, f"There is no method {call.method[:100]!r}.", call.id)

    def _eval(self, call: rpc.Call, answer: Callable[[Mapping[str, Any]], None]) -> None:
        code = rpc.expect(call, "code")["code"]
        try:
            self._session.evaluate(code, answer)
        except TooManyWaiting as error:
            message = "Too many commands wait already; send this one again later."
            raise rpc.Fault(rpc.TOO_MANY_WAITING, message, call.id) from error

    def _status(self) -> dict[str, Any]:
        process = {"pid": os.getpid(), "started_at": self._started_at}
        return {**self._session.status(), "process": process, "clients": len(self._hub)}


def origin_allowed(origin: str | None, host: str, allowed: frozenset[str]) -> bool:
    """Browsers let any page open a WebSocket anywhere and say only where the page is from; programs say nothing."""
    if origin is None or origin in allowed:
        return True
    try:
        return urlsplit(origin).hostname == urlsplit(f"//{host}").hostname is not None
    except ValueError:  # no address at all
        return False


async def _write(socket: web.WebSocketResponse, client: Client) -> None:
    try:
        while (message := await client.next()) is not None:
            await socket.send_str(message)
        await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too far behind")
    except ConnectionError:
        pass  # the reader notices, too, and ends the connection


@web.middleware
async def _json_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code = error.reason.lower().replace(" ", "_")
        return web.json_response({"error": error.text or error.reason, "code": code}, status=error.status)
