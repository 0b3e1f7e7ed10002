"""The OpenAPI document as a page to read: every endpoint with what it takes, what it answers and a call to try.

Pure: the document in, HTML out. It understands what `openapi.py` writes, not all that OpenAPI has. The page is one
file without scripts, so that it reads the same without a network.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

Json = Mapping[str, Any]

STREAM = "text/event-stream"
STYLE = """
:root {
  color-scheme: light dark;
  --ground: #fff; --bar: #f5f6f8; --text: #1b2230; --soft: #5b6575; --line: #d8dde4; --accent: #0b63be;
  --get: #15713a; --post: #0b63be; --put: #86600a; --patch: #86600a; --delete: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16191f; --bar: #1c2027; --text: #dce2eb; --soft: #9aa4b3; --line: #2b313b; --accent: #64aef7;
    --get: #4ec27a; --post: #64aef7; --put: #e0b862; --patch: #e0b862; --delete: #ff8378;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.55 system-ui, "Noto Sans", sans-serif; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
code, pre, .method { font-family: ui-monospace, "DejaVu Sans Mono", "Liberation Mono", monospace; font-size: .87em; }
pre { margin: .6rem 0; padding: .7rem .9rem; background: var(--bar); border: 1px solid var(--line); border-radius: 6px;
  overflow-x: auto; }
nav { background: var(--bar); border-bottom: 1px solid var(--line); padding: 1.2rem; font-size: 13.5px; }
nav h2 { margin: 1rem 0 .2rem; font-size: 12px; color: var(--soft); }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li { padding: .1rem 0; }
nav li a { display: flex; gap: .5rem; color: inherit; }
nav code { overflow-wrap: anywhere; }
main { padding: 1.5rem 1.2rem 5rem; max-width: 60rem; min-width: 0; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.25rem; margin: 3rem 0 0; }
h3 { font-size: 1.05rem; margin: 0; display: flex; flex-wrap: wrap; gap: .2rem .7rem; align-items: baseline; }
h3 code { font-size: 1rem; overflow-wrap: anywhere; }
h4 { font-size: 13px; color: var(--soft); margin: 1rem 0 .1rem; font-weight: 600; }
table.fields th { min-width: 13rem; }
article { margin-top: 1.2rem; padding-top: 1.2rem; border-top: 1px solid var(--line); }
p { margin: .4rem 0; }
.soft { color: var(--soft); }
.method { font-weight: 700; font-size: 12px; flex: none; min-width: 3.4rem; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); }
.patch { color: var(--patch); } .delete { color: var(--delete); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 400; white-space: nowrap; width: 1%; min-width: 4.5rem; }
td:last-child { padding-right: 0; }
td.type { width: 34%; color: var(--soft); }
td.type code { color: var(--text); }
summary { cursor: pointer; color: var(--soft); font-size: 13px; margin-top: .5rem; }
@media (max-width: 61.99rem) {
  nav { columns: 15rem; }
  nav h2 { break-after: avoid; }
  nav h2:first-child { margin-top: 0; }
}
@media (max-width: 40rem) {
  nav { columns: 10rem; column-gap: 1rem; font-size: 12px; }
  nav .method { min-width: 2.9rem; font-size: 10px; }
  .fields :is(tr, th, td) { display: block; width: auto; min-width: 0; padding: 0; border: 0; }
  .fields tr { padding: .4rem 0; border-bottom: 1px solid var(--line); }
}
@media (min-width: 62rem) {
  body { display: grid; grid-template-columns: 20rem 1fr; }
  nav { border: 0; border-right: 1px solid var(--line); height: 100vh; position: sticky; top: 0; overflow-y: auto; }
  main { padding: 2rem 3rem 6rem; }
}
"""
POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(document: Json, origin: str) -> str:
    """`origin` is where the examples call: `http://localhost:8080`."""
    info, components = document["info"], document["components"]
    tags = [tag["name"] for tag in document["tags"]]
    common = {line for response in components["responses"].values() for line in _lines(response["description"])}
    operations = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    reader = _Reader(components["schemas"], components["securitySchemes"], common, origin)
    of_tag = {tag: [each for each in operations if each[2]["tags"] == [tag]] for tag in tags}
    return f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])}: the API</title>
<style>{STYLE}</style>
<nav aria-label="Endpoints">
{_join(f"<h2>{escape(tag)}</h2><ul>{_join(map(_entry, of_tag[tag]))}</ul>" for tag in tags)}
<h2>More</h2><ul><li><a href="#any">What any call may meet</a></li><li><a href="#shapes">Shapes</a></li>
<li><a href="/openapi.json">openapi.json</a></li></ul>
</nav>
<main>
<h1>{escape(info["title"])}</h1>
<p class="soft">The API of version {escape(info["version"])}. For programs: <a href="/openapi.json">openapi.json</a></p>
{_join(f"<p>{_words(text)}</p>" for text in info["description"].strip().split(chr(10) * 2))}
{_join(f"<h2>{escape(tag)}</h2>{_join(map(reader.article, of_tag[tag]))}" for tag in tags)}
<h2 id="any">What any call may meet</h2>
<p>What speaks of a body holds for the calls that take one.</p>
{_join(reader.faults(components["responses"].items()))}
<h2 id="shapes">Shapes</h2>
{_join(reader.shape(name) for name in reader.shown)}
</main>
</html>
"""


Operation = tuple[str, str, Json]


class _Reader:
    def __init__(self, schemas: Json, secrets: Json, common: set[str], origin: str) -> None:
        self._schemas = schemas
        self._secrets = secrets
        self._common = common
        self._origin = origin
        self.shown = [name for name, schema in schemas.items() if "properties" in schema or "anyOf" in schema]
        """Shapes with a place of their own; a plain text or number is told where it stands."""

    # ------------------------------------------------------------ one endpoint

    def article(self, each: Operation) -> str:
        method, path, operation = each
        answers = [(status, one) for status, one in operation["responses"].items() if status < "400"]
        refusals = [(status, one) for status, one in operation["responses"].items() if status >= "400"]
        return _join(
            (
                f'<article id="{operation["operationId"]}"><h3>{_method(method)}<code>{escape(path)}</code></h3>',
                f"<p>{_words(operation['summary'])}. {_words(operation.get('description', ''))}</p>",
                f"<pre>{escape(self._curl(method, path, operation))}</pre>",
                *self._parameters(operation["parameters"]),
                *self._body(operation.get("requestBody")),
                *self._answers(answers),
                *self.faults(refusals, "Refusals"),
                "</article>",
            )
        )

    def _curl(self, method: str, path: str, operation: Json) -> str:
        for each in operation["parameters"]:
            if each["in"] == "path":
                path = path.replace(f"{{{each['name']}}}", str(self._resolved(each["schema"])["examples"][0]))
        lines = [["curl", *_manner(method, operation), self._origin + path]]
        for security in operation.get("security", []):
            lines += [["-H", self._proof(name)] for name in security]
        example = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        if example:
            lines += [["-H", "Content-Type: application/json"], ["-d", json.dumps(example)]]
        return " \\\n  ".join(map(shlex.join, lines))

    def _proof(self, name: str) -> str:
        kind = self._secrets[name]
        return f"{kind['name']}: ..." if "name" in kind else "Authorization: Bearer ..."

    def _parameters(self, parameters: list[Json]) -> Iterator[str]:
        if parameters:
            rows = (
                self._row(each["name"], each["schema"], each.get("description", ""), optional=not each.get("required"))
                for each in parameters
            )
            yield f"<h4>Parameters</h4>{_table(rows, 'fields')}"

    def _body(self, body: Json | None) -> Iterator[str]:
        if body is None:
            return
        yield f"<h4>Body{'' if body['required'] else ', which may be left out'}</h4>"
        for media, content in body["content"].items():
            if "schema" in content:
                yield self._fields(self._resolved(content["schema"]))
            else:
                yield f"<p>Anything (<code>{media}</code>).</p>"

    def _answers(self, answers: list[tuple[str, Json]]) -> Iterator[str]:
        shapes = [next(iter(one["content"].values()))["schema"] for _, one in answers]
        rows = [
            f"<tr><th><code>{status}</code></th><td>{_words(one['description'])}</td>"
            f'<td class="type">{self._type(shape)}</td></tr>'
            for (status, one), shape in zip(answers, shapes, strict=True)
        ]
        yield f"<h4>Answers</h4>{_table(rows)}"
        for shape in {json.dumps(shape): shape for shape in shapes}.values():
            found = self._resolved(shape)
            if "properties" in found:
                yield f"<details><summary>Fields of {self._name(shape)}</summary>{self._fields(found)}</details>"
        for _, one in answers:
            if stream := one["content"].get(STREAM):
                messages = [self._row(name, shape, "") for name, shape in stream["x-messages"].items()]
                yield f"<h4>Messages of the stream</h4>{_table(messages, 'fields')}"

    def faults(self, refusals: Iterable[tuple[str, Json]], title: str = "") -> Iterator[str]:
        """With a title, without those that any call may meet."""
        rows = [
            f"<tr><th><code>{status}</code></th><td>{_words(line)}</td></tr>"
            for status, one in refusals
            for line in _lines(one.get("description", ""))
            if not title or line not in self._common
        ]
        if rows:
            yield f"{f'<h4>{title}</h4>' if title else ''}{_table(rows)}"

    # ------------------------------------------------------------ schemas

    def shape(self, name: str) -> str:
        schema = self._schemas[name]
        more = self._fields(schema) if "properties" in schema else ""
        said = schema.get("description", "")
        type_of = "" if more else f'<p class="soft">{self._type(schema)}</p>'
        return f'<article id="shape-{name}"><h3>{name}</h3><p>{_words(said)}</p>{type_of}{more}</article>'

    def _fields(self, schema: Json) -> str:
        required = schema.get("required", [])
        rows = [
            self._row(name, each, each.get("description", ""), optional=name not in required)
            for name, each in schema["properties"].items()
        ]
        return _table(rows, "fields")

    def _row(self, name: str, schema: Json, about: str, *, optional: bool = False) -> str:
        """`about` says what the shape itself does not."""
        told = about or self._resolved(schema).get("description", "")
        default = f" Default: <code>{schema['default']}</code>." if "default" in schema else ""
        mark = ' <span class="soft">optional</span>' if optional else ""
        return (
            f"<tr><th><code>{escape(name)}</code>{mark}</th>"
            f'<td class="type">{self._type(schema)}</td><td>{_words(told)}{default}</td></tr>'
        )

    def _type(self, schema: Json) -> str:
        match schema:
            case {"$ref": _} if (name := self._name(schema)) in self.shown:
                return f'<a href="#shape-{name}">{name}</a>'
            case {"$ref": _}:
                return self._type(self._resolved(schema))
            case {"anyOf": kinds}:
                return " or ".join(self._type(kind) for kind in kinds)
            case {"const": value}:
                return f"<code>{escape(json.dumps(value))}</code>"
            case {"enum": values}:
                return " or ".join(f"<code>{escape(str(value))}</code>" for value in values)
            case {"type": "array", "items": items}:
                return f"list of {self._type(items)}"
            case {"type": "object", "additionalProperties": dict(values)}:
                return f"object of {self._type(values)}"
            case {"type": "string", "format": "date-time"}:
                return "moment"
            case {"type": "string", "pattern": pattern}:
                return f"string <code>{escape(pattern)}</code>"
            case {"type": kind}:
                return f"{kind}{_bounds(schema)}"
            case _:
                return "anything"

    def _name(self, schema: Json) -> str:
        return str(schema["$ref"].rsplit("/", 1)[1])

    def _resolved(self, schema: Json) -> Json:
        found: Json = self._schemas[self._name(schema)] if "$ref" in schema else schema
        return found


def _manner(method: str, operation: Json) -> list[str]:
    """How `curl` is to call: what only goes on is shown as it comes."""
    streams = list(operation["responses"].get("200", {}).get("content", {})) == [STREAM]
    return ["--no-buffer"] if streams else [] if method == "get" else ["-X", method.upper()]


def _entry(each: Operation) -> str:
    method, path, operation = each
    return f'<li><a href="#{operation["operationId"]}">{_method(method)}<code>{escape(path)}</code></a></li>'


def _method(method: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span>'


def _bounds(schema: Json) -> str:
    low, high = schema.get("minimum"), schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        return ""
    return f" from {low}" if high is None or high >= 10**15 else f", {low} to {high}"


def _lines(description: str) -> list[str]:
    return [line.removeprefix("- ") for line in description.split("\n") if line]


def _words(text: str) -> str:
    """What stands between back quotes is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _table(rows: Iterable[str], kind: str = "told") -> str:
    return f'<div class="wide"><table class="{kind}">{_join(rows)}</table></div>'


def _join(parts: Iterable[str]) -> str:
    return "\n".join(parts)
