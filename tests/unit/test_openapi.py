"""The API's description of itself: that it is one, that it is of this API, and that a person can read it.

That each answer is as described is held for every call of every test, by `ApiWorld.call`; here each endpoint is called
once for all that it may say.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from jsonschema import ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator

from controller import openapi
from controller.endpoint import COMMON, of_any_body
from controller.endpoints import ENDPOINTS
from controller.openapi import document
from tests.api_world import SITE, ApiWorld, api_world, documented
from tests.browser import a_browser
from tests.support import eventually
from tests.wish_place import Place

JSON = {"Content-Type": "application/json"}
TEXT = "version: 1\nusers:\n  1: {}\n  2: {}\n...\n"


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    async with api_world(real_store=await place.running(TEXT), refresh_secret="hush") as world:
        yield world


# ---------------------------------------------------------------- the document


async def test_it_is_an_openapi_document(world: ApiWorld) -> None:
    status, told = await world.call("GET", "/openapi.json")
    assert (status, told["openapi"]) == (200, "3.1.0")
    OpenAPIV31SpecValidator(told).validate()


async def test_each_route_is_in_it_and_nothing_else(world: ApiWorld) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in world.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {
        (method.upper(), path) for path, methods in documented().document["paths"].items() for method in methods
    }
    assert described | {("GET", "/dashboard"), ("GET", "/dashboard/{name}")} == served


async def test_who_asks_at_the_same_time_as_others_gets_what_was_made_once(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    making: list[int] = []

    def slowly(*_: object, **__: object) -> dict[str, Any]:
        making.append(len(making))
        return documented().document

    monkeypatch.setattr(openapi, "document", slowly)
    async with asyncio.TaskGroup() as calls:
        for path in ("/openapi.json", "/docs") * 4:
            calls.create_task(world.http.get(path))
    assert making == [0]


def test_what_a_setting_says_is_in_it() -> None:
    schemas = document(SITE, 42, "1.0")["components"]["schemas"]
    assert schemas["UserId"]["maximum"] == 42
    assert schemas["ProfileName"]["enum"] == ["large", "standard"]


@pytest.mark.parametrize("most", [9, 42, 100, 345])
def test_the_names_of_containers_are_those_of_the_users(most: int) -> None:
    pattern = document(SITE, most, "1.0")["components"]["schemas"]["ContainerId"]["pattern"]
    found = [number for number in range(2000) if re.search(pattern, f"matlab-user-{number}")]
    assert found == list(range(1, most + 1))
    assert not re.search(pattern, "matlab-user-01")


def test_an_answer_that_is_not_as_described_is_noticed() -> None:
    good = {"status": "alive"}
    assert documented().check("GET", "/healthz", 200, good) == "alive"
    for bad in ({}, {"status": "dead"}, good | {"more": 1}):
        with pytest.raises(ValidationError):
            documented().check("GET", "/healthz", 200, bad)
    with pytest.raises(AssertionError, match="204, which is not documented"):
        documented().check("GET", "/healthz", 204, good)
    refusal = {"error": "No.", "code": "not_found", "request_id": "1"}
    assert documented().check("GET", "/v1/users/1", 404, refusal) == "user"
    with pytest.raises(ValidationError):
        documented().check("GET", "/v1/users/1", 404, refusal | {"code": "no_such_thing"})


ELSEWHERE = {
    *((fault.status, fault.code) for fault in COMMON),
    *((fault.status, fault.code) for fault in of_any_body(ENDPOINTS[0].body)),  # type: ignore[arg-type]
    (409, "superseded"),
    (409, "read_only"),
    (409, "policy"),
    (503, "not_persisted"),
    (503, "in_doubt"),
    (503, "wish_invalid"),
    (503, "engine_unavailable"),
}
"""Refusals that need a fault of the world, or are the same everywhere: other tests meet them."""
RARE = {("approve", 422, "wish_invalid"), ("rollback", 422, "wish_invalid")}
"""A text that was good once, and names a profile that was taken away."""


async def test_every_endpoint_says_all_that_it_is_said_to_say(world: ApiWorld) -> None:
    world.engine.add_node("n1")
    for method, path, *body in CALLS:
        await world.call(method, path, **({"json": body[0]} if body else {}))
    await _about_what_waits(world)
    await _about_the_secret(world)
    await _without_waiting(world)
    await _without_an_engine(world)
    said = {(name, status) for name, status, _ in world.seen}
    refused = {(name, status, code) for name, status, code in world.seen if status >= 400}
    for each in ENDPOINTS:
        if each.name in ("page", "dashboard", "metrics"):  # no JSON
            continue
        in_json = {answer.status for answer in each.answers if answer.shape is not None}
        assert in_json <= {status for name, status in said if name == each.name}
        wanted = {(each.name, fault.status, fault.code) for fault in each.faults if fault.code}
        assert {
            (name, status, code) for name, status, code in wanted - refused if (status, code) not in ELSEWHERE
        } <= RARE


NOBODY, NO_SUCH, UNKNOWN = "/v1/users/9", "/v1/users/101", {"mystery": 1}
WRONG_ENTRIES: tuple[dict[str, Any], ...] = (
    UNKNOWN,
    {"state": "asleep"},
    {"profile": "none"},
    {"session_id": ""},
    {"restart_at": "soon"},
    {"paused": "yes"},
)
MANY: tuple[Any, ...] = (
    {"1": {"restart_at": "now"}, "2": None},
    {"101": {}},
    [],
    *({"1": each} for each in WRONG_ENTRIES),
)
TEXTS: tuple[Any, ...] = (
    *({"text": TEXT}, {"text": "version: 2"}, {"text": 5}, {"text": TEXT, **UNKNOWN}),
    {"text": TEXT, "generation": 0},
)
WHO: tuple[Any, ...] = ({"user_ids": [1]}, {"user_ids": [9]}, {"user_ids": []}, UNKNOWN)
CALLS: tuple[tuple[Any, ...], ...] = (
    ("GET", "/"),
    ("GET", "/openapi.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/list"),
    ("GET", "/v1/users"),
    ("GET", "/v1/status"),
    ("GET", "/v1/plan"),
    ("GET", "/v1/desired-state"),
    ("GET", "/v1/desired-state/schema"),
    ("POST", "/create", {"user_id": 3, "session_id": "s-3", **UNKNOWN}),
    ("POST", "/create", {"user_id": 3}),
    ("POST", "/create", {"user_id": 0}),
    ("POST", "/create", {"user_id": 3, "session_id": ""}),
    ("GET", "/health/matlab-user-3"),
    ("GET", "/health/matlab-user-9"),
    ("GET", "/health/3"),
    ("GET", "/v1/users/3"),
    ("GET", "/v1/users/3/logs"),
    ("GET", f"{NOBODY}/logs"),
    ("GET", f"{NO_SUCH}/logs"),
    ("GET", "/v1/users/3/logs?tail=0"),
    *(
        (verb, f"/{what}/matlab-user-{end}", body)
        for verb, what in (("POST", "restart"), ("POST", "destroy"))
        for end, body in (("x", {}), ("9", {}), ("3", {"session_id": "other"}), ("3", {"session_id": 3}), ("3", {}))
    ),
    ("GET", NOBODY),
    ("GET", NO_SUCH),
    *((verb, "/v1/users/4", body) for verb in ("PUT", "PATCH") for body in ({"session_id": "s-4"}, {}, *WRONG_ENTRIES)),
    ("PUT", NO_SUCH, {}),
    ("PATCH", NO_SUCH, {}),
    ("PATCH", NOBODY, {}),
    ("PATCH", "/v1/users/4?session_id=other", {}),
    ("DELETE", NOBODY),
    ("DELETE", NO_SUCH),
    ("DELETE", "/v1/users/4", UNKNOWN),
    ("DELETE", "/v1/users/4", {"session_id": ""}),
    ("DELETE", "/v1/users/4", {"session_id": "other"}),
    ("DELETE", "/v1/users/4"),
    ("PATCH", "/v1/users", UNKNOWN),
    *(("PATCH", "/v1/users", {"users": body}) for body in (*MANY, *({"1": each} for each in WRONG_ENTRIES))),
    *((verb, path, body) for verb, path in (("PUT", "/v1/desired-state"), ("POST", "/v1/plan")) for body in TEXTS),
    ("PUT", "/v1/desired-state", {"text": TEXT, "force": "yes"}),
    *(("POST", f"/v1/{verb}", body) for verb in ("pause", "resume") for body in WHO),
    ("GET", "/v1/history?limit=3"),
    ("GET", "/v1/history?limit=x"),
    ("GET", "/v1/history/1"),
    ("GET", "/v1/history/2"),
    ("GET", "/v1/history/x"),
    ("GET", "/v1/history/999"),
    ("POST", "/v1/rollback", {"generation": 1}),
    ("POST", "/v1/rollback", {"generation": 999}),
    ("POST", "/v1/rollback", {"generation": 0}),
    ("POST", "/v1/rollback", UNKNOWN),
    *(
        ("GET", f"/v1/{which}{query}")
        for which in ("events", "audit")
        for query in ("", "?user_id=0", "?after=-1", "?limit=0")
    ),
    ("GET", "/v1/nodes"),
    *(("POST", f"/v1/nodes/{node}/{verb}") for node in ("n1", "n9") for verb in ("drain", "activate")),
    ("GET", "/v1/events?kind=gossip"),
    ("GET", "/v1/watch?after=-1"),
    ("GET", "/v1/nothing"),
    ("POST", "/list"),
)


async def _about_what_waits(world: ApiWorld) -> None:
    """The brake holds what would end all of many sessions."""
    crowd = "version: 1\nusers:\n" + "".join(f"  {user_id}: {{}}\n" for user_id in range(1, 9)) + "...\n"
    few = "version: 1\nusers:\n  1: {}\n...\n"
    _, told = await world.call("PUT", "/v1/desired-state", json={"text": few, "force": True})
    lone = told["generation"]
    await world.call("PUT", "/v1/desired-state", json={"text": crowd})
    await eventually(lambda: world.informer.view(8).container)
    await world.call("PATCH", "/v1/users", json={"users": dict.fromkeys("2345678")})
    await world.call("PATCH", "/v1/users", json={"users": {}, "force": 1})
    await world.call("PUT", "/v1/desired-state", json={"text": few})
    await world.call("GET", "/v1/status")
    for verb in ("reject", "approve"):
        await world.call("POST", f"/v1/{verb}", json={"id": "x"})
        await world.call("POST", f"/v1/{verb}", json=UNKNOWN)
        await world.call("POST", f"/v1/{verb}", json={"id": "0"})
        await world.call("POST", "/v1/rollback", json={"generation": lone})
        _, told = await world.call("GET", "/v1/status")
        await world.call("POST", f"/v1/{verb}", json={"id": told["pending"]["id"]})


async def _about_the_secret(world: ApiWorld) -> None:
    await world.call("POST", "/v1/refresh")
    await world.call("POST", "/v1/refresh", headers={"X-Refresh-Secret": "hush"})


async def _without_waiting(world: ApiWorld) -> None:
    """Nothing is done while all is paused, so that every answer is that it will be."""
    await world.call("PUT", "/v1/users/5", json={})
    await world.call("POST", "/v1/pause", json={})
    await world.create(6)
    await world.call("PUT", "/v1/users/5", json={"state": "stopped"})
    await world.call("PATCH", "/v1/users/5", json={"state": None})
    await world.call("POST", "/restart/matlab-user-5")
    await world.call("DELETE", "/v1/users/5")
    await world.call("POST", "/destroy/matlab-user-1")
    await world.call("POST", "/v1/resume", json={})


async def _without_an_engine(world: ApiWorld) -> None:
    await world.engine_leaves()
    for path in ("/list", "/v1/users", "/v1/users/1", "/health/matlab-user-1", "/v1/status", "/readyz", "/v1/plan"):
        await world.call("GET", path)


# ---------------------------------------------------------------- the page


async def test_the_page_tells_every_endpoint_and_loads_nothing(world: ApiWorld) -> None:
    origin = world.url
    asked, complaints = [], []
    async with a_browser() as browser:
        page = await browser.new_page(color_scheme="dark")
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(f"{origin}/docs")
        for each in ENDPOINTS:
            assert await page.locator(f"#{each.name} h3").inner_text() == f"{each.method}\n{each.path}"
        links = await page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))")
        targets = {link[1:] for link in links if link.startswith("#")}
        assert {link for link in links if not link.startswith("#")} == {"/openapi.json"}
        assert targets <= set(await page.eval_on_selector_all("[id]", "all => all.map(each => each.id)"))
        dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.emulate_media(color_scheme="light")
        assert dark != await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (asked, complaints) == ([f"{origin}/docs"], [])


async def test_the_calls_on_the_page_work_as_they_stand(world: ApiWorld) -> None:
    async with world.http.get("/docs") as response:
        text = await response.text()
    calls = [html.unescape(each) for each in re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL)]
    assert len(calls) == len(ENDPOINTS)
    for call, endpoint in zip(calls, ENDPOINTS, strict=True):
        seconds = 2 if any(answer.shape is None and answer.messages for answer in endpoint.answers) else 30
        command = f"{call} --silent --output /dev/null --write-out '%{{http_code}}' --max-time {seconds}"
        process = await asyncio.create_subprocess_exec("bash", "-c", command, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        gone = {404, 409} if endpoint.name not in ("create", "declare") else set()
        expected = {answer.status for answer in endpoint.answers} | gone | ({401} if endpoint.secret else set())
        assert int(said) in expected, call


async def test_the_page_shows_no_address_that_could_not_be_one(world: ApiWorld) -> None:
    for host in ("", "<script>", "a b", "a;id", "[::1", "matlab.example:8443"):
        async with world.http.get("/docs", headers={"Host": host}) as response:
            assert response.status == 403, host
    for host, shown in {"x:8443": "x:8443", "[::1]:8080": "[::1]:8080", "x:y": "localhost:8080"}.items():
        async with world.http.get("/docs", headers={"Host": host}) as response:
            assert (response.status, f"http://{shown}/list" in await response.text()) == (200, True)
