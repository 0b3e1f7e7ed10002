"""The examples of how to call the API, run as their readers would."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.api_world import ApiWorld, api_world
from tests.browser import a_browser
from tests.clients import CLIENTS
from tests.serving import served
from tests.shell import environment

MODULE = CLIENTS / "controller_client.mjs"


@pytest.fixture
async def world() -> AsyncIterator[ApiWorld]:
    async with api_world() as world:
        yield world


@pytest.fixture(params=["python", "javascript"])
def example(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "python":
        return [sys.executable, str(CLIENTS / "one_session.py")]
    return [node(), str(MODULE)]


def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("no Node here to run the JavaScript client")
    return found


async def run(*command: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run, command, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


async def test_a_session_is_given_and_taken_away(world: ApiWorld, example: list[str]) -> None:
    ran = await run(*example, world.url, "7")
    told = "User 7's session is ready: http://127.0.0.1:30007/\nContainer destroyed successfully\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, told, "")
    assert world.engine.containers() == ()


async def test_what_is_refused_is_a_sentence(world: ApiWorld, example: list[str]) -> None:
    ran = await run(*example, world.url, "101")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "error: Invalid user_id. Must be between 1 and 100\n"
    world.engine.taken_ports.add(30007)
    ran = await run(*example, world.url, "7")
    assert ran.stderr.startswith("error: Failed to create container: Port 30007 is already in use on this host.")
    assert "End what listens there" in ran.stderr


async def test_without_arguments_they_say_how_they_are_called(example: list[str]) -> None:
    ran = await run(*example)
    assert ran.returncode == 1
    assert "http://localhost:8080 7" in ran.stderr


# ---------------------------------------------------------------- the JavaScript client by itself


async def evaluated(expression: str) -> Any:
    """What an expression with the module's names comes to, in Node."""
    load = f"import {{ ControllerClient }} from {json.dumps(str(MODULE))};"
    code = f"{load} console.log(JSON.stringify(await {expression}));"
    ran = await run(node(), "--input-type=module", "-e", code)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    ("call", "times"),
    [("create(7)", 3), ("destroy(7, 's-1')", 3), ("destroy(7)", 1), ("restart(7, 's-1')", 1), ("users()", 3)],
)
async def test_a_call_whose_answer_is_lost_is_repeated_only_where_that_is_safe(call: str, times: int) -> None:
    seen: list[str] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        await request.read()
        seen.append(request.path)
        if len(seen) < 3:
            assert request.transport is not None
            request.transport.abort()
        status = 404 if "destroy" in request.path else 200
        return web.json_response(
            {"error": "Container not found", "code": "not_found", "message": "done"}, status=status
        )

    async with served(handler) as server:
        told = await evaluated(
            f"new ControllerClient('{server}', {{ waits: [50, 50, 50] }}).{call}"
            ".then(({ message }) => message, (error) => error.constructor.name)"
        )
    assert len(seen) == times
    lost_for_good, done = "Unreachable", "Container destroyed successfully" if "destroy" in call else "done"
    assert told == (done if times == 3 else lost_for_good)


async def test_where_nothing_listens_it_says_so() -> None:
    async with served(None) as server:
        pass
    told = await evaluated(
        f"new ControllerClient('{server}', {{ waits: [10] }}).restart(7).catch((error) => error.message)"
    )
    assert told == f"No controller can be reached at {server}: ECONNREFUSED"


async def test_it_says_why_a_session_is_not_ready(world: ApiWorld) -> None:
    world.services.web = False
    await world.create(7)
    told = await evaluated(
        f"new ControllerClient('{world.url}').waitReady(7, 0.3, 100).catch((error) => error.message)"
    )
    _, user = await world.call("GET", "/v1/users/7")
    assert told == f"User 7's session is not ready after 0.3 s: {user['why']}"


async def test_a_page_of_the_apis_own_address_can_use_it(world: ApiWorld) -> None:
    async with a_browser() as browser:
        page = await browser.new_page()
        await page.goto(f"{world.url}/healthz")
        told = await page.evaluate(
            """async (module) => {
                const { ControllerClient } = await import(`data:text/javascript,${encodeURIComponent(module)}`);
                const client = new ControllerClient();
                await client.create(7, "page-1");
                const { status } = await client.waitReady(7);
                const refused = await client.destroy(7, "other").catch(({ status, code }) => [status, code]);
                return [status, refused, (await client.destroy(7, "page-1")).message];
            }""",
            MODULE.read_text(),
        )
    assert told == ["running", [409, "session_conflict"], "Container destroyed successfully"]


async def test_the_sessions_client_says_which_node_it_needs() -> None:
    without = ("--import", "data:text/javascript,delete globalThis.WebSocket")
    done = await run(node(), *without, str(CLIENTS / "session_client.mjs"), "ws://127.0.0.1:1/", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "take version 22 or newer" in done.stderr
