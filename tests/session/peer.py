"""A client of a session as anybody could write one: JSON-RPC over a WebSocket, and what it heard, in order.

Everything that it hears is held against the protocol's schema.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType
from jsonschema import Draft202012Validator

from matlab.session_service import protocol

Json = dict[str, Any]

PATIENCE = 60.0
"""Seconds for any one thing to be heard: generous, as `START_SECONDS`."""


NOTIFICATIONS = {name: Draft202012Validator(schema) for name, schema in protocol.NOTIFICATIONS.items()}
RESULTS = {name: Draft202012Validator(method.result) for name, method in protocol.METHODS.items()}
FAULT = Draft202012Validator(protocol.FAULT)


class Peer:
    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[tuple[str, Json]] = []
        """Notifications, as method and params."""
        self._answers: dict[Any, Json] = {}
        self._called: dict[Any, str] = {}
        self._last_id = 0

    async def call(self, method: str, **params: object) -> Json:
        """The result; an `AssertionError` if it was an error."""
        answer = await self.answer(await self.send(method, **params))
        assert "result" in answer, answer
        result: Json = answer["result"]
        return result

    async def eval(self, code: str) -> Json:
        return await self.call("eval", code=code)

    async def send(self, method: str, **params: object) -> int:
        """Send a call and do not wait for its answer; its id."""
        self._last_id += 1
        self._called[self._last_id] = method
        await self.socket.send_json({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        return self._last_id

    async def refused(self, method: str, **params: object) -> Json:
        """The error; an `AssertionError` if there was a result."""
        answer = await self.answer(await self.send(method, **params))
        assert "error" in answer, answer
        error: Json = answer["error"]
        return error

    async def send_raw(self, text: str) -> Json:
        """Send any text; the error that answers it, which has no id that we gave."""
        await self.socket.send_str(text)
        return await self.answer(None)

    async def answer(self, call_id: int | None) -> Json:
        async with asyncio.timeout(PATIENCE):
            while call_id not in self._answers:
                await self._hear()
        return self._answers.pop(call_id)

    async def until(self, method: str, when: Callable[[Json], bool] = lambda _: True) -> Json:
        """Wait for the first notification, among those heard too, of which this is true; its params."""
        async with asyncio.timeout(PATIENCE):
            seen = 0
            while True:
                for name, params in self.heard[seen:]:
                    if name == method and when(params):
                        return params
                seen = len(self.heard)
                await self._hear()

    def printed(self) -> str:
        return "".join(params["text"] for method, params in self.heard if method == "output")

    async def _hear(self) -> None:
        message = await self.socket.receive()
        assert message.type is WSMsgType.TEXT, message
        content = json.loads(message.data)
        if "method" in content:
            NOTIFICATIONS[content["method"]].validate(content["params"])
            self.heard.append((content["method"], content["params"]))
        else:
            if "error" in content:
                FAULT.validate(content["error"])
            else:
                RESULTS[self._called[content["id"]]].validate(content["result"])
            self._answers[content["id"]] = content
