"""The API's description of itself: that it is one, that it is of this API, and that a person can read it.

That each answer is as described is held for every call of every test, by `ApiWorld.call`; here each endpoint is called
once for all that it may say.
"""

from __future__ import annotations

import asyncio
import html
import io
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator
from playwright.async_api import Route

from controller.endpoints import COMMON, ENDPOINTS, of_any_body
from controller.openapi import document
from tests.api_world import SITE, ApiWorld, api_world, documented
from tests.browser import a_browser
from tests.support import eventually
from tests.wish_place import Place

JSON = {"Content-Type": "application/json"}
TEXT = "version: 1\nusers:\n  1: {}\n  2: {}\n...\n"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ApiWorld]:
    place = Place(tmp_path)
    async with api_world(real_store=await place.running(TEXT), refresh_secret="hush") as world:
        yield world
    await place.close()


# ---------------------------------------------------------------- the document


async def test_it_is_an_openapi_document(world: ApiWorld) -> None:
    status, told = await world.call("GET", "/openapi.json")
    assert (status, told["openapi"]) == (200, "3.1.0")
    OpenAPIV31SpecValidator(told).validate()  # type: ignore[arg-type]  # a plain dict is one


def test_each_route_is_in_it_and_nothing_else() -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in _app().router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {
        (method.upper(), path)
        for path, methods in documented().document["paths"].items()
        for method in methods
    }
    assert described == served


def test_what_a_setting_says_is_in_it() -> None:
    schemas = document(SITE, 42, "1.0")["components"]["schemas"]
    assert schemas["UserId"]["maximum"] == 42
    assert schemas["ProfileName"]["enum"] == ["large", "standard"]


@pytest.mark.parametrize("most", [1, 9, 10, 42, 99, 100, 101, 345, 999])
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
    (503, "wish_invalid"),
    (503, "engine_unavailable"),
}
"""Refusals that need a fault of the world, or are the same everywhere: other tests meet them, and they are held there."""


async def test_every_endpoint_says_all_that_it_is_said_to_say(world: ApiWorld) -> None:
    await _walk(world)
    said = {(name, status) for name, status, _ in world.seen}
    refused = {(name, status, code) for name, status, code in world.seen if status >= 400}
    for each in ENDPOINTS:
        if each.name == "page":
            continue
        assert {answer.status for answer in each.answers} <= {status for name, status in said if name == each.name}
        wanted = {(each.name, fault.status, fault.code) for fault in each.faults if fault.code}
        missing = {(name, status, code) for name, status, code in wanted - refused if (status, code) not in ELSEWHERE}
        assert not missing
