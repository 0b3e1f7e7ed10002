"""matlab-proxy, MathWorks' own server of MATLAB's desktop in a browser, which starts and ends MATLAB.

It listens inside the container only; `matlab_gateway.py` lets people in. What is asked of it here is asked at the
beginning or the end of a MATLAB and never to watch one: some of its answers count as activity.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

log = logging.getLogger(__name__)

COMMAND = "matlab-proxy-app"
PORT = 8887
STARTUP_CODE = "addpath('/opt/session/mfiles'); mcm.share"
"""Run in MATLAB after any startup.m, so that no file of the user's can hide it."""

START_SECONDS = 60.0
END_SECONDS = 6.0
"""What MATLAB may take to end, where `MCM_STOP_SECONDS` says nothing else. The container needs a little more, and is
given 10 s by default."""

TERMINATE_SECONDS = 3.0


class DesktopEnded(Exception):
    """matlab-proxy is gone, and nothing here goes on without it."""


class Desktop:
    """To be entered with `async with`; when that is left, matlab-proxy and all that it started is ended."""

    def __init__(self, environment: Mapping[str, str], home: Path, folder: Path) -> None:
        """`home`: where MATLAB and matlab-proxy keep what is theirs; `folder`: the user's, where MATLAB begins."""
        self.path = f"/{secrets.token_urlsafe(24)}"
        """Below which everything of it is. A browser that knows it was let in: the desktop asks for its parts by their
        paths and nothing else, and a cookie would go to the sessions of other users on this host, too."""
        self.address = f"http://127.0.0.1:{PORT}"
        self._end_seconds = float(environment.get("MCM_STOP_SECONDS") or END_SECONDS)
        self.environment = {
            **environment,
            **_settings(environment, home, folder),
            "MWI_BASE_URL": self.path,
        }
        """Of MATLAB and of whoever speaks with it."""
        self._home = home
        self._ended = False
        """MATLAB was ended by us, so that it is ours to start again."""
        self._process: asyncio.subprocess.Process
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Desktop:
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._http = aiohttp.ClientSession()
        self._process = await asyncio.create_subprocess_exec(COMMAND, env=self.environment, cwd=self._home)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(TERMINATE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()

    async def watch(self) -> None:
        """Raises: DesktopEnded: as soon as it has."""
        code = await self._process.wait()
        raise DesktopEnded(f"matlab-proxy ended with exit code {code}; its last words are in the log")

    async def begin_matlab(self) -> None:
        """Have MATLAB started again, if we ended it. The first time, and when somebody signs in, matlab-proxy starts it
        by itself."""
        if not self._ended:
            return
        self._ended = False
        try:
            if (await self._ask("GET", "/get_status", START_SECONDS)).get("licensing") is None:
                log.warning("MATLAB waits for a licence", extra={"what_to_do": "sign in on the page"})
                return
            await self._ask("PUT", "/start_matlab", START_SECONDS)
        except (TimeoutError, aiohttp.ClientError) as error:
            log.warning("MATLAB was not started", extra={"reason": str(error) or "no answer in time"})

    async def end_matlab(self) -> None:
        """Have MATLAB quit as by `exit`, which runs finish.m and gives the licence back; or else kill it."""
        self._ended = True
        try:
            await self._ask("DELETE", "/stop_matlab", self._end_seconds)
        except (TimeoutError, aiohttp.ClientError) as error:
            log.warning(
                "MATLAB is killed: its licence may be held for a while",
                extra={"reason": str(error) or "no answer in time"},
            )
        for pid in _matlabs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def _ask(self, method: str, path: str, seconds: float) -> dict[str, Any]:
        """matlab-proxy itself would wait for ever."""
        asked = self._http.request(method, self.address + self.path + path, raise_for_status=True)
        async with asyncio.timeout(seconds), asked as answer:
            content: dict[str, Any] = await answer.json()
            return content


def _settings(environment: Mapping[str, str], home: Path, folder: Path) -> dict[str, str]:
    settings = {
        "HOME": str(home),  # `~/.matlab`, where a sign-in is kept; not the user's folder, whose startup.m runs last
        "SESSION_FOLDER": str(folder),
        "SESSION_ENGINE": f"matlab_user_{environment.get('MCM_USER_ID', '0')}",  # the name that it is shared by
        "MWI_APP_HOST": "127.0.0.1",
        "MWI_APP_PORT": str(PORT),
        "MWI_ENABLE_TOKEN_AUTH": "False",  # who is let in is decided before it is asked
        "MWI_MATLAB_STARTUP_SCRIPT": STARTUP_CODE,
        "MWI_SESSION_NAME": environment.get("MCM_CONTAINER", "MATLAB"),
    }
    if ancestors := environment.get("MCM_FRAME_ANCESTORS"):
        policy = {"Content-Security-Policy": f"frame-ancestors {ancestors}"}
        settings["MWI_CUSTOM_HTTP_HEADERS"] = json.dumps(policy)
    return settings


def _matlabs() -> list[int]:
    """Processes of that name in this container."""
    found = []
    for file in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if file.read_text().strip() == "MATLAB":
                found.append(int(file.parent.name))
    return found
