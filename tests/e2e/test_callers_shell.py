"""The commands that callers already have in their scripts: every curl call and jq pipeline, in the reference's order.

They run in a real shell, as printed but for the address and the names of this test's own instance.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from typing import Any

import pytest

from tests.rig import Rig
from tests.support import Lab, eventually

CREATE_1 = """\
curl -X POST http://localhost:8080/create \\
  -H 'Content-Type: application/json' \\
  -d '{"user_id": 1}'"""

CREATE_5 = """\
for i in {1..5}; do
  curl -X POST http://localhost:8080/create \\
    -H 'Content-Type: application/json' \\
    -d "{\\"user_id\\": $i}"
  sleep 2
done"""

MONITOR_5 = """\
for i in {1..5}; do
  echo "=== User $i ==="
  curl -s http://localhost:8080/health/matlab-user-$i | jq '.status, .cpu_usage, .memory_percent'
done"""

COUNT = (
    "curl -s http://localhost:8080/list | "
    "jq '.containers | group_by(.status) | map({status: .[0].status, count: length})'"
)

HEALTH_OF_RUNNING = """\
curl -s http://localhost:8080/list | jq -r '.containers[] | select(.status=="running") | .container_id' | \
while read cid; do
  curl -s http://localhost:8080/health/$cid | jq '{container_id, cpu_usage, memory_percent}'
done"""

RESTART_5 = """\
for i in {1..5}; do
  curl -X POST http://localhost:8080/restart/matlab-user-$i
  sleep 5
done"""

CLEAN_UP = """\
curl -s http://localhost:8080/list | jq -r '.containers[] | select(.status!="running") | .container_id' | \
while read cid; do
  curl -X POST http://localhost:8080/destroy/$cid
done"""

DESTROY_5 = """\
for i in {1..5}; do
  curl -X POST http://localhost:8080/destroy/matlab-user-$i
done"""


class Shell:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    async def run(self, script: str) -> str:
        script = script.replace("localhost:8080", f"localhost:{self._lab.api_port}")
        script = script.replace("matlab-user-", self._lab.prefix)
        script = re.sub(r"sleep \d", "sleep 0.1", script)
        process = await asyncio.create_subprocess_exec(
            "bash", "-o", "pipefail", "-c", script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output
        return output.decode().replace(self._lab.prefix, "matlab-user-")

    async def answers(self, script: str) -> list[Any]:
        """The JSON values that the script printed, one after the other."""
        text, found = (await self.run(script)).strip(), []
        while text:
            value, end = json.JSONDecoder().raw_decode(text)
            found.append(value)
            text = text[end:].lstrip()
        return found


@pytest.fixture
def shell(lab: Lab) -> Shell:
    for tool in ("curl", "jq"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on this machine (`apt-get install {tool}`)")
    return Shell(lab)


async def test_every_command_of_the_reference_in_its_order(rig: Rig, lab: Lab, shell: Shell) -> None:
    def ports(n: int) -> dict[str, object]:
        return {"container_id": f"matlab-user-{n}", "http_port": lab.http_base + n, "ws_port": lab.ws_base + n}

    made = {"status": "running", "message": "Container created successfully"}
    there = {"status": "already_running", "message": "Container is already running"}

    (service,) = await shell.answers("curl http://localhost:8080/")
    assert service["service"] == "MATLAB Container Manager"
    assert service["version"]
    assert service["architecture"] == "One container, one MATLAB session"
    assert service["websocket_service"] == "Auto-started via startup.m"
    assert list(service["endpoints"].items())[:5] == [
        ("POST /create", "Create a new container (WebSocket auto-starts)"),
        ("POST /destroy/<container_id>", "Destroy a container"),
        ("GET /health/<container_id>", "Health check for a container"),
        ("GET /list", "List all containers"),
        ("POST /restart/<container_id>", "Restart a container"),
    ]

    assert await shell.answers(CREATE_1) == [{**ports(1), **made}]
    assert await shell.answers(CREATE_1) == [{**ports(1), **there}]
    assert await shell.answers(CREATE_5) == [{**ports(1), **there}, *({**ports(n), **made} for n in range(2, 6))]
    (refused,) = await shell.answers(CREATE_1.replace('"user_id": 1', '"user_id": 101'))
    assert refused["error"] == "Invalid user_id. Must be between 1 and 100"

    await eventually(lambda: _all_healthy(rig), 120)
    (health,) = await shell.answers("curl http://localhost:8080/health/matlab-user-1")
    assert set(health) == {
        *("container_id", "status", "started_at", "cpu_usage", "memory_usage", "memory_percent"),
        *("web_service", "websocket_service", "http_port", "ws_port"),
    }
    assert (health["web_service"], health["websocket_service"]) == ("healthy", "healthy")
    monitored = (await shell.run(MONITOR_5)).splitlines()
    assert monitored[0] == "=== User 1 ==="
    assert monitored.count('"running"') == 5

    (listed,) = await shell.answers("curl http://localhost:8080/list")
    assert listed["total"] == 5
    assert [row["user_id"] for row in listed["containers"]] == [1, 2, 3, 4, 5]
    assert set(listed["containers"][0]) == {*ports(1), "user_id", "status", "created"}
    running = """curl -s http://localhost:8080/list | jq '.containers[] | select(.status=="running")'"""
    assert len(await shell.answers(running)) == 5
    assert await shell.answers(COUNT) == [[{"status": "running", "count": 5}]]
    assert (await shell.answers("curl -s http://localhost:8080/list | jq '.'"))[0]["total"] == 5
    checked = await shell.answers(HEALTH_OF_RUNNING)
    assert [list(each) for each in checked] == [["container_id", "cpu_usage", "memory_percent"]] * 5

    restart = "curl -X POST http://localhost:8080/restart/matlab-user-1"
    restarted = {"message": "Container restarted successfully"}
    assert await shell.answers(restart) == [{**restarted, "container_id": "matlab-user-1"}]
    assert await shell.answers(RESTART_5) == [{**restarted, "container_id": f"matlab-user-{n}"} for n in range(1, 6)]

    await rig.call("PUT", "/v1/users/5", {"state": "stopped"})
    (stopped,) = await shell.answers("curl http://localhost:8080/health/matlab-user-5")
    assert (set(stopped), stopped["status"]) == ({"container_id", "status", "started_at"}, "stopped")
    destroyed = {"message": "Container destroyed successfully"}
    assert await shell.answers(CLEAN_UP) == [{**destroyed, "container_id": "matlab-user-5"}]

    destroy = "curl -X POST http://localhost:8080/destroy/matlab-user-1"
    assert await shell.answers(destroy) == [{**destroyed, "container_id": "matlab-user-1"}]
    (gone,) = await shell.answers(destroy)
    assert (gone["message"], gone["container_id"]) == ("Container not found", "matlab-user-1")
    for call in ("curl http://localhost:8080/health/matlab-user-1", restart):
        (gone,) = await shell.answers(call)
        assert (gone["error"], gone["container_id"]) == ("Container not found", "matlab-user-1")
    (odd,) = await shell.answers("curl -X POST http://localhost:8080/destroy/not-a-container")
    assert odd["error"] == "Invalid container_id format"
    answers = await shell.answers(DESTROY_5)
    assert [answer["message"] for answer in answers] == [
        "Container not found",
        *(["Container destroyed successfully"] * 3),
        "Container not found",
    ]


async def _all_healthy(rig: Rig) -> bool:
    return all([await rig.healthy(n) for n in range(1, 6)])
