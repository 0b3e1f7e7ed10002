"""A bridge server's client, written from nothing but the description of one; no code of ours, and none of its wisdom.

It makes a container for a session, looks every 2 s for up to 60 s whether it runs and both its services are healthy,
shows its page, talks to its WebSocket, looks at its health every 5 minutes, and destroys it at the end. It gives up a
call after 30 s, and repeats it up to 3 times, 1, 2 and 4 s apart, until the answer is 200, 201 or 400.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

TIMEOUT = 30
GOOD = (200, 201, 400)
WAITS = (1, 2, 4)
LOOK_SECONDS, READY_SECONDS, CHECK_SECONDS = 2, 60, 300

Answer = tuple[int, Any]
"""Status and JSON; 0 and what went wrong where nothing answered."""


@dataclass
class Bridge:
    server: str
    sleep: Callable[[float], None] = time.sleep
    seen: list[tuple[str, int]] = field(default_factory=list)
    """Each attempt: `POST /create`, and the status."""

    # ------------------------------------------------------------ a session's day

    def begin(self, user_id: int, session_id: str) -> dict[str, Any]:
        """A session that can be used: what its health says.

        Raises:
            RuntimeError: there is none.
        """
        status, created = self.create(user_id, session_id)
        if status not in (200, 201, 202):
            raise RuntimeError(f"no session: {created}")
        return self.ready(created["container_id"])

    def ready(self, container_id: str) -> dict[str, Any]:
        for _ in range(READY_SECONDS // LOOK_SECONDS):
            _, health = self.health(container_id)
            if self.is_healthy(health):
                return dict(health)
            self.sleep(LOOK_SECONDS)
        raise RuntimeError(f"not ready within {READY_SECONDS} s: {health}")

    def check(self, container_id: str, times: int) -> list[bool]:
        """What it finds when it looks every 5 minutes."""
        found = []
        for _ in range(times):
            self.sleep(CHECK_SECONDS)
            found.append(self.is_healthy(self.health(container_id)[1]))
        return found

    @staticmethod
    def is_healthy(health: Any) -> bool:
        services = (health.get("web_service"), health.get("websocket_service"))
        return health.get("status") == "running" and services == ("healthy", "healthy")

    # ------------------------------------------------------------ its calls

    def create(self, user_id: int, session_id: str) -> Answer:
        return self.call("POST", "/create", {"user_id": user_id, "session_id": session_id})

    def health(self, container_id: str) -> Answer:
        return self.call("GET", f"/health/{container_id}")

    def destroy(self, container_id: str, session_id: str | None = None) -> Answer:
        return self.call("POST", f"/destroy/{container_id}", {"session_id": session_id} if session_id else None)

    def call(self, method: str, path: str, body: object = None) -> Answer:
        answer = self._attempt(method, path, body)
        for wait in WAITS:
            if answer[0] in GOOD:
                break
            self.sleep(wait)
            answer = self._attempt(method, path, body)
        return answer

    def _attempt(self, method: str, path: str, body: object) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                answer = response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                answer = error.code, json.load(error)
        except (OSError, ValueError) as error:  # refused, cut off, too late, or half an answer
            answer = 0, {"error": str(error)}
        self.seen.append((f"{method} {path}", answer[0]))
        return answer

    # ------------------------------------------------------------ its session

    def page(self, http_port: int) -> Answer:
        """What an iframe would show, and whether it may."""
        with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/", timeout=TIMEOUT) as response:
            return response.status, {"text": response.read().decode(), "headers": dict(response.headers)}

    def evaluate(self, ws_port: int, code: str) -> str:
        """What a command prints."""
        return asyncio.run(_evaluate(f"http://127.0.0.1:{ws_port}/", code))


async def _evaluate(address: str, code: str) -> str:
    printed = ""
    async with asyncio.timeout(TIMEOUT), aiohttp.ClientSession() as http, http.ws_connect(address) as socket:
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "eval", "params": {"code": code}})
        while True:
            message = await socket.receive_json()
            if message.get("method") == "output":
                printed += message["params"]["text"]
            if message.get("id") == 1:
                return printed
