"""A real Prometheus reads a controller as deploy/ says, judges the alerts, and finds something for every panel."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controller.model import DiskUse
from controller.webhooks import Webhook, Webhooks
from tests.api_world import GIB, ApiWorld, api_world
from tests.metered import DEPLOY
from tests.support import eventually, free_ports, meanwhile
from tests.wish_place import Place
from tests.worlds import NOW

SERVER = shutil.which("prometheus")
BOARD = json.loads((DEPLOY / "grafana" / "matlab-container-manager.json").read_text())
ASKED = {
    f"{panel['title']}: {target['expr']}": target["expr"]
    for panel in BOARD["panels"]
    for target in panel.get("targets", ())
}
NOTES = [each["expr"] for each in BOARD["annotations"]["list"] if "expr" in each]
"""Marks beside the curves, where something happened."""


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    """With a bit of everything that a board may show."""
    store = await place.running()
    webhooks = Webhooks([Webhook("chat", "http://127.0.0.1:9/")], store, "lab", "1.0")
    async with meanwhile(webhooks.run()), api_world(real_store=store, counted=webhooks.counted) as world:
        await world.create(1)
        world.informer.measured(1, DiskUse(11 * GIB, True, NOW, 10 * GIB, NOW))
        yield world


async def test_every_panel_of_the_board_shows_something_and_every_alert_is_judged(
    world: ApiWorld, tmp_path: Path
) -> None:
    async with prometheus(tmp_path, world.port) as server:
        await eventually(lambda: _scraped(server))
        world.engine.images.clear()
        missing = set(ASKED)
        for _ in range(60):
            await world.create(2)  # fails, and only a person can help
            await world.call("POST", "/restart/matlab-user-1")
            await world.call("POST", "/create", json={"user_id": 1000})
            missing = {name for name in missing if not await _finds(server, ASKED[name])}
            if not missing:
                break
            await asyncio.sleep(1)
        assert missing == set()
        assert [await _finds(server, each) for each in NOTES] == [False]  # it is PromQL, and nobody has restarted us
        await eventually(lambda: _judged(server))


@asynccontextmanager
async def prometheus(folder: Path, watched: int) -> AsyncIterator[aiohttp.ClientSession]:
    """A server that reads the controller on port `watched` as deploy/prometheus/ has it, but each second."""
    if SERVER is None:
        pytest.skip("no Prometheus on this machine (Debian's package `prometheus` has it)")
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    assert text.count("15s") == 2
    assert "localhost:8080" in text
    settings = folder / "prometheus.yml"
    settings.write_text(text.replace("15s", "1s").replace("localhost:8080", f"127.0.0.1:{watched}"))
    shutil.copy(DEPLOY / "prometheus" / "alerts.yml", folder)
    with free_ports() as (port, _, _):
        with (folder / "prometheus.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(SERVER, f"--config.file={settings}", f"--storage.tsdb.path={folder / 'tsdb'}"),
                f"--web.listen-address=127.0.0.1:{port}",
                stdout=log,
                stderr=log,
            )
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as server:
                yield server
        finally:
            process.terminate()
            await process.wait()
            print((folder / "prometheus.log").read_text())


async def _ask(server: aiohttp.ClientSession, path: str, **asked: str) -> Any:
    async with server.get(path, params=asked) as response:
        told = await response.json()
        assert told["status"] == "success", told
        return told["data"]


async def _finds(server: aiohttp.ClientSession, expression: str) -> bool:
    """Whether there is a value that can be drawn; raises AssertionError where it is no PromQL."""
    query = expression.replace("$__rate_interval", "30s").replace("$instance", ".*")
    found = (await _ask(server, "/api/v1/query", query=query))["result"]
    return any(not math.isnan(float(each["value"][1])) for each in found)


async def _scraped(server: aiohttp.ClientSession) -> bool:
    try:
        return bool((await _ask(server, "/api/v1/query", query='up{job="matlab-container-manager"} == 1'))["result"])
    except aiohttp.ClientError:  # it is not there yet
        return False


async def _judged(server: aiohttp.ClientSession) -> bool:
    """All alerts were evaluated, and none is in error."""
    rules = [rule for group in (await _ask(server, "/api/v1/rules"))["groups"] for rule in group["rules"]]
    return len(rules) > 10 and all(rule["health"] == "ok" for rule in rules)
