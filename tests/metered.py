"""Reads what `GET /metrics` tells, and what the alerts and the board in deploy/ want of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.api_world import ApiWorld

DEPLOY = Path(__file__).parents[1] / "deploy"

Series = tuple[str, frozenset[tuple[str, str]]]


class Reading:
    """One scrape. `reading("mcm_users", state="ready")` is a value; 0 where there is no such series."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._values: dict[Series, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self._values.get((name, frozenset(labels.items())), 0.0)

    def series(self, name: str) -> list[Mapping[str, str]]:
        """The labels of every value that goes by this name."""
        return [dict(labels) for each, labels in self._values if each == name]


async def read(world: ApiWorld) -> Reading:
    async with world.http.get("/metrics") as answer:
        assert answer.status == 200
        return Reading(await answer.text())


# ---------------------------------------------------------------- what alerts and the board ask for


def expressions() -> list[str]:
    """Every PromQL expression that we ship, with Grafana's own variables filled in."""
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    board = json.loads((DEPLOY / "grafana" / "matlab-container-manager.json").read_text())
    found = [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    found += [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    found += [each["expr"] for each in board["annotations"]["list"] if "expr" in each]
    return [each.replace("$__rate_interval", "5m").replace("$instance", "lab") for each in found]


def asked_for(expression: str) -> set[str]:
    """The metrics that an expression names."""
    return set(re.findall(r"\b(?:mcm|process)_\w+", expression))


def told(reading: Reading) -> set[str]:
    """The names that values of these families go by, be there any now or not."""
    endings = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}
    return {
        f"{family.name}{ending}" for family in reading.families.values() for ending in endings.get(family.type, ("",))
    }
