"""The two ports: pages, `/healthz`, `/files` and `/ws` on one, WebSocket and `/files` on the other. Speaks the protocol
of docs/session-protocol.md; what a call does is `methods.py`'s.

Both ports are asked every few seconds whether they answer. So a connection costs nothing until it says something, is
never logged, and is no activity.

Whoever is let in may do everything; `guard.py` decides who is. Open to all are the parts that the page is made of, the
same in every session, and the little of `/healthz` that tells whether the session lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aiohttp import WSCloseCode, WSMsgType, web

from . import limits, protocol, rpc, site
from .files import FileFault, Files
from .guard import Guard
from .hub import Client, Hub
from .matlab_gateway import Gateway
from .methods import Methods, own_fault
from .session import Session

log = logging.getLogger(__name__)

DOWNLOAD_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox",  # a user's HTML file must not act as the session's page
    "X-Content-Type-Options": "nosniff",
}

OPEN = re.compile(r"/healthz|/icon\.svg|/assets/[^/]+")
"""Paths that need no token, and that pages of other sites may ask for."""

KNOWN_BY_PATH = "known-by-path"
"""Name of routes whose path only those know who were let in before."""

LIVENESS = ("state", "since", "last_activity", "interpreter", "process")
"""What `/healthz` tells those who have no token: whether the session lives, and nothing of what is done in it."""

FILE_STATUS = {"not_found": 404, "exists": 409, "changed": 409, "too_large": 413, "outside": 403}

BY_NAME = "use an address or `localhost`, or have the operator name it in `session_url` (MCM_ALLOWED_HOSTS)."
LOCKED_OUT = (
    "This session asks for its token, and there was none or another one. `access_url` and `ws_url` of "
    "GET /v1/users/<n> have it; programs may also send it as `Authorization: Bearer <token>`."
)

LARGEST_FRAME = 16 * 1024 * 1024
"""Bytes after which a connection is closed (1009). Below it a message that is too long gets an answer that says so."""

HEARTBEAT_SECONDS = 30.0

FAREWELL_SECONDS = 5.0
"""For a client that is let go to be told so, if it takes anything at all."""


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """`who`: what tells this session from others, passed on to clients in `hello`."""

    def __init__(self, session: Session, hub: Hub, files: Files, who: Mapping[str, str], guard: Guard) -> None:
        self._session = session
        self._hub = hub
        self._files = files
        self._methods = Methods(session, files, self._status)
        self._who = who
        self._guard = guard
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._sockets: set[web.WebSocketResponse] = set()

    def web_app(self, frame_ancestors: str) -> web.Application:
        """`frame_ancestors`: which sites may show the page in a frame, in CSP's words; empty: any."""
        page = site.Page(frame_ancestors)
        app = web.Application(middlewares=[_json_errors, page.ask_for_token, self._let_in])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/ws", self._websocket)
        self._add_files(app.router)
        page.add_routes(app.router)
        return app

    def desktop_app(self, gateway: Gateway, frame_ancestors: str) -> web.Application:
        """Where the page is MATLAB's own desktop, and the rest is on the WebSocket's port."""
        page = site.Page(frame_ancestors)
        app = web.Application(middlewares=[_json_errors, page.ask_for_token, self._let_in])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/ws", self._websocket)  # behind a proxy there may be this port only
        app.router.add_get("/", gateway.enter)
        app.router.add_route("*", f"{gateway.path}/{{rest:.*}}", gateway.forward, name=KNOWN_BY_PATH)
        return app

    def websocket_app(self) -> web.Application:
        app = web.Application(middlewares=[_json_errors, self._let_in])
        app.router.add_get("/", self._websocket)
        self._add_files(app.router)
        return app

    def _add_files(self, router: web.UrlDispatcher) -> None:
        router.add_get("/files/{path:.+}", self._download)
        router.add_put("/files/{path:.+}", self._upload)

    async def close(self) -> None:
        """Tell every client that the session goes away."""
        sockets = tuple(self._sockets)
        await asyncio.gather(*(s.close(code=WSCloseCode.GOING_AWAY, message=b"the session ends") for s in sockets))

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._guard.knows(request.host):
            log.warning("refused a name", extra={"host": request.host})
            raise web.HTTPForbidden(text=f"This session does not answer to the name {request.host!r}: {BY_NAME}")
        if OPEN.fullmatch(request.path) is None:
            origin = request.headers.get("Origin")
            if not self._guard.trusts(origin, request.host):
                log.warning("refused a page of another site", extra={"origin": origin, "host": request.host})
                raise web.HTTPForbidden(text="Pages of this origin may not talk to this session (MCM_ALLOWED_ORIGINS).")
            if request.match_info.route.name != KNOWN_BY_PATH and not self._has_token(request):
                raise web.HTTPUnauthorized(text=LOCKED_OUT, headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    def _has_token(self, request: web.Request) -> bool:
        """Browsers can give a WebSocket, a download and a page nothing but an address; programs can send a header."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return self._guard.opens(token.strip() if scheme.lower() == "bearer" else request.query.get("token"))

    async def _healthz(self, request: web.Request) -> web.Response:
        status = self._status()
        return web.json_response(status if self._has_token(request) else {name: status[name] for name in LIVENESS})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        with _told_by_http():
            file = await asyncio.to_thread(self._files.file, request.match_info["path"])
        return web.FileResponse(file, headers={"Content-Disposition": _attachment(file.name), **DOWNLOAD_HEADERS})

    async def _upload(self, request: web.Request) -> web.Response:
        self._session.touch()
        with _told_by_http():
            size = await self._files.receive(request.match_info["path"], request.content.iter_any())
        return web.json_response({"size": size})

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPUpgradeRequired(text="This address speaks WebSocket only.", headers={"Upgrade": "websocket"})
        socket = web.WebSocketResponse(max_msg_size=LARGEST_FRAME, heartbeat=HEARTBEAT_SECONDS, compress=False)
        await socket.prepare(request)
        client = Client()
        hello = {
            "protocol": protocol.VERSION,
            "session": dict(self._who),
            "status": self._status(),
            "figures": self._session.figures(),
        }
        if request.query.get("transcript") == "1":
            hello["transcript"] = self._hub.transcript()
        client.send(rpc.notification("hello", hello))
        self._hub.join(client)
        self._sockets.add(socket)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(_write(socket, client))
                letting_go = tasks.create_task(_let_go(request.transport, client))
                await self._read(socket, client)
                writer.cancel()
                letting_go.cancel()
        finally:
            self._hub.leave(client)
            self._sockets.discard(socket)
        return socket

    async def _read(self, socket: web.WebSocketResponse, client: Client) -> None:
        async for message in socket:
            try:
                if message.type is not WSMsgType.TEXT:
                    raise rpc.Fault(rpc.NOT_A_CALL, "Only text frames are taken.")
                await self._carry_out(rpc.parse(message.data), client)
            except rpc.Fault as fault:
                client.send(rpc.error(fault))

    async def _carry_out(self, call: rpc.Call, client: Client) -> None:
        """Raises `rpc.Fault`, and nothing else: a fault of ours must not end anybody's connection."""

        def answer(value: Mapping[str, Any]) -> None:
            if call.wants_answer:
                client.send(rpc.result(call.id, value))

        def refuse(fault: rpc.Fault) -> None:
            if call.wants_answer:
                client.send(rpc.error(fault))

        try:
            await self._methods.carry_out(call, answer, refuse)
        except rpc.Fault:
            raise
        except Exception as error:
            raise own_fault(call, error) from error

    def _status(self) -> dict[str, Any]:
        process = {"pid": os.getpid(), "started_at": self._started_at}
        usage = {
            "memory": limits.memory_used(),
            "memory_limit": limits.memory_limit(),
            "cpu_seconds": limits.cpu_seconds(),
            "cpus": limits.cpus(),
        }
        return {**self._session.status(), "process": process, "usage": usage, "clients": len(self._hub)}


@contextlib.contextmanager
def _told_by_http() -> Iterator[None]:
    try:
        yield
    except FileFault as fault:
        content = {"error": str(fault), "code": fault.reason}
        raise _Refused(FILE_STATUS.get(fault.reason, 400), content) from fault


class _Refused(Exception):
    def __init__(self, status: int, content: dict[str, str]) -> None:
        super().__init__(content["error"])
        self.answer = (content, status)


def _attachment(name: str) -> str:
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


async def _write(socket: web.WebSocketResponse, client: Client) -> None:
    try:
        while (message := await client.next()) is not None:
            await socket.send_str(message)
        await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too far behind")
    except ConnectionError:
        pass  # the reader notices, too, and ends the connection


async def _let_go(transport: asyncio.Transport | None, client: Client) -> None:
    """One that takes nothing keeps the writer waiting, and the end of the connection with it."""
    await client.too_far_behind.wait()
    await asyncio.sleep(FAREWELL_SECONDS)
    if transport is not None:
        transport.abort()


@web.middleware
async def _json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except _Refused as refused:
        content, status = refused.answer
        return web.json_response(content, status=status)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code = error.reason.lower().replace(" ", "_")
        content = {"error": error.text or error.reason, "code": code}
        kept = {name: error.headers[name] for name in ("Allow", "Upgrade", "WWW-Authenticate") if name in error.headers}
        return web.json_response(content, status=error.status, headers=kept)
