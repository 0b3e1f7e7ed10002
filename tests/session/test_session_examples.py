"""The client examples, run as their readers would."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from tests.clients import CLIENTS, node_with_websocket
from tests.session.conftest import Session


@pytest.fixture(params=["python", "javascript"])
def client(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "python":
        return [sys.executable, str(CLIENTS / "session_client.py")]
    return [*node_with_websocket(), str(CLIENTS / "session_client.mjs")]


async def test_commands_are_run_and_variables_told(shared: Session, client: list[str]) -> None:
    ran = await run(*client, shared.websocket, "x = 6;", "y = x * 7")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "y = 42\nVariables: x, y\n", "")


async def test_an_error_ends_it(shared: Session, client: list[str]) -> None:
    ran = await run(*client, shared.websocket, "disp(1); error('oh no')", "disp(2)")
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "1\n", "error: oh no\n")


async def test_the_python_client_answers_what_is_asked(shared: Session) -> None:
    client = str(CLIENTS / "session_client.py")
    ran = await run(sys.executable, client, shared.websocket, "n = input('how many? ');", stdin="3 + 4\n")
    assert ran.stdout == "how many? 3 + 4\nVariables: n\n"


async def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run, command, input=stdin, capture_output=True, text=True, timeout=30, check=False
    )
