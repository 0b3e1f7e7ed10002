"""Holds real answers to the published OpenAPI document, key for key.

The document leaves answers open, so that they may grow; here they are closed, so that the document grows with them.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from jsonschema import Draft202012Validator

from controller.openapi import document
from controller.target import Site

OF_NO_ENDPOINT = {404: "not_found", 405: "method_not_allowed"}


class Documented:
    def __init__(self, site: Site) -> None:
        self.document = document(site, 100, "1.0")
        self._components = {
            "schemas": {
                name: {**schema, "additionalProperties": False} if "properties" in schema else schema
                for name, schema in self.document["components"]["schemas"].items()
            }
        }
        self._operations = [
            (method.upper(), re.compile(re.sub(r"{\w+}", "[^/]+", path)), operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        ]

    def check(self, method: str, path: str, status: int, body: object) -> str:
        """The name of the operation; empty for what is none."""
        name = self._name(method, path.partition("?")[0])
        self._validator(name, status).validate(body)
        return name

    def check_message(self, name: str, event: str, data: object) -> None:
        """One message of the stream that this operation answers."""
        self._message_validator(name, event).validate(data)

    @functools.cache  # noqa: B019 - there is one for each process
    def _message_validator(self, name: str, event: str) -> Draft202012Validator:
        [responses] = [what["responses"] for _, _, what in self._operations if what["operationId"] == name]
        messages = responses["200"]["content"]["text/event-stream"]["x-messages"]
        assert event in messages, f"{name} said {event}, which is not documented"
        schema = {**messages[event], "components": self._components}
        return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)

    def _name(self, method: str, path: str) -> str:
        found = (what for verb, pattern, what in self._operations if verb == method and pattern.fullmatch(path))
        return str(next(found, {"operationId": ""})["operationId"])

    @functools.cache  # noqa: B019 - there is one for each process
    def _validator(self, name: str, status: int) -> Draft202012Validator:
        schema = {**self._schema(name, status), "components": self._components}
        return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)

    def _schema(self, name: str, status: int) -> Any:
        if not name:
            code = OF_NO_ENDPOINT[status]
            return {"$ref": "#/components/schemas/Error", "properties": {"code": {"const": code}}}
        [responses] = [what["responses"] for _, _, what in self._operations if what["operationId"] == name]
        assert str(status) in responses, f"{name} answered {status}, which is not documented"
        response = responses[str(status)]
        if "$ref" in response:
            response = self.document["components"]["responses"][str(status)]
        return response["content"]["application/json"]["schema"]
