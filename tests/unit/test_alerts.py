"""The alerts, the board and the page tell of what the controller does; alerts_test.yml in deploy/ tries the rules."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.model import DiskUse
from controller.webhooks import Webhook, Webhooks
from tests.api_world import GIB, ApiWorld, api_world
from tests.metered import DEPLOY, asked_for, expressions, read, told
from tests.wish_place import Place
from tests.worlds import NOW

RULES: list[Mapping[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
OF_PROMETHEUS = {"job", "instance", "le"}


@pytest.fixture
async def world(place: Place) -> AsyncIterator[ApiWorld]:
    """With all that may count anything, and all sorts of trouble."""
    store = await place.running()
    webhooks = Webhooks([Webhook("chat", "http://127.0.0.1:9/")], store, "lab", "1.0")
    async with api_world(real_store=store, counted=webhooks.counted) as world:
        await world.create(1)
        world.informer.measured(1, DiskUse(11 * GIB, True, NOW, 10 * GIB, NOW))
        world.engine.images.clear()
        await world.create(2)
        yield world


async def test_every_metric_that_an_alert_or_the_board_names_is_told(world: ApiWorld) -> None:
    there = told(await read(world))
    wanted = {name for each in expressions() for name in asked_for(each)}
    assert len(wanted) > 20
    assert wanted - there == set()


async def test_every_label_that_they_name_is_there(world: ApiWorld) -> None:
    seen = await read(world)
    labels = {label for family in seen.families.values() for sample in family.samples for label in sample.labels}
    for each in expressions():
        named = re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", each)
        named += [name for by in re.findall(r"by \(([^)]*)\)", each) for name in by.split(", ")]
        assert set(named) - labels <= OF_PROMETHEUS, each


async def test_every_figure_is_on_its_page(world: ApiWorld) -> None:
    names = {name for name in (await read(world)).families if name.startswith("mcm_") and not name.endswith("_created")}
    assert len(names) > 25
    for page in ("metrics.md", "metrics.zh-CN.md"):
        text = (DEPLOY.parent / "docs" / page).read_text()
        assert {name for name in names if f"`{name}" not in text} == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_urgent_it_is_and_what_to_do(rule: Mapping[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert "$labels.instance" in rule["annotations"]["summary"], "of which controller"
    assert "`" in rule["annotations"]["description"], "what to type"


def test_every_rule_is_tried() -> None:
    tried = (DEPLOY / "prometheus" / "alerts_test.yml").read_text()
    assert {rule["alert"] for rule in RULES if not re.search(rf"\b{rule['alert']}\b", tried)} == set()


async def test_prometheus_can_read_every_expression(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool here (Debian's package `prometheus` has it)")
    rules = [{"record": f"tried:{n}", "expr": each} for n, each in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    done = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
