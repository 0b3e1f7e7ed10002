"""Attacks on a live controller and what it answers: the table in the docs. The attacks' words and inputs: attacks.py.

Two controllers: one open on loopback with real containers, as `make run` has it, and one that asks for tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Page

from tests import attacks
from tests.attacks import ATTACKS, EVIL, MATRICES, Caller
from tests.browser import a_browser
from tests.e2e.test_git import follow
from tests.git_world import Forge
from tests.rig import ROOT, Rig
from tests.serving import on_loopback
from tests.shell import run
from tests.support import IMAGE, Lab, eventually, manifest
from tests.tables import stands

CONNECTIONS = 450
SHADOW = Path("/etc/shadow")
Found = dict[str, str]


def test_the_pages_say_what_is_tried_and_answered() -> None:
    stands(ROOT / "docs/security-attacks.md", attacks.english())
    stands(ROOT / "docs/security-attacks.zh-CN.md", attacks.chinese())


async def test_an_open_controller_on_loopback(idle_rig: Rig, lab: Lab) -> None:
    rig = idle_rig
    await rig.start(MCM_API_RATE="0", MCM_API_CONNECTIONS=str(CONNECTIONS + 50))
    await rig.create(1, session_id="mine")
    await rig.comes_up(1)
    before, to = lab.container(1).id, Caller(lab.api_port, lab.prefix)
    async with asyncio.TaskGroup() as tasks:
        slow = tasks.create_task(by_slow_senders(to))
        await asyncio.sleep(0)
        found: Found = {"… and others meanwhile": str(await to.call("GET", "/list"))}
        assert not slow.done(), "the slow ones were to be there meanwhile"
        for what, requests in MATRICES.items():
            found[what] = await to.alike(requests(to))
        found |= await by_web_pages(rig)
        found |= await on_the_sessions_ports(lab)
        found |= await by_wishes(rig, to)
    found |= slow.result()
    assert lab.container(1).id == before, "what was refused has changed something"
    assert (await rig.statuses(), (await desired(rig))["session_id"]) == ({1: "running"}, "mine")

    found |= await by_crowds(rig, lab)
    found |= await by_links_of_a_session(rig, lab)
    found |= await by_links_on_the_host(rig, lab)
    found |= await by_too_many_connections(rig, to)
    assert found.keys() == ATTACKS.keys() - OF_THE_LOCKED
    assert unexpected(found) == {}


def unexpected(found: Found) -> Found:
    return {what: answer for what, answer in found.items() if answer != ATTACKS[what]}


OF_THE_LOCKED = {
    "calls without a pause",
    "none, at every endpoint but `/healthz`",
    "a wrong or malformed one (8 kinds)",
    "the right one in the address",
    "one that was revoked",
    "one that may only read, at every call that changes",
    "by a commit",
}


async def test_a_controller_that_asks_for_tokens_and_follows_a_branch(
    idle_rig: Rig, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, forge = idle_rig, Forge(tmp_path, "version: 1\nusers: {}\n")
    follow(rig, forge, monkeypatch)
    await rig.start(wait=False, MCM_API_TOKENS="on", MCM_API_RATE="1", MCM_API_BURST="100")
    await eventually(rig.answers)
    tokens = {
        name: await a_token(rig, "create", "--name", name, "--scope", scope)
        for name, scope in (("good", "write"), ("eye", "read"), ("gone", "write"), ("flood", "read"))
    }
    await a_token(rig, "revoke", "gone")
    anybody = Caller(lab.api_port, lab.prefix)
    eye, gone, flood = (Caller(lab.api_port, lab.prefix, tokens[name]) for name in ("eye", "gone", "flood"))
    good = tokens["good"]
    wrong = ("", "Bearer", "Bearer ", f"Basic {good}", f"Bearer {good}x", f"Bearer {good} x", good, "Bearer é")
    found = {
        "none, at every endpoint but `/healthz`": await anybody.alike(attacks.everywhere(anybody)),
        "a wrong or malformed one (8 kinds)": await anybody.alike(
            (each, anybody.request("GET", "/list", Authorization=each)) for each in wrong
        ),
        "the right one in the address": await anybody.alike(
            (name, anybody.request("GET", f"/list?{name}={good}", Authorization=more))
            for name in ("token", "access_token")
            for more in (None, f"Bearer {good}")
        ),
        "one that was revoked": str(await gone.call("GET", "/list")),
        "one that may only read, at every call that changes": await eye.alike(attacks.everywhere(eye, changing=True)),
        "by a commit": await by_a_commit(rig, forge, good),
        "calls without a pause": await by_a_flood(flood),
    }
    assert str(await anybody.call("GET", "/healthz")) == "200"
    assert str(await eye.call("GET", "/list")) == "200", "a flood is one client's"
    assert found.keys() == OF_THE_LOCKED
    assert unexpected(found) == {}
    assert lab.containers() == []


async def a_token(rig: Rig, *words: str) -> str:
    done = await asyncio.to_thread(run, rig.lab.folder, "token", *words, **rig.environment())
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def by_a_flood(to: Caller) -> str:
    """More than may come at once; a bucket fills by one a second meanwhile."""
    for _ in range(1000):
        said = await to.call("GET", "/list")
        if said.status != 200:
            again = re.search("^Retry-After: [0-9]+\r$", said.head, re.MULTILINE)
            return f"{said}, `Retry-After`" if again else str(said)
    return "all were answered"


# ---------------------------------------------------------------- a web page


@contextlib.asynccontextmanager
async def elsewhere() -> AsyncIterator[str]:
    """The address of another site's page."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>nice</title><body>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    async with on_loopback(web.AppRunner(app, access_log=None)) as port:
        yield f"http://evil.example:{port}/"


FORM = """([url, enctype]) => {
    const form = document.createElement('form');
    Object.assign(form, {method: 'post', action: url, enctype});
    const field = document.createElement('input');
    Object.assign(field, {name: '{"user_id": 9, "x": "', value: '"}'});
    form.append(field); document.body.append(form); form.submit();
}"""
FETCH = "([url, options]) => fetch(url, options).then(answer => String(answer.status), error => error.name)"
LOAD = """url => {
    const image = new Image(), frame = document.createElement('iframe');
    image.src = frame.src = url; document.body.append(image, frame);
}"""


async def by_web_pages(rig: Rig) -> Found:
    api, destroy = rig.url, f"{rig.url}/destroy/{rig.lab.name(1)}"
    port = rig.lab.api_port
    async with elsewhere() as site, a_browser("--host-resolver-rules=MAP *.example 127.0.0.1") as browser:

        async def answers(method: str, url: str, script: str, *arguments: object) -> str:
            """What a request is answered with that a page elsewhere makes the browser send."""
            page = await browser.new_page()
            await page.goto(site)
            asked = lambda response: (response.request.method, response.url) == (method, url)  # noqa: E731
            async with page.expect_response(asked, timeout=30_000) as there:
                await page.evaluate(script, *arguments)
            return str((await there.value).status)

        text, sent = {"Content-Type": "text/plain"}, {"method": "POST", "body": '{"user_id": 9}'}
        blind = {**sent, "mode": "no-cors", "headers": text}
        urlencoded = "application/x-www-form-urlencoded"
        found = {
            "posts a form to `/destroy/…`": await answers("POST", destroy, FORM, [destroy, urlencoded]),
            "posts a `text/plain` form to `/create`": await answers(
                "POST", f"{api}/create", FORM, [f"{api}/create", "text/plain"]
            ),
            "`fetch`, `no-cors`, `text/plain`": await answers("POST", f"{api}/create", FETCH, [f"{api}/create", blind]),
            "an image or a frame with the address `/destroy/…`": await answers("GET", destroy, LOAD, destroy),
            "`fetch` with JSON: the browser asks first": await asks_first(rig, await browser.new_page(), site, sent),
        }
        page = await browser.new_page()
        rebound = f"http://rebound.example:{port}"
        opened = await page.goto(f"{rebound}/list")
        assert opened is not None
        found["its name turned to our address: opens `/list`"] = str(opened.status)
        json_sent = {**sent, "headers": {"Content-Type": "application/json"}}
        found["… and posts JSON to its own name"] = await page.evaluate(FETCH, [f"{rebound}/create", json_sent])
    return found


async def asks_first(rig: Rig, page: Page, site: str, sent: dict[str, Any]) -> str:
    """The browser gives up without sending it; what it was told, a caller that asks the same way sees."""
    await page.goto(site)
    given_up = await page.evaluate(
        FETCH, [f"{rig.url}/create", {**sent, "headers": {"Content-Type": "application/json"}}]
    )
    told = await Caller(rig.lab.api_port, rig.lab.prefix).call(
        "OPTIONS",
        "/create",
        Origin=site.rstrip("/"),
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
    )
    assert "access-control" not in told.head.lower()
    return str(told.status) if given_up == "TypeError" else f"{told.status}, and the page is told {given_up}"


async def on_the_sessions_ports(lab: Lab) -> Found:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    page, socket = Caller(lab.http_base + 1, ""), Caller(lab.ws_base + 1, "")
    origin = "https://evil.example"
    by_page = {
        str(await to.call("GET", target, Origin=origin, **upgrade)) for to, target in ((socket, "/"), (page, "/ws"))
    }
    by_name = {str(await to.call("GET", "/", Host="rebound.example")) for to in (page, socket)}
    assert (await socket.call("GET", "/", **upgrade)).status == 101, "this is how it is opened"
    return {
        "a session's ports: a WebSocket from another site's page": " or ".join(sorted(by_page)),
        "a session's ports: a foreign `Host`": " or ".join(sorted(by_name)),
    }


# ---------------------------------------------------------------- slow, and many


async def by_slow_senders(to: Caller) -> Found:
    head, body = (
        to.request("GET", "/list"),
        to.request("POST", "/create", b'{"user_id": 9, "x": "' + b"x" * 200 + b'"}'),
    )
    at = body.index(b"\r\n\r\n") + 5
    no_head, slow_head, no_body, slow_body = await asyncio.gather(
        to.drip(b"", b""), to.drip(b"", head), to.drip(body[:at], b""), to.drip(body[:at], body[at:])
    )
    return {
        "a request that never comes, or a byte at a time": " or ".join({str(no_head), str(slow_head)}),
        "a body that never comes, or a byte at a time": " or ".join({str(no_body), str(slow_body)}),
    }


async def by_crowds(rig: Rig, lab: Lab) -> Found:
    await rig.destroy(1)
    found = {}
    for words, users in (("for one user", (1,)), ("for four users", (1, 2, 3, 4))):
        connections = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(connector=connections, timeout=aiohttp.ClientTimeout(120)) as http:

            async def create(user_id: int, http: aiohttp.ClientSession = http) -> int:
                async with http.post(f"{rig.url}/create", json={"user_id": user_id}) as answer:
                    await answer.read()
                    return answer.status

            statuses = await asyncio.gather(*(create(users[each % len(users)]) for each in range(1000)))
        names = Counter(str(each.name) for each in lab.containers())
        assert names == Counter(lab.name(user_id) for user_id in users)
        said = ", ".join(map(str, sorted(set(statuses))))
        found[f"1,000 creates at once {words}"] = f"{said}; {len(names)} container{'s' if len(names) > 1 else ''}"
    return found


async def by_too_many_connections(rig: Rig, to: Caller) -> Found:
    async with contextlib.AsyncExitStack() as held:
        for _ in range(CONNECTIONS + 50):
            await held.enter_async_context(to.connected())
        said = str(await to.call("GET", "/list"))
    await eventually(rig.answers)
    return {"a connection more than `api_connections`": said}


# ---------------------------------------------------------------- wishes

ALL_EVIL = json.dumps(EVIL)


async def desired(rig: Rig) -> dict[str, Any]:
    found: dict[str, Any] = (await rig.call("GET", "/v1/users/1"))[1]["desired"]
    return found


async def by_wishes(rig: Rig, to: Caller) -> Found:
    _, told = await rig.call("POST", "/create", {"user_id": 1, **EVIL})
    named = [each.removeprefix("Unknown field ignored: ") for each in told.get("warnings", ())]
    status, _ = await rig.call("POST", "/create", {"user_id": 1, **EVIL})
    entries = [{field: value} for field, value in EVIL.items()]
    texts = [f"version: 1\nusers:\n  1: {{{field}: {json.dumps(value)}}}\n...\n" for field, value in EVIL.items()]
    calls = [("PUT", "/v1/users/1"), ("PATCH", "/v1/users/1"), ("PATCH", "/v1/users")]
    profile, image = {"profile": "root"}, {"profile": "evil.example/root:latest"}
    found = {
        "by `POST /create`": f"{status}, ignored and named in `warnings`" if named == sorted(EVIL) else str(named),
        "by `PUT` and `PATCH` of an entry, and of many": await to.alike(
            (f"{method} {path} {entry}", to.request(method, path, _entry(path, entry)))
            for method, path in calls
            for entry in entries
        ),
        "by a profile that the operator does not have": await to.alike(
            (f"{method} {path} {entry}", to.request(method, path, _entry(path, entry)))
            for method, path in calls
            for entry in (profile, image)
        ),
        "by a whole text, `PUT /v1/desired-state`": await to.alike(
            (text, to.request("PUT", "/v1/desired-state", json.dumps({"text": text, "force": True}).encode()))
            for text in texts
        ),
        "by the file": await by_the_file(rig),
    }
    return found | {"and then the containers": as_it_is_held(rig.lab)}


def _entry(path: str, entry: Mapping[str, object]) -> bytes:
    return json.dumps(entry if path.endswith("/1") else {"users": {"1": entry}}).encode()


async def by_the_file(rig: Rig) -> str:
    good, generation = rig.wish.read_text(), (await rig.call("GET", "/v1/status"))[1]["generation"]
    evil = rig.wish.with_name("evil~")  # at once, for a file that is still written is told of as well
    evil.write_text(f"version: 1\nusers:\n  1: {ALL_EVIL}\n...\n")
    evil.replace(rig.wish)
    said: str = await eventually(lambda: refused(rig, generation))
    rig.wish.write_text(good)
    await eventually(lambda: valid(rig))
    return said


async def refused(rig: Rig, generation: int, **headers: str) -> str:
    """How the text that lies there is told of, once it was read."""
    _, told = await rig.call("GET", "/v1/status", **headers)
    wish = told["desired_state"]
    if wish["valid"]:
        return ""
    assert told["generation"] == generation
    placed = [each for each in wish["problems"] if each["line"] and each["column"]]
    return "not in force; line and column told" if len(placed) == len(EVIL) else str(wish["problems"])


async def valid(rig: Rig) -> bool:
    return bool((await rig.call("GET", "/v1/status"))[1]["desired_state"]["valid"])


async def by_a_commit(rig: Rig, forge: Forge, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    await eventually(lambda: is_ready(rig, headers))
    generation = (await rig.call("GET", "/v1/status", **headers))[1]["generation"]
    forge.ann.publish("users: {}", f"users: {{1: {ALL_EVIL}}}")
    said: str = await eventually(lambda: refused(rig, generation, **headers))
    return said


async def is_ready(rig: Rig, headers: dict[str, str]) -> bool:
    return (await rig.call("GET", "/readyz", **headers))[0] == 200


def as_it_is_held(lab: Lab) -> str:
    host, config = lab.container(1).attrs["HostConfig"], lab.container(1).attrs["Config"]
    mounted = [(each["Source"], each["Destination"]) for each in lab.container(1).attrs["Mounts"]]
    assert mounted == [(str(lab.folder / "data" / "user_1"), "/home/matlab/shared")]
    assert (host["Privileged"], host["CapAdd"], host["Devices"] or []) == (False, None, [])
    assert host["NetworkMode"] != "host"
    assert config["Image"] == IMAGE
    assert config["User"].split(":")[0] not in ("", "0", "root")
    assert not any(each.startswith("LD_PRELOAD") for each in config["Env"])
    return "own folder mounted, no privilege, the profile's image"


# ---------------------------------------------------------------- links

PLANTED = {"shadow": "/etc/shadow", "root": "/", "neighbour": "../user_2", "results/up": "../../user_2/results"}
PLANT = "mkdir results; " + " && ".join(f"ln -s {target} {name}" for name, target in PLANTED.items())
READ = "cat shadow; ls neighbour/ results/up/; ls root/home"
REPLACE = 'cd / && python3 -c \'import os; os.rename("/home/matlab/shared", "/home/matlab/other")\''


async def by_links_of_a_session(rig: Rig, lab: Lab) -> Found:
    """What is behind a link is looked at from outside: the host's own file, and the neighbour's folder."""
    (rig.data / "user_2" / "secret").write_text("of user 2")
    await asyncio.gather(rig.comes_up(1), rig.comes_up(2))

    def does(command: str) -> tuple[int, str]:
        inside = ("docker", "exec", "--workdir", "/home/matlab/shared", lab.name(1), "sh", "-c", command)
        done = subprocess.run(inside, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    ended, said = does(PLANT)
    assert ended == 0, said
    _, read = does(READ)
    seen = ("matlab" in read.split("\n"), "shadow: Permission denied" in read, read.count("No such file or directory"))
    ended, said = does(REPLACE)
    found = {
        "a session plants them, to `/etc/shadow`, `/` and a neighbour's folder, and reads them": (
            "its container's own, or nothing" if seen == (True, True, 2) else read
        ),
        "a session puts one in its folder's place": "refused by the kernel" if ended else said,
    }
    before = (manifest(rig.data), of_the_host())
    await rig.restart(1)
    await rig.destroy(1)
    await rig.create(1)
    await rig.comes_up(1)
    done = await asyncio.to_thread(run, lab.folder, "backup", "kept.tar.gz", **rig.environment())
    assert done.returncode == 0, done.stderr
    with tarfile.open(lab.folder / "kept.tar.gz") as archive:
        assert not any("user_" in name or "shadow" in name for name in archive.getnames())
    same = (manifest(rig.data), of_the_host()) == before
    found["… and restart, destroy, create, backup"] = (
        "all stay as they are, and nothing behind them is touched" if same else f"{manifest(rig.data)}"
    )
    return found


def of_the_host() -> tuple[int, ...]:
    kept = SHADOW.stat()
    return kept.st_ino, kept.st_mode, kept.st_uid, kept.st_gid, kept.st_mtime_ns


async def by_links_on_the_host(rig: Rig, lab: Lab) -> Found:
    await rig.destroy(3)
    before = manifest(rig.data / "user_2")
    ran = lab.container(4).attrs["State"]["StartedAt"]
    for user_id in (3, 4):
        folder = rig.data / f"user_{user_id}"
        folder.rename(rig.data / f"away_{user_id}")
        folder.symlink_to(rig.data / "user_2")
    made, told = await rig.create(3)
    assert rig.lab.name(3) not in {each.name for each in lab.containers()}
    again, why = await rig.restart(4)
    goes_on = lab.container(4).attrs["State"]
    assert manifest(rig.data / "user_2") == before
    still = "the session goes on" if (goes_on["Running"], goes_on["StartedAt"]) == (True, ran) else "the session ended"
    return {
        "somebody on the host puts one in a folder's place: create": f"{made} `{told.get('code')}`",
        "… restart": f"{again} `{why.get('code')}`, {still}",
    }
