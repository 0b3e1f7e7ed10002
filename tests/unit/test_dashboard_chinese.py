"""The controller's sentences on the Chinese page: each one that its source has is there, and is put together well."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import controller
from controller.conditions import WhoAsked
from controller.dashboard import FILES
from controller.events import EventReason
from controller.model import DesiredState
from controller.status import user_document
from tests.api_world import SITE
from tests.unit.test_dashboard_standing import CASES, ESBUILD, NOW

SOURCE = FILES.parent / "src"
CHINESE: dict[str, str] = json.loads((SOURCE / "chinese.json").read_text())
TELLING = (
    *("brake", "conditions", "datafolder", "errors", "failover", "informer", "merge", "nodes", "planner", "policy"),
    *("probes", "quota", "reconciler", "engine/runs", "engine/swarm"),
)
"""Modules whose sentences come to the page."""
NOT_SHOWN = {
    "No moment: {}",  # of an answer that is taken for none
    "No name of an interpreter.",
    "No number of restarts.",
    "The last resync came to its end {} s ago.",  # systemd's
    "user {}",  # names of tasks
    "prober {}",
    *(" and ", "non-zero exit", "deadline exceeded", "name conflicts with an existing object", "no such image"),
    *("no suitable node", "not found", "out of sequence"),  # the swarm's own words, to look for
}
QUIET = ("log.", "Histogram", "Counter")
"""Calls whose texts go elsewhere."""


def sentences(source: str) -> Iterator[str]:
    """Texts of more than one word that are no docstring, log line or protocol; `{}` for what is put in."""
    tree = ast.parse(source)
    left_out: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()):
                left_out.add(node.value)
            case ast.Call() if ast.unparse(node.func).startswith(QUIET):
                left_out.update(ast.walk(node))
            case ast.JoinedStr():
                left_out.update(each for each in node.values if isinstance(each, ast.Constant))
                formats = (each.format_spec for each in node.values if isinstance(each, ast.FormattedValue))
                left_out.update(part for spec in formats if spec is not None for part in ast.walk(spec))
    for node in ast.walk(tree):
        match node:
            case _ if node in left_out:
                continue
            case ast.JoinedStr(values=values):
                text = "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in values)
            case ast.Constant(value=str(text)):
                pass
            case _:
                continue
        if " " in text and re.search(r"[a-z]", text) and "\r\n" not in text:
            yield text


@pytest.mark.parametrize("module", TELLING)
def test_every_sentence_that_the_controller_says_is_there_in_chinese(module: str) -> None:
    source = (Path(controller.__file__).parent / f"{module}.py").read_text()
    known = {each.rstrip(".").lower() for each in CHINESE}
    missing = {each for each in sentences(source) if each.rstrip(".").lower() not in known} - NOT_SHOWN
    assert missing == set(), "say them in controller/web/src/chinese.json, or that they are not shown"


@pytest.mark.parametrize("english", CHINESE)
def test_no_value_gets_lost_on_the_way(english: str) -> None:
    places = re.findall(r"\{(\d*)\}", CHINESE[english])
    count = english.count("{}")
    assert sorted(int(each or n) for n, each in enumerate(places)) == list(range(count))


def test_every_reason_of_an_event_has_its_word_in_both_languages() -> None:
    words = (SOURCE / "reasons.ts").read_text().partition("eventWords")[2]
    assert {reason for reason in EventReason if len(re.findall(rf"\b{reason}: \"", words)) != 2} == set()


SAID = {
    "Paused for everybody by api: token ann in generation 12": "已对所有人暂停（api: token ann，第 12 代）",
    "paused for this user: nothing is done": "已对此用户暂停：不做任何事",
    "start: made, and not started yet: Port 30003 is already in use on this host by nginx (pid 7).": (
        "启动：已创建，尚未启动：本机端口 30003 已被占用（由 nginx (pid 7)）。"
    ),
    "The container runs, but the web service does not answer yet; the WebSocket service does not answer within 2 s": (
        "容器在运行，但网页服务尚未应答；WebSocket 服务在 2 秒内没有应答"
    ),
    "it would end 21 of 30 sessions (remove 10-30), and more than 3 sessions and 20 % need approval": (
        "它将结束 30 个会话中的 21 个（移除 10-30）；超过 3 个且超过 20% 就需要批准"
    ),
    "limits differ: cpus from 1 to 2, memory from 256 MiB to 512 MiB": (
        "限额不同：CPU 由 1 改为 2，内存由 256 MiB 改为 512 MiB"
    ),
    "adds 5-9; stops 2": "新增 5-9；停止 2",
    "The next try is in 95 s": "下次尝试：95 秒后",
    "The container exited with code 1; the last attempt failed (a: b), and the next try is in 5 s.": (
        "容器已退出，退出码 1；上次尝试失败（a: b），下次尝试：5 秒后。"
    ),
    "The session runs and both its services answer, on n2; nothing is left to do.": (
        "会话在运行，两项服务都有应答（位于 n2）；无事可做。"
    ),
    "stop: wanted stopped: The session did not end within 40 s on n2.": (
        "停止：应当停止：会话在 n2 上 40 秒内没有结束。"
    ),
    "node n3 could not be switched off: the command ended with 3: no route to host; sessions of users 1-3, 7 wait "
    "for it; once nothing runs there for certain, `docker node rm --force x1f` has them start on others": (
        "节点 n3 未能断电：该命令结束，退出码 3: no route to host；用户 1-3, 7 的会话在等待它；"
        "确认其上不再运行任何东西后，执行 `docker node rm --force x1f`，它们便在其他节点上启动"
    ),
    "What nobody has said before.": "What nobody has said before.",
}


@pytest.fixture(scope="module")
def in_chinese(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the page makes of each text."""
    if not (shutil.which("node") and ESBUILD.exists()):
        pytest.skip("Node and the dashboard's packages are not here (`make test` fetches them where there is Node)")
    folder = tmp_path_factory.mktemp("chinese")
    (folder / "texts.json").write_text(json.dumps([*SAID, *stands().values()]))
    (folder / "run.mjs").write_text(
        "import { readFileSync } from 'node:fs'; import { inChinese } from './chinese.mjs';"
        "const all = JSON.parse(readFileSync('texts.json', 'utf8'));"
        "console.log(JSON.stringify(Object.fromEntries(all.map((each) => [each, inChinese(each)]))));"
    )
    built: list[str | Path] = [
        ESBUILD,
        SOURCE / "chinese.ts",
        "--bundle",
        "--format=esm",
        f"--outfile={folder / 'chinese.mjs'}",
    ]
    subprocess.run(built, check=True, capture_output=True)
    told = subprocess.run(["node", "run.mjs"], cwd=folder, check=True, capture_output=True, text=True).stdout
    found: dict[str, str] = json.loads(told)
    return found


def stands() -> dict[str, str]:
    """How each user of `CASES` stands, as the controller says it."""
    found = {}
    for name, (_, wish, view) in CASES.items():
        state = DesiredState(generation=1, users={} if wish is None else {7: wish})
        document = user_document(SITE, state, view, NOW + timedelta(seconds=1), WhoAsked())
        found[name] = document["why"]
        found |= {f"{name}: {each['type']}": each["message"] for each in document["conditions"]}
    return found


@pytest.mark.parametrize("english", SAID)
def test_it_is_said_as_people_say_it(in_chinese: dict[str, str], english: str) -> None:
    assert in_chinese[english] == SAID[english]


GIVEN = re.compile(
    r"WebSocket|no such socket|matlabctl events --kind node|swarm|Port 30007 is taken|Free it|no container|x\b"
)
"""What the cases themselves say, and what is called so in Chinese as well."""


@pytest.mark.parametrize("name", stands())
def test_how_a_user_stands_is_told_in_no_other_language(in_chinese: dict[str, str], name: str) -> None:
    assert re.findall(r"[A-Za-z]{2,}", GIVEN.sub("", in_chinese[stands()[name]])) == []
