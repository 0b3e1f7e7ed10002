"""The one word in which the dashboard says how a user stands, from what the controller really tells of such users."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.conditions import WhoAsked
from controller.dashboard import FILES
from controller.model import (
    DesiredState,
    EngineView,
    Node,
    Phase,
    Probe,
    Progress,
    RunState,
    SessionState,
    UserView,
    Wish,
)
from controller.status import user_document
from tests.api_world import IDLE, SITE
from tests.worlds import a_container

NOW = datetime(2026, 11, 30, 10, tzinfo=UTC)
ESBUILD = FILES.parent / "node_modules" / ".bin" / "esbuild"
SETTLED = Progress(passes=1, generation=1, settled=True)
FAILED = Progress(error="Port 30007 is taken.", code="port_taken", hint="Free it.", failures=1, failing_since=NOW)

UP = UserView(
    7,
    EngineView(reachable=True, last_seen=NOW, error=""),
    a_container(started_at=NOW - timedelta(hours=1)),
    NOW,
    Probe(True, True, NOW, "", IDLE),
    NOW - timedelta(minutes=5),
    progress=SETTLED,
)
BUSY = replace(IDLE, state=SessionState.BUSY)
GONE = replace(UP, container=None, probe=None, ready_since=None)
YOUNG = a_container(started_at=NOW - timedelta(seconds=4))
SILENT = Probe(False, False, NOW, "the web service does not answer yet")
DEAD = a_container(phase=Phase.EXITED, exit_code=137)
ON_A_LOST_NODE = a_container(node=Node("n2", "10.0.0.2", "The node n2 is down, and the session may go on there."))

CASES: dict[str, tuple[str, Wish | None, UserView]] = {
    "it answers": ("ready", Wish(), UP),
    "a command runs": ("busy", Wish(), replace(UP, probe=replace(UP.probe, session=BUSY))),  # type: ignore[type-var]
    "it answers, and an update failed": ("degraded", Wish(), replace(UP, progress=FAILED)),
    "it answers after having failed": ("ready", Wish(), replace(UP, progress=replace(SETTLED, failures=1))),
    "it was started a moment ago": ("starting", Wish(), replace(UP, container=YOUNG, probe=SILENT, ready_since=None)),
    "it is being made": ("starting", Wish(), replace(GONE, progress=Progress(doing="create: no container"))),
    "it should have answered long ago": ("failed", Wish(), replace(UP, probe=SILENT, ready_since=None)),
    "its turn has not come": ("waiting", Wish(), replace(GONE, progress=Progress())),
    "the next try comes by itself": (
        "waiting",
        Wish(),
        replace(GONE, progress=replace(FAILED, next_try=NOW + timedelta(seconds=30))),
    ),
    "it is tried again after a failure": ("waiting", Wish(), replace(GONE, progress=replace(FAILED, doing="start: x"))),
    "nothing but a person will help": ("stuck", Wish(), replace(GONE, progress=replace(FAILED, permanent=True))),
    "it is dead and may not be started": ("paused", Wish(paused=True), replace(UP, container=DEAD, ready_since=None)),
    "it answers and is paused": ("ready", Wish(paused=True), UP),
    "it is to stop": ("stopping", Wish(state=RunState.STOPPED), replace(UP, progress=Progress())),
    "it is stopped as wanted": ("stopped", Wish(state=RunState.STOPPED), replace(UP, container=DEAD, ready_since=None)),
    "it is to be removed": ("stopping", None, replace(UP, progress=Progress())),
    "its node is lost": ("unknown", Wish(), replace(UP, container=ON_A_LOST_NODE)),
    "the engine is away": ("unknown", Wish(), replace(UP, engine=EngineView(error="no such socket"))),
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page makes of each case."""
    if not (shutil.which("node") and ESBUILD.exists()):
        pytest.skip("Node and the dashboard's packages are not here (`make test` fetches them where there is Node)")
    folder = tmp_path_factory.mktemp("standing")
    documents = {name: document(wish, view) for name, (_, wish, view) in CASES.items()}
    (folder / "documents.json").write_text(json.dumps(documents))
    run = (
        "import { readFileSync } from 'node:fs'; import { standing } from './standing.mjs';"
        "const all = JSON.parse(readFileSync('documents.json', 'utf8'));"
        "const judged = Object.entries(all).map(([name, user]) => [name, standing(user)]);"
        "console.log(JSON.stringify(Object.fromEntries(judged)));"
    )
    (folder / "run.mjs").write_text(run)
    source = FILES.parent / "src" / "standing.ts"
    subprocess.run(
        [ESBUILD, source, "--format=esm", f"--outfile={folder / 'standing.mjs'}"], check=True, capture_output=True
    )
    said = subprocess.run(["node", "run.mjs"], cwd=folder, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(said)
    return found


def document(wish: Wish | None, view: UserView) -> dict[str, Any]:
    state = DesiredState(generation=1, users={} if wish is None else {7: wish})
    return user_document(SITE, state, view, NOW, WhoAsked())


@pytest.mark.parametrize("case", CASES)
def test_each_user_stands_as_the_controller_tells(judged: dict[str, Any], case: str) -> None:
    assert judged[case]["state"] == CASES[case][0]


def test_a_wait_has_its_reason_and_its_end(judged: dict[str, Any]) -> None:
    waits = judged["the next try comes by itself"]
    assert "Port 30007 is taken" in waits["detail"]
    assert waits["next"] == "2026-11-30T10:00:30.000Z"
