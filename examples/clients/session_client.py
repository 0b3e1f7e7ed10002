"""Run commands in a session over its WebSocket: python session_client.py ws://localhost:31001/ "x = magic(4)" "x'"

Prints what each command prints, while it runs. Needs only aiohttp (any WebSocket library would do).
Protocol: docs/session-protocol.md
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp

PATIENCE = 60.0
"""Seconds that a session may take to come back, by default."""


class SessionClient:
    """A session, connected to when it is first called, and again whenever the connection was lost."""

    def __init__(self, http: aiohttp.ClientSession, address: str, patience: float = PATIENCE) -> None:
        self._http = http
        self._address = address
        self._patience = patience
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._started_at: str | None = None
        self._last_id = 0

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """The call's result; what commands print meanwhile goes to stdout, what they ask is taken from stdin.

        Raises:
            RuntimeError: the session says no.
            ConnectionError: the connection was lost before the answer came, so nobody knows how far the command got;
                the next call connects again.
        """
        if self._socket is None or self._socket.closed:
            self._socket = await self._connect()
        self._last_id += 1
        await self._send(self._socket, method, params, self._last_id)
        async for message in self._socket:
            content: dict[str, Any] = message.json()
            if content.get("id") == self._last_id:
                if "error" in content:
                    raise RuntimeError(content["error"]["message"])
                result: dict[str, Any] = content["result"]
                return result
            if content.get("method") == "hello":
                self._look_who_is_there(content["params"]["status"])
            elif content.get("method") == "output":
                sys.stdout.write(content["params"]["text"])
                sys.stdout.flush()
            elif content.get("method") == "input_request":
                text = await asyncio.to_thread(sys.stdin.readline)
                await self._send(self._socket, "input", {"text": text.rstrip("\n")})
        raise ConnectionError("The connection was lost; how far the command got is not known.")

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        """As soon as the session is there: its port opens when the interpreter is ready."""
        async with asyncio.timeout(self._patience):
            while True:
                try:
                    return await self._http.ws_connect(self._address, max_msg_size=0)
                except aiohttp.WSServerHandshakeError:
                    raise  # it is there, and says no
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(0.5)

    def _look_who_is_there(self, status: dict[str, Any]) -> None:
        started_at = status["process"]["started_at"]
        if self._started_at not in (None, started_at):
            sys.stderr.write("The session was started anew: its variables are gone.\n")
        self._started_at = started_at

    async def _send(
        self, socket: aiohttp.ClientWebSocketResponse, method: str, params: object, call_id: int | None = None
    ) -> None:
        call = {"jsonrpc": "2.0", "method": method, "params": params}
        await socket.send_json(call if call_id is None else {**call, "id": call_id})

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()


async def main(address: str, commands: list[str]) -> int:
    async with aiohttp.ClientSession() as http:
        session = SessionClient(http, address)
        for code in commands:
            outcome = await session.call("eval", code=code)
            if outcome["status"] != "ok":
                error = outcome["error"]
                sys.stderr.write(f"error: {error['message']}\n" if error else f"{outcome['status']}\n")
                return 1
        names = [variable["name"] for variable in (await session.call("whos"))["variables"]]
        sys.stdout.write(f"Variables: {', '.join(names)}\n")
        await session.close()
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2:])))
    except (OSError, aiohttp.ClientError) as error:  # TimeoutError and ConnectionError are OSErrors, too
        sys.exit(f"error: {error or 'the session does not answer'}")
