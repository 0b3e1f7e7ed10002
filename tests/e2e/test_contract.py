"""The main job, call by call, as docs/api.md promises it to callers; on real containers."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from datetime import datetime

import aiohttp
import pytest

from tests.rig import Rig
from tests.support import Lab, eventually


async def test_a_session_from_create_to_destroy(rig: Rig, lab: Lab) -> None:
    name, http_port, ws_port = lab.name(1), lab.http_base + 1, lab.ws_base + 1
    ports = {"container_id": name, "http_port": http_port, "ws_port": ws_port}

    began = datetime.now().astimezone().replace(microsecond=0)
    assert await rig.create(1, session_id="abc-123") == (
        201,
        {**ports, "status": "running", "message": "Container created successfully"},
    )
    assert lab.container(1).status == "running"
    assert await rig.create(1, session_id="abc-123") == (
        200,
        {**ports, "status": "already_running", "message": "Container is already running"},
    )

    await rig.comes_up(1)
    health = await rig.health(1)
    assert {key: health[key] for key in (*ports, "status")} == {**ports, "status": "running"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", health["started_at"])
    assert re.fullmatch(r"\d+\.\d\d%", health["cpu_usage"])
    assert re.fullmatch(r"[\d.]+MiB / 256MiB", health["memory_usage"])
    assert re.fullmatch(r"\d+\.\d\d%", health["memory_percent"])

    status, listed = await rig.call("GET", "/list")
    assert status == 200
    assert listed["total"] == 1
    (row,) = listed["containers"]
    assert row == {**ports, "user_id": 1, "status": "running", "created": row["created"]}
    assert began <= datetime.fromisoformat(row["created"]).astimezone() <= datetime.now().astimezone()

    assert await rig.restart(1) == (200, {"message": "Container restarted successfully", "container_id": name})
    assert datetime.fromisoformat((await rig.health(1))["started_at"]) > datetime.fromisoformat(health["started_at"])

    gone = {"container_id": name}
    assert await rig.destroy(1) == (200, {"message": "Container destroyed successfully", **gone})
    assert lab.containers() == []
    assert (rig.data / "user_1").is_dir()
    status, body = await rig.destroy(1)
    assert (status, body["message"], body["container_id"]) == (404, "Container not found", name)
    for verb, path in (("GET", "health"), ("POST", "restart")):
        status, body = await rig.call(verb, f"/{path}/{name}")
        assert (status, body["error"], body["container_id"]) == (404, "Container not found", name)


async def test_the_session_evaluates_over_its_websocket_and_keeps_its_state(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    await rig.comes_up(1)
    async with aiohttp.ClientSession() as client, client.ws_connect(f"http://127.0.0.1:{lab.ws_base + 1}/") as ws:
        assert "ans = 2" in await _evaluate(ws, 1, "1+1")
        await _evaluate(ws, 2, "x = 41;")
        assert "ans = 42" in await _evaluate(ws, 3, "x + 1")


async def _evaluate(ws: aiohttp.ClientWebSocketResponse, number: int, code: str) -> str:
    await ws.send_json({"jsonrpc": "2.0", "id": number, "method": "eval", "params": {"code": code}})
    printed = ""
    async with asyncio.timeout(30):
        while True:
            message = await ws.receive_json()
            if message.get("method") == "output":
                printed += message["params"]["text"]
            if message.get("id") == number:
                assert "result" in message, message
                return printed


async def test_a_stopped_or_exited_session_is_started_by_create(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    await rig.call("PUT", "/v1/users/1", {"state": "stopped"})
    await eventually(lambda: lab.container(1).status == "exited")
    health = await rig.health(1)
    assert sorted(health) == ["container_id", "started_at", "status"]
    assert health["status"] == "stopped"
    assert await rig.statuses() == {1: "exited"}
    status, body = await rig.create(1)
    assert (status, body["status"]) == (201, "running")


async def test_a_late_call_of_an_old_session_ends_nothing(rig: Rig, lab: Lab) -> None:
    await rig.create(1, session_id="new")
    for path in ("destroy", "restart"):
        status, body = await rig.call("POST", f"/{path}/{lab.name(1)}?session_id=old")
        assert (status, body["code"]) == (409, "session_conflict")
    assert lab.container(1).status == "running"
    status, _ = await rig.call("POST", f"/destroy/{lab.name(1)}", {"session_id": "new"})
    assert status == 200


async def test_a_taken_port_is_a_sentence_delays_nobody_and_heals(rig: Rig, lab: Lab) -> None:
    port = lab.http_base + 7
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        (status, body), (other, _) = await asyncio.gather(rig.create(7), rig.create(8))
        assert status == 500
        assert body["error"].startswith("Failed to create container: ")
        assert f"Port {port} is already in use on this host by " in body["error"]
        assert f"(process {os.getpid()})" in body["error"]
        assert body["details"]
        assert other == 201

        async def told() -> bool:
            return str(port) in (await rig.call("GET", "/v1/users/7"))[1]["why"]

        await eventually(told)  # at once, but while it is tried again
    await eventually(lambda: lab.container(7).status == "running")


async def test_a_foreigner_under_our_name_is_reported_and_left_alone(rig: Rig, lab: Lab) -> None:
    foreigner = lab.foreigner(lab.name(3))
    status, body = await rig.create(3)
    assert status == 500
    assert lab.name(3) in body["error"]
    assert body["code"] == "name_conflict"
    foreigner.reload()
    assert foreigner.status == "created"


async def test_a_missing_image_is_a_sentence(idle_rig: Rig, lab: Lab) -> None:
    (lab.folder / "controller.yaml").write_text("profiles: {standard: {image: 'no-such-image:1'}}\n")
    await idle_rig.start()
    status, body = await idle_rig.create(1)
    assert status == 500
    assert "no-such-image:1" in body["error"]
    assert "make image" in body["details"]


async def test_many_creates_of_one_user_make_one_container(rig: Rig, lab: Lab) -> None:
    answers = await asyncio.gather(*(rig.create(1) for _ in range(30)))
    assert {status for status, _ in answers} <= {200, 201}
    assert len(lab.containers()) == 1


async def test_the_container_is_as_hardened_as_promised(rig: Rig, lab: Lab) -> None:
    await rig.create(1, session_id="abc-123")
    seen = lab.container(1).attrs
    host, config = seen["HostConfig"], seen["Config"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ReadonlyRootfs"]
    assert host["Init"]
    assert not host["Privileged"]
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["PidsLimit"] == 256
    assert host["Memory"] == host["MemorySwap"] == 256 * 2**20
    assert host["NanoCpus"] == 1_000_000_000
    assert host["ShmSize"] == 64 * 2**20
    assert [m["Destination"] for m in seen["Mounts"] if m["Type"] == "bind"] == ["/home/matlab/shared"]
    assert {binding[0]["HostIp"] for binding in host["PortBindings"].values()} == {"127.0.0.1"}
    assert not config["User"].startswith("0")
    assert "MCM_SESSION_ID=abc-123" in config["Env"]
    assert config["Labels"]["mcm.session-id"] == "abc-123"
    folder = (rig.data / "user_1").stat()
    assert folder.st_mode & 0o777 == 0o700
    assert f"{folder.st_uid}:{folder.st_gid}" == config["User"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_answer_is_json(rig: Rig, method: str) -> None:
    for path in ("/nothing", "//list", "/list/", "/create" if method == "GET" else "/list"):
        status, body = await rig.call(method, path)
        assert status in (404, 405)
        assert body["error"]


async def test_status_tells_what_is_wrong_with_the_wish_and_where(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    rig.wish.write_text(rig.wish.read_text().replace("users:", "usrs:"))

    async def fault() -> bool:
        _, body = await rig.call("GET", "/v1/status")
        return not body["desired_state"]["valid"] and body["desired_state"]["problems"][0]["line"] > 0

    await eventually(fault)
    assert lab.container(1).status == "running"
    assert (await rig.create(1))[0] == 200
