"""Run commands in a session over its WebSocket: python session_client.py ws://localhost:31001/ "x = magic(4)" "x'"

Prints what each command prints, while it runs. Needs only aiohttp (any WebSocket library would do).
Protocol: docs/session-protocol.md
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp


class SessionClient:
    """One connection. Calls are answered by `id`; everything else that arrives is a notification."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last_id = 0

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """The call's result; what commands print meanwhile goes to stdout, what they ask is taken from stdin."""
        self._last_id += 1
        await self._send(self._last_id, method, params)
        async for message in self._socket:
            content: dict[str, Any] = message.json()
            if content.get("id") == self._last_id:
                if "error" in content:
                    raise RuntimeError(content["error"]["message"])
                result: dict[str, Any] = content["result"]
                return result
            if content.get("method") == "output":
                sys.stdout.write(content["params"]["text"])
                sys.stdout.flush()
            elif content.get("method") == "input_request":
                text = await asyncio.to_thread(sys.stdin.readline)
                await self._send(None, "input", {"text": text.rstrip("\n")})
        raise ConnectionError("The session has closed the connection.")

    async def _send(self, call_id: int | None, method: str, params: object) -> None:
        call = {"jsonrpc": "2.0", "method": method, "params": params}
        await self._socket.send_json(call if call_id is None else {**call, "id": call_id})


async def main(address: str, commands: list[str]) -> int:
    async with aiohttp.ClientSession() as http, http.ws_connect(address, max_msg_size=0) as socket:
        session = SessionClient(socket)
        for code in commands:
            outcome = await session.call("eval", code=code)
            if outcome["status"] != "ok":
                error = outcome["error"]
                sys.stderr.write(f"error: {error['message']}\n" if error else f"{outcome['status']}\n")
                return 1
        names = [variable["name"] for variable in (await session.call("whos"))["variables"]]
        sys.stdout.write(f"Variables: {', '.join(names)}\n")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2:])))
