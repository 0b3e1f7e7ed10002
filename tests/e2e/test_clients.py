"""A session's death as the programs see it that are connected to it: the example clients, in programs that go on."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE

import pytest

from tests.clients import CLIENTS, node_with_websocket
from tests.rig import Rig
from tests.support import Lab

PYTHON = """
import asyncio, sys
import aiohttp
from session_client import SessionClient

async def main(address):
    async with aiohttp.ClientSession() as http:
        session = SessionClient(http, address)
        await session.call("eval", code="x = 7;")
        try:
            await session.call("eval", code="disp('running'); pause(60)")
        except ConnectionError as error:
            print(error, flush=True)
        await session.call("eval", code="y = 1 + 1")
        print([variable["name"] for variable in (await session.call("whos"))["variables"]])
        await session.close()

sys.stderr = sys.stdout
asyncio.run(main(sys.argv[1]))
"""

JAVASCRIPT = """
import { SessionClient } from "./session_client.mjs";

const session = new SessionClient(process.argv[1], {
  output: ({ text }) => process.stdout.write(text),
  started_anew: () => console.log("The session was started anew: its variables are gone."),
});
await session.call("eval", { code: "x = 7;" });
await session.call("eval", { code: "disp('running'); pause(60)" }).catch((error) => console.log(error.message));
await session.call("eval", { code: "y = 1 + 1" });
const { variables } = await session.call("whos");
console.log("[" + variables.map(({ name }) => `'${name}'`) + "]");
session.close();
"""


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_a_client_comes_back_to_a_session_whose_service_died(rig: Rig, lab: Lab, language: str) -> None:
    command = {
        "python": lambda: [sys.executable, "-c", PYTHON],
        "javascript": lambda: [*node_with_websocket(), "--input-type=module", "-e", JAVASCRIPT],
    }[language]()
    await rig.create(1)
    await rig.comes_up(1)
    _, user = await rig.call("GET", "/v1/users/1")
    program = await asyncio.create_subprocess_exec(*command, user["ws_url"], cwd=CLIENTS, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(90):
            assert program.stdout is not None
            assert await program.stdout.readline() == b"running\n"
            lab.container(1).kill()
            rest, complaints = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
    assert rest.decode().splitlines() == [
        "The connection was lost; how far the command got is not known.",
        "The session was started anew: its variables are gone.",
        "y = 2",
        "['y']",
    ], complaints.decode()
