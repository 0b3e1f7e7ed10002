"""The API described by itself: `GET /openapi.json` for programs, `GET /docs` for people.

Made from the table that the API is served from and the types of its bodies and answers, with this installation's
limits, profiles and names.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby
from typing import Any, TypeVar

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from controller import docspage, shapes
from controller.endpoint import (
    COMMON,
    READS_ONLY,
    TOO_MANY,
    WITHOUT_TOKEN,
    Answer,
    Body,
    Endpoint,
    Fault,
    Query,
    of_any_body,
)
from controller.endpoints import ENDPOINTS, GROUPS, PATH
from controller.http import Handlers, encoded_answer
from controller.refresh import PLAIN
from controller.spec import container_name
from controller.sse import MEDIA
from controller.target import Site

Json = dict[str, Any]
T = TypeVar("T")

ABOUT = """\
One container with a MATLAB (or Octave) session for each user.

A call that changes something writes the desired state first, durably, and then waits for its effect. So there are three
good answers: it is done (200, 201), or it is written and being worked on (202); a caller that hears nothing may repeat
the call. A call answered with 4xx changed nothing, except 409 `superseded`.

Every call may send its own `X-Request-ID` (1 to 128 of letters, digits, `-`, `_`, `.`, `:`, `@`); each answer has it,
or a new one. What is no endpoint is a 404 `not_found`, another method a 405 `method_not_allowed` with `Allow`.
"""
HOST = r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
MODE: JsonSchemaMode = "serialization"
SCHEMAS = "#/components/schemas/"
REQUEST_ID = {
    "description": "The caller's own, or a new one; it stands in the controller's log.",
    "required": True,
    "schema": {"type": "string"},
}
SECRET = {
    "type": "apiKey",
    "in": "header",
    "name": PLAIN[0],
    "description": "Forges may send it in their own way, or sign the body with it.",
}
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "Where the operator's settings ask for one: `matlabctl token create` makes it, to read or to write.",
}
RETRY_AFTER = {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}}
_HEADERS = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}


def handlers(site: Site, max_users: int, version: str, locked: bool) -> Handlers:
    @functools.cache
    def described() -> Json:
        return document(site, max_users, version, locked=locked)

    @functools.cache
    def encoded() -> bytes:
        return json.dumps(described()).encode()

    one_at_a_time = asyncio.Lock()  # Python 3.11 may fail where two threads read the shapes' docstrings at once

    async def made(make: Callable[[], T]) -> T:
        """The first takes a while, and others call meanwhile."""
        async with one_at_a_time:
            return await asyncio.to_thread(make)

    async def openapi(_: web.Request) -> web.Response:
        return encoded_answer(await made(encoded))

    async def page(request: web.Request) -> web.Response:
        text = docspage.page(await made(described), _origin(request))
        headers = {"Content-Security-Policy": docspage.POLICY}
        return web.Response(text=text, content_type="text/html", headers=headers)

    return {"openapi": openapi, "page": page}


def _origin(request: web.Request) -> str:
    """Where the reader reached this page; whoever says anything odd gets the usual place."""
    return f"{request.scheme}://{request.host if re.fullmatch(HOST, request.host) else 'localhost:8080'}"


def document(site: Site, max_users: int, version: str, *, locked: bool = False) -> Json:
    """The whole of it. `locked`: calls need a token here."""
    schemas = _Schemas()
    paths: dict[str, Json] = {}
    for tag, endpoints in GROUPS.items():
        for each in endpoints:
            paths.setdefault(each.path, {})[each.method.lower()] = {"tags": [tag], **_operation(each, schemas, locked)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "MATLAB Container Manager", "version": version, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in GROUPS],
        "paths": paths,
        "components": {
            "schemas": _settled(schemas.components, site, max_users),
            "responses": {str(status): _refusal(faults) for status, faults in _SHARED.items()},
            "headers": {"RequestId": REQUEST_ID},
            "securitySchemes": {"refresh": SECRET, "token": TOKEN},
        },
    }


def _settled(components: Json, site: Site, max_users: int) -> Json:
    """With what is a setting of this installation."""
    prefix, numbers = site.container_prefix.replace(".", r"\."), _numbers_to(max_users)
    return components | {
        "UserId": components["UserId"] | {"maximum": max_users},
        "ContainerId": components["ContainerId"]
        | {"pattern": f"^{prefix}{numbers}$", "examples": [container_name(site.container_prefix, 1)]},
        "UserNumber": components["UserNumber"] | {"pattern": f"^{numbers}$"},
        "ProfileName": components["ProfileName"] | {"enum": sorted(site.profiles)},
    }


def _numbers_to(most: int) -> str:
    """A pattern of the whole numbers from 1 to this one: with fewer digits, smaller ones, itself."""
    text = str(most)
    fewer = ["[1-9]" + "[0-9]" * digits for digits in range(len(text) - 1)]
    smaller = [
        f"{text[:place]}[{int(place == 0)}-{int(digit) - 1}]" + "[0-9]" * (len(text) - place - 1)
        for place, digit in enumerate(text)
        if int(digit) > int(place == 0)
    ]
    return f"({'|'.join([*fewer, *smaller, text])})"


# ---------------------------------------------------------------- one endpoint


def _operation(endpoint: Endpoint, schemas: _Schemas, locked: bool) -> Json:
    path = [
        {"name": name, "in": "path", "required": True, "schema": schemas.of(PATH[name])}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    found: Json = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        **({"description": endpoint.about} if endpoint.about else {}),
        "parameters": [*path, *(_query(each, schemas) for each in endpoint.query)],
    }
    if endpoint.body is not None:
        found["requestBody"] = _body(endpoint.body, schemas)
    if endpoint.secret:
        found["security"] = [{"refresh": []}]
    elif locked and endpoint.need.scope is not None:
        found["security"] = [{"token": []}]
    found["responses"] = {
        **{str(each.status): _answer(each, endpoint, schemas) for each in endpoint.answers},
        **{str(status): _refusals(status, group) for status, group in _by_status(endpoint.all_faults).items()},
    }
    return found


def _query(query: Query, schemas: _Schemas) -> Json:
    default = {} if query.default is None else {"default": query.default}
    return {"name": query.name, "in": "query", "description": query.about, "schema": schemas.of(query.shape) | default}


def _body(body: Body, schemas: _Schemas) -> Json:
    if body.shape is None:
        return {"required": body.required, "content": {"*/*": {}}}
    example = {"example": body.example} if body.example else {}
    return {
        "required": body.required,
        "content": {"application/json": {"schema": schemas.of(body.shape), **example}},
    }


def _answer(answer: Answer, endpoint: Endpoint, schemas: _Schemas) -> Json:
    content: Json = {} if answer.shape is None else {"application/json": {"schema": schemas.of(answer.shape)}}
    if answer.messages:
        messages = {name: schemas.of(shape) for name, shape in answer.messages.items()}
        content[MEDIA] = {"schema": {"type": "string"}, "x-messages": messages}
    for kind in answer.kinds:
        content[kind] = {"schema": {"type": "string"}}
    links = {
        name: {"operationId": name, "parameters": {parameter: where}} for name, parameter, where in endpoint.follow
    }
    return {
        "description": answer.when,
        "headers": _HEADERS,
        "content": content or {"text/html": {"schema": {"type": "string"}}},
        **({"links": links} if links else {}),
    }


def _by_status(faults: Iterable[Fault]) -> dict[int, tuple[Fault, ...]]:
    ordered = sorted(faults, key=lambda fault: fault.status)
    return {status: tuple(group) for status, group in groupby(ordered, key=lambda fault: fault.status)}


_SHARED = _by_status([*of_any_body(Body(dict)), WITHOUT_TOKEN, READS_ONLY, *COMMON, TOO_MANY])
"""What most calls with a body may meet, said once."""


def _refusals(status: int, faults: tuple[Fault, ...]) -> Json:
    return {"$ref": f"#/components/responses/{status}"} if faults == _SHARED.get(status) else _refusal(faults)


def _refusal(faults: tuple[Fault, ...]) -> Json:
    """All that one status may mean, and the words by which a program tells which it is."""
    codes = [fault.code for fault in faults]
    told = {"$ref": f"{SCHEMAS}Error"}
    known = {} if "" in codes else {"properties": {"code": {"enum": codes}}}
    lines = [f"- {f'`{fault.code}`: ' if fault.code else ''}{fault.when}" for fault in faults]
    return {
        "description": "\n".join(lines),
        "headers": _HEADERS | ({"Retry-After": RETRY_AFTER} if faults[0].status == TOO_MANY.status else {}),
        "content": {"application/json": {"schema": {**told, **known}}},
    }


# ---------------------------------------------------------------- schemas


class _Schemas:
    """Of every shape that the table names."""

    def __init__(self) -> None:
        adapters: dict[int, TypeAdapter[Any]] = {id(shape): TypeAdapter(shape) for shape in _shapes()}
        inputs = [(key, MODE, adapter) for key, adapter in adapters.items()]
        found, rest = TypeAdapter.json_schemas(inputs, ref_template=SCHEMAS + "{model}", schema_generator=_Generator)
        self._found = {key: schema for (key, _), schema in found.items()}
        self.components: Json = {
            name: {key: value for key, value in schema.items() if key != "title"}
            for name, schema in sorted(rest["$defs"].items())
        }

    def of(self, shape: object) -> Json:
        return dict(self._found[id(shape)])


def _shapes() -> Iterator[Any]:
    yield shapes.Error
    yield from PATH.values()
    for endpoint in ENDPOINTS:
        yield from (query.shape for query in endpoint.query)
        yield from (answer.shape for answer in endpoint.answers if answer.shape is not None)
        yield from chain.from_iterable(answer.messages.values() for answer in endpoint.answers)
        if endpoint.body is not None and endpoint.body.shape is not None:
            yield endpoint.body.shape


class _Generator(GenerateJsonSchema):
    """Pydantic's, for values that are told whole: what a field falls back to in the code is nobody's business."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_is_required(self, field: Any, total: bool) -> bool:
        return super().field_is_required(field, total) or field["type"] == "dataclass-field"

    def field_title_should_be_set(self, schema: object) -> bool:
        return False
