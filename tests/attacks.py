"""What is tried on a live controller, and what it has to answer: the table in the docs, in both languages.

`tests/e2e/test_attacks.py` tries each; here are the words, the inputs, and a caller who sends any bytes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from controller.endpoint import Endpoint
from controller.endpoints import ENDPOINTS

PATIENCE = 60.0
"""Seconds: far more than any answer may take, for a busy machine."""


@dataclass(frozen=True)
class Attack:
    what: str
    in_chinese: str
    answer: str


GROUPS: dict[tuple[str, str], tuple[Attack, ...]] = {
    ("A web page in a browser on this machine", "本机浏览器中的网页"): (
        Attack("posts a form to `/destroy/…`", "向 `/destroy/…` 提交表单", "403"),
        Attack("posts a `text/plain` form to `/create`", "向 `/create` 提交 `text/plain` 表单", "403"),
        Attack("`fetch`, `no-cors`, `text/plain`", "`fetch`，`no-cors`，`text/plain`", "403"),
        Attack("`fetch` with JSON: the browser asks first", "发送 JSON 的 `fetch`：浏览器先询问", "403"),
        Attack("an image or a frame with the address `/destroy/…`", "地址为 `/destroy/…` 的图片或框架", "405"),
        Attack("its name turned to our address: opens `/list`", "把自己的域名指向我们：打开 `/list`", "403"),
        Attack("… and posts JSON to its own name", "……并向自己的域名提交 JSON", "403"),
    ),
    ("Names and origins", "名字与来源"): (
        Attack("a foreign `Host`, in seven spellings", "外来的 `Host`，七种写法", "403 `foreign_host`"),
        Attack("a foreign `Origin`, at every endpoint", "外来的 `Origin`，每个接口", "403 `foreign_origin`"),
        Attack(
            "a session's ports: a WebSocket from another site's page",
            "会话的端口：来自其他网站网页的 WebSocket",
            "403 `forbidden`",
        ),
        Attack("a session's ports: a foreign `Host`", "会话的端口：外来的 `Host`", "403 `forbidden`"),
    ),
    ("What is sent", "发送的内容"): (
        Attack(
            "a body that is not one JSON object (19 kinds), wherever one is taken",
            "不是一个 JSON 对象的请求体（19 种），每个接受请求体的接口",
            "400 `invalid_json`",
        ),
        Attack(
            "a body of no or another type or charset (8 kinds), there",
            "没有类型、其他类型或字符集的请求体（8 种），同上",
            "415 `unsupported_media_type`",
        ),
        Attack("a compressed body, there", "压缩的请求体，同上", "415 `unsupported_media_type`"),
        Attack("a body a byte over its limit, there", "超出上限一个字节的请求体，同上", "413 `body_too_large`"),
        Attack(
            "a field that is not known, under `/v1`",
            "未知的字段，`/v1` 之下",
            "400 `unknown_field`",
        ),
        Attack("no user's id (14 kinds) in a body", "请求体中不是用户编号的值（14 种）", "400 `invalid_user_id`"),
        Attack(
            "no user's id (11 kinds) in a path or a query",
            "路径或查询中不是用户编号的值（11 种）",
            "400 `invalid_user_id`",
        ),
        Attack(
            "no session's id (16 kinds) in a body or a query, wherever one is taken",
            "请求体或查询中不是会话编号的值（16 种），每个接受它的接口",
            "400 `invalid_session_id`",
        ),
        Attack(
            "no container's id (22 kinds: other digits, `..%2f`, `%0d%0a`, …) in a path",
            "路径中不是容器编号的值（22 种：其他数字、`..%2f`、`%0d%0a`……）",
            "400 `invalid_container_id`",
        ),
        Attack("no generation's number in a path", "路径中不是代号的值", "400 `invalid_generation`"),
        Attack(
            "an id of 9 KB or 40 KB, in every path that has one",
            "9 KB 或 40 KB 的编号，每个带编号的路径",
            "414 `uri_too_long`",
        ),
        Attack(
            "`//list`, `/list/`, `/LIST`, `/%2e%2e/list`, …",
            "`//list`、`/list/`、`/LIST`、`/%2e%2e/list`……",
            "404 `not_found`",
        ),
        Attack("another method, at every path", "其他方法，每个路径", "405 `method_not_allowed`"),
        Attack("what is not HTTP (7 kinds)", "不是 HTTP 的内容（7 种）", "400 `bad_request`"),
        Attack("a header of 20 KB", "20 KB 的头部", "431 `header_too_large`"),
    ),
    ("Slow and many", "慢与多"): (
        Attack(
            "a request that never comes, or a byte at a time", "不来的请求，或一次一个字节", "408 `request_timeout`"
        ),
        Attack("a body that never comes, or a byte at a time", "不来的请求体，或一次一个字节", "408 `request_timeout`"),
        Attack("… and others meanwhile", "……同时其他人", "200"),
        Attack("1,000 creates at once for one user", "为同一用户同时发出 1,000 次创建", "200, 201; 1 container"),
        Attack("1,000 creates at once for four users", "为四个用户同时发出 1,000 次创建", "200, 201; 4 containers"),
        Attack(
            "a connection more than `api_connections`", "超出 `api_connections` 的连接", "503 `too_many_connections`"
        ),
        Attack("calls without a pause", "不停的调用", "429 `too_many_requests`, `Retry-After`"),
    ),
    ("Tokens, where they are on", "令牌（开启时）"): (
        Attack("none, at every endpoint but `/healthz`", "没有令牌，`/healthz` 以外的每个接口", "401 `unauthorized`"),
        Attack("a wrong or malformed one (8 kinds)", "错误或残缺的令牌（8 种）", "401 `unauthorized`"),
        Attack("the right one in the address", "地址中的正确令牌", "401 `unauthorized`"),
        Attack("one that was revoked", "已吊销的令牌", "401 `unauthorized`"),
        Attack("one that may only read, at every call that changes", "只读令牌，每个改动的调用", "403 `forbidden`"),
    ),
    (
        "A wish for `/` mounted, privilege, a foreign image, ports, root, … (11 fields)",
        "期望挂载 `/`、特权、外来镜像、端口、root……（11 个字段）",
    ): (
        Attack("by `POST /create`", "通过 `POST /create`", "200, ignored and named in `warnings`"),
        Attack(
            "by `PUT` and `PATCH` of an entry, and of many",
            "通过单个或多个条目的 `PUT` 和 `PATCH`",
            "400 `unknown_field`",
        ),
        Attack("by a profile that the operator does not have", "通过运维没有的配置", "400 `unknown_profile`"),
        Attack(
            "by a whole text, `PUT /v1/desired-state`", "通过整个文本，`PUT /v1/desired-state`", "422 `wish_invalid`"
        ),
        Attack("by the file", "通过文件", "not in force; line and column told"),
        Attack("by a commit", "通过提交", "not in force; line and column told"),
        Attack("and then the containers", "此后的容器", "own folder mounted, no privilege, the profile's image"),
    ),
    ("Links in data folders", "数据目录中的链接"): (
        Attack(
            "a session plants them, to `/etc/shadow`, `/` and a neighbour's folder, and reads them",
            "会话放置指向 `/etc/shadow`、`/` 和邻居目录的链接并读取",
            "its container's own, or nothing",
        ),
        Attack("a session puts one in its folder's place", "会话用链接替换自己的目录", "refused by the kernel"),
        Attack(
            "… and restart, destroy, create, backup",
            "……然后重启、销毁、创建、备份",
            "all stay as they are, and nothing behind them is touched",
        ),
        Attack(
            "somebody on the host puts one in a folder's place: create",
            "主机上有人用链接替换目录：创建",
            "500 `data_folder_unusable`",
        ),
        Attack("… restart", "……重启", "500 `data_folder_unusable`, the session goes on"),
    ),
}
ATTACKS = {attack.what: attack.answer for attacks in GROUPS.values() for attack in attacks}

# ---------------------------------------------------------------- the pages

MADE_BY = (
    "<!-- Written by `CANARIES_WRITE=1 make test ARGS=tests/e2e/test_attacks.py`; change tests/attacks.py instead. -->"
)
ENGLISH = f"""\
# What is tried on a live controller, and what it answers

[中文](security-attacks.zh-CN.md)

{MADE_BY}

`make test` tries each of these on a running controller, with real containers where they matter, and fails where one is
answered otherwise. Whatever is refused has changed nothing. What a session tries from inside is in
[security-canaries](security-canaries.md).
"""
CHINESE = f"""\
# 对运行中的控制器的攻击及其应答

[English](security-attacks.md)

{MADE_BY}

`make test` 在运行中的控制器上逐一尝试（必要时使用真实容器），应答不符即失败。被拒绝的一律没有改变任何东西。
会话从内部的尝试见 [security-canaries](security-canaries.md)（英文）。
"""


def english() -> str:
    return ENGLISH + "".join(
        f"\n## {title}\n\n| tried | answer |\n|---|---|\n" + "".join(f"| {a.what} | {a.answer} |\n" for a in attacks)
        for (title, _), attacks in GROUPS.items()
    )


IN_CHINESE = {
    "200, 201; 1 container": "200、201；1 个容器",
    "200, 201; 4 containers": "200、201；4 个容器",
    "429 `too_many_requests`, `Retry-After`": "429 `too_many_requests`，附 `Retry-After`",
    "200, ignored and named in `warnings`": "200，忽略，并在 `warnings` 中列出",
    "not in force; line and column told": "不生效；指出行和列",
    "own folder mounted, no privilege, the profile's image": "只挂载自己的目录，没有特权，镜像为配置所定",
    "its container's own, or nothing": "只见到自己容器的文件，或什么也没有",
    "refused by the kernel": "被内核拒绝",
    "all stay as they are, and nothing behind them is touched": "链接保持原样，其指向的一切未被触动",
    "500 `data_folder_unusable`, the session goes on": "500 `data_folder_unusable`，会话继续运行",
}
"""Answers in words."""


def chinese() -> str:
    return CHINESE + "".join(
        f"\n## {title}\n\n| 尝试 | 应答 |\n|---|---|\n"
        + "".join(f"| {a.in_chinese} | {IN_CHINESE.get(a.answer, a.answer)} |\n" for a in attacks)
        for (_, title), attacks in GROUPS.items()
    )


# ---------------------------------------------------------------- inputs

NOT_JSON = (
    b"x",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b'{"user_id": 1} {"user_id": 2}',
    b'{"user_id": 1} x',
    b"[" * 100_000,
    b'{"user_id": ' + b"1" * 5000 + b"}",
    b'{"user_id": 1, "user_id": 2}',
    b'{"user_id": 1, "more": {"a": 1, "a": 1}}',
    b'{"user_id": NaN}',
    b'{"user_id": Infinity}',
    b'{"user_id": 1, "more": 1e999}',
    b'{"user_id": 1, "more": "\xff"}',
    b'\xef\xbb\xbf{"user_id": 1}',
    b'{"user_id": 1\x00}',
    '{"user_id": 1}'.encode("utf-16"),
)
"""And none at all, where one is required."""
OTHER_TYPES = (
    None,
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=latin-1",
    "application/json; charset=nonsense",
    "application/octet-stream",
    "json",
    "text/json",
)
COMPRESSIONS = ("gzip", "deflate", "br", "nonsense")
UNKNOWN_FIELDS = ("privileged", "image", "__proto__", "\ud800")
NO_USERS: tuple[object, ...] = (None, "", "5", True, 5.0, 0, -1, 101, 2**63, [], {}, [1], "1\n", "٥")
NO_USERS_IN_PATHS = ("0", "101", "05", "+5", "-1", "x", "5.0", "%D9%A5", "1_0", "matlab-user-5", "5%0a")
NO_SESSIONS: tuple[object, ...] = (
    *(None, 5, "", "x" * 129, "../x", "$(id)", "a\n", "a\nb"),
    *("a\0", "\ud800", "<script>", "a b", "é", [], {}, True),
)
NO_SESSIONS_IN_QUERIES = ("session_id=", "session_id=a&session_id=b", "session_id=%00", "session_id=%ff")
NO_CONTAINERS = (
    *("{}0", "{}101", "{}05", "{}5%0a", "{}%D9%A5", "{}%C2%B2", "{}1_0", "{}+5", "{}-5", "{}5%00", "{}", "{}5%20"),
    *("%ff", "..%2f", "..%2Flist", "5", "{}5.0", "{}99999999999999999999", "%", "%%", "%0d%0aX-Evil:1"),
)
"""With the containers' prefix; and that in capitals."""
NO_GENERATIONS = ("0", "-1", "x", "1.0", "01", "%D9%A5", "1" * 16)
NO_ENDPOINTS = (
    "//list",
    "/list/",
    "/LIST",
    "/nothing",
    "/v1",
    "/v1/users/",
    "/health/",
    "/destroy/a/b",
    "/%2e%2e/list",
)
NOT_HTTP = (
    b"nonsense\r\n\r\n",
    b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /list HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"POST /create HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
)
FOREIGN_HOSTS = (
    *("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.5", "localhost@evil.example"),
    *("[", "evil.localhost"),
)
FOREIGN_ORIGINS = ("https://evil.example", "null", "http://127.0.0.1:1")
EVIL: dict[str, object] = {
    "mounts": ["/:/host"],
    "volumes": {"/": "/host"},
    "privileged": True,
    "image": "evil.example/root:latest",
    "command": ["sh", "-c", "id"],
    "network": "host",
    "cap_add": ["ALL"],
    "devices": ["/dev/sda"],
    "user": "0:0",
    "environment": {"LD_PRELOAD": "/x.so"},
    "ports": {"22": 2222},
}
WITH_BODY = tuple(each for each in ENDPOINTS if each.body is not None and each.body.shape is not None)
OPTIONAL_FIELDS = ("create", "destroy", "restart")
"""Callers that exist must not break: what these do not know is ignored."""

# ---------------------------------------------------------------- sending


@dataclass(frozen=True)
class Said:
    status: int
    head: str
    body: dict[str, Any]

    def __str__(self) -> str:
        return (
            f"{self.status} `{self.body['code']}`" if self.status >= 400 and "code" in self.body else str(self.status)
        )


class Caller:
    """Speaks to one controller in bytes."""

    def __init__(self, port: int, prefix: str, token: str = "") -> None:
        self.port = port
        self.prefix = prefix
        self.token = token

    def path(self, each: Endpoint) -> str:
        return each.path.format(container_id=f"{self.prefix}9", user_id=9, generation=1, node="n9")

    def request(self, method: str, target: str, body: bytes | None = None, **headers: str | None) -> bytes:
        """As a program of a caller's would send it, but for what `headers` has otherwise; `None` leaves one out."""
        sent: dict[str, str | None] = {"Host": f"127.0.0.1:{self.port}"}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in sent.items() if value is not None]
        return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode("latin-1") + (body or b"")

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def send(self, raw: bytes) -> Said:
        async with self.connected() as (reader, writer):
            writer.write(raw)
            return await answered(reader)

    async def call(self, method: str, target: str, body: object = None, **headers: str | None) -> Said:
        raw = None if body is None else json.dumps(body).encode()
        return await self.send(self.request(method, target, raw, **headers))

    async def drip(self, at_once: bytes, slowly: bytes) -> Said:
        """The first bytes, then one each half second until there is an answer."""
        async with self.connected() as (reader, writer):
            writer.write(at_once)
            reading = asyncio.ensure_future(answered(reader))
            for each in slowly:
                done, _ = await asyncio.wait([reading], timeout=0.5)
                if done:
                    break
                writer.write(bytes([each]))
            return await reading

    async def alike(self, requests: Iterable[tuple[str, bytes]]) -> str:
        """What all of these are answered with, by their names where they are not."""
        found: dict[str, list[str]] = {}
        for name, raw in requests:
            said = await self.send(raw)
            assert said.status < 400 or isinstance(said.body["error"], str), name
            found.setdefault(str(said), []).append(name)
        return next(iter(found)) if len(found) == 1 else "; ".join(f"{said}: {names}" for said, names in found.items())


async def answered(reader: asyncio.StreamReader) -> Said:
    """One answer, which has to be JSON: its sender need not close for it to be whole."""
    async with asyncio.timeout(PATIENCE):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n"))}
        body = await reader.readexactly(int(fields.get("content-length", 0)))
    is_json = fields.get("content-type", "").startswith("application/json")
    return Said(int(head.split()[1]), head, json.loads(body) if is_json else {})


# ---------------------------------------------------------------- matrices: every input at every endpoint that takes it

Requests = Iterator[tuple[str, bytes]]


def not_json(to: Caller) -> Requests:
    for each in WITH_BODY:
        assert each.body is not None
        for body in (*NOT_JSON, *([b""] if each.body.required else [])):
            yield f"{each.name} {body[:20]!r}", to.request(each.method, to.path(each), body)


def other_types(to: Caller) -> Requests:
    for each in WITH_BODY:
        for kind in OTHER_TYPES:
            yield f"{each.name} {kind}", to.request(each.method, to.path(each), b'{"user_id": 1}', Content_Type=kind)


def compressed(to: Caller) -> Requests:
    for each in ENDPOINTS:
        for kind in COMPRESSIONS if each.body else ():
            yield f"{each.name} {kind}", to.request(each.method, to.path(each), b"{}", Content_Encoding=kind)


def too_large(to: Caller) -> Requests:
    for each in ENDPOINTS:
        if each.body is not None:
            body = b'{"x": "' + b"x" * (each.body.limit - 8) + b'"}'
            assert len(body) == each.body.limit + 1
            yield each.name, to.request(each.method, to.path(each), body)


def unknown_fields(to: Caller) -> Requests:
    for each in WITH_BODY:
        for field in UNKNOWN_FIELDS if each.name not in OPTIONAL_FIELDS else ():
            body = json.dumps({field: 1}).encode()
            yield f"{each.name} {field!r}", to.request(each.method, to.path(each), body)


def no_users(to: Caller) -> Requests:
    for user_id in NO_USERS:
        yield f"create {user_id!r}", to.request("POST", "/create", json.dumps({"user_id": user_id}).encode())
        for verb in ("pause", "resume"):
            body = json.dumps({"user_ids": [user_id if user_id != 101 else 1000]}).encode()
            yield f"{verb} {user_id!r}", to.request("POST", f"/v1/{verb}", body)
    yield "create without", to.request("POST", "/create", b"{}")
    for word in ("", "0", "101", "05", "x", "٥", "1\n"):
        body = json.dumps({"users": {word: {}}}).encode()
        yield f"amend_many {word!r}", to.request("PATCH", "/v1/users", body)


def no_users_in_paths(to: Caller) -> Requests:
    for user_id in NO_USERS_IN_PATHS:
        for each in ENDPOINTS:
            if "{user_id}" in each.path:
                body = b"{}" if each.body else None
                path = each.path.format(user_id=user_id)
                yield f"{each.method} {path}", to.request(each.method, path, body)
        for each in ENDPOINTS if user_id != "101" else ():
            if any(query.name == "user_id" for query in each.query):
                path = f"{each.path}?user_id={user_id.replace('+', '%2B')}"
                yield path, to.request(each.method, path)


def no_sessions(to: Caller) -> Requests:
    for each in ENDPOINTS:
        if each.name == "amend_many" or any(query.name == "session_id" for query in each.query):
            for named in NO_SESSIONS if each.name not in ("amend", "amend_many") else NO_SESSIONS[1:]:
                entry: object = {"session_id": named}
                if each.name == "create":
                    entry = {"user_id": 9, "session_id": named}
                elif each.name == "amend_many":
                    entry = {"users": {"9": entry}}
                body = json.dumps(entry).encode()
                yield f"{each.name} {named!r}", to.request(each.method, to.path(each), body)
        for query in NO_SESSIONS_IN_QUERIES if any(query.name == "session_id" for query in each.query) else ():
            body = b'{"user_id": 9}' if each.name == "create" else b"{}"
            yield f"{each.name}?{query}", to.request(each.method, f"{to.path(each)}?{query}", body)


def no_containers(to: Caller) -> Requests:
    for word in (*NO_CONTAINERS, "{}5"):
        name = word.format(to.prefix if word != "{}5" else to.prefix.upper())
        for each in ENDPOINTS:
            if "{container_id}" in each.path:
                path = each.path.format(container_id=name)
                yield f"{each.method} {path}", to.request(each.method, path)


def no_generations(to: Caller) -> Requests:
    for word in NO_GENERATIONS:
        yield word, to.request("GET", f"/v1/history/{word}")


def long_ids(to: Caller) -> Requests:
    for each in ENDPOINTS:
        for length in (9, 40) if "{" in each.path else ():
            path = each.path.partition("{")[0] + "x" * length * 1024
            yield f"{each.name} {length} KB", to.request(each.method, path, b"{}" if each.body else None)


def no_endpoints(to: Caller) -> Requests:
    return ((target, to.request("GET", target)) for target in NO_ENDPOINTS)


def other_methods(to: Caller) -> Requests:
    for path in sorted({each.path for each in ENDPOINTS}):
        taken = {each.method for each in ENDPOINTS if each.path == path}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - taken:
            target = path.format(container_id=f"{to.prefix}9", user_id=9, generation=1, node="n9")
            yield f"{method} {path}", to.request(method, target)


def foreign_hosts(to: Caller) -> Requests:
    for host in FOREIGN_HOSTS:
        for method, target in (("GET", "/list"), ("POST", "/create"), ("GET", "/healthz")):
            body = b'{"user_id": 9}' if method == "POST" else None
            yield f"{method} {host}", to.request(method, target, body, Host=host)


def foreign_origins(to: Caller) -> Requests:
    for each in ENDPOINTS:
        for origin in FOREIGN_ORIGINS:
            body = b"{}" if each.body else None
            yield f"{each.name} {origin}", to.request(each.method, to.path(each), body, Origin=origin)


def everywhere(to: Caller, *, changing: bool = False) -> Requests:
    """Every endpoint that asks for a token."""
    for each in ENDPOINTS:
        scope = each.need.scope
        if scope is not None and (scope == "write" or not changing):
            yield each.name, to.request(each.method, to.path(each), b"{}" if each.body else None)


Matrix = Callable[[Caller], Requests]
MATRICES: dict[str, Matrix] = {
    "a foreign `Host`, in seven spellings": foreign_hosts,
    "a foreign `Origin`, at every endpoint": foreign_origins,
    "a body that is not one JSON object (19 kinds), wherever one is taken": not_json,
    "a body of no or another type or charset (8 kinds), there": other_types,
    "a compressed body, there": compressed,
    "a body a byte over its limit, there": too_large,
    "a field that is not known, under `/v1`": unknown_fields,
    "no user's id (14 kinds) in a body": no_users,
    "no user's id (11 kinds) in a path or a query": no_users_in_paths,
    "no session's id (16 kinds) in a body or a query, wherever one is taken": no_sessions,
    "no container's id (22 kinds: other digits, `..%2f`, `%0d%0a`, …) in a path": no_containers,
    "no generation's number in a path": no_generations,
    "an id of 9 KB or 40 KB, in every path that has one": long_ids,
    "`//list`, `/list/`, `/LIST`, `/%2e%2e/list`, …": no_endpoints,
    "another method, at every path": other_methods,
    "what is not HTTP (7 kinds)": lambda _: ((repr(raw[:30]), raw) for raw in NOT_HTTP),
    "a header of 20 KB": lambda to: iter([("Long", to.request("GET", "/", Long="x" * 20_000))]),
}
