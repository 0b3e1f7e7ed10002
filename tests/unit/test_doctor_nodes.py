"""What `matlabctl doctor` finds of a swarm's nodes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import docker.tls
import pytest

from controller.cli.doctor import Finding, engine_findings, nodes_found
from controller.model import Machine
from controller.sources import load
from tests import fake_manager
from tests.fake_manager import a_manager
from tests.worlds import NOW

N1, N2 = (
    Machine(f"id-{name}", name, "10.77.0.2", "worker", "ready", "active", None, {}, 8, 2**34) for name in ("n1", "n2")
)


@pytest.mark.parametrize(
    ("machines", "level", "found"),
    [
        ((N1, N2), "ok", "2 of 2 nodes take sessions"),
        ((N1, replace(N2, state="down")), "note", "1 of 2 nodes take sessions, but for n2 (down)"),
        (
            (replace(N1, availability="drain"), replace(N2, availability="pause", leaving_since=NOW)),
            "fault",
            "none takes sessions: n1 (drain), n2 (to be empty)",
        ),
        ((N1, replace(N1, id="id-other")), "fault", "several are named n1"),
        ((), "fault", "none takes sessions: there are none"),
    ],
    ids=["all", "one is down", "none", "two of one name", "no swarm"],
)
def test_whether_sessions_find_nodes(machines: tuple[Machine, ...], level: str, found: str) -> None:
    finding = nodes_found(machines)
    assert (finding.what, finding.level, finding.found) == ("nodes", level, found)
    assert (finding.mend == "") == (level != "fault")


async def found(folder: Path, what: str, **more: str) -> list[Finding]:
    """Of a swarm of three nodes; `more` is in the settings beside the manager's address."""
    with a_manager() as manager:
        text = {"engine": "swarm", "insecure": "true", "docker_host": manager.url, **more}
        (folder / "controller.yaml").write_text("".join(f"{name}: {value}\n" for name, value in text.items()))
        settings = load(folder / "controller.yaml", {}, {}).settings
        return [each for each in await engine_findings(settings) if each.what == what]


NODES = {"swarm_nodes": "{ca: ca.pem, cert: cert.pem, key: key.pem, port: 19}"}


async def test_files_for_the_nodes_engines_that_are_not_there_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    (fault,) = await found(tmp_path, "node engines", **NODES)
    assert (fault.level, fault.mend != "") == ("fault", True)
    there = f"{tmp_path}/cert.pem, {tmp_path}/key.pem"
    assert fault.found == f"swarm_nodes names files that are not there, or not for this user to read: {there}."


async def test_nodes_whose_engines_do_not_answer_are_told_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").touch()
    monkeypatch.setattr(docker.tls, "TLSConfig", lambda *_, **__: None)
    monkeypatch.setattr("tests.fake_manager._node", _here)
    told = await found(tmp_path, "node engines", **NODES)
    assert [(each.level, each.found.partition(":")[0]) for each in told] == [("note", f"n{n}") for n in (1, 2, 3)]
    assert all("port 19" in each.mend for each in told)


def _here(n: int, made: Any = fake_manager._node) -> Any:
    """Nobody listens there."""
    return {**made(n), "Status": {"State": "ready", "Addr": f"127.9.9.{n}"}}


async def test_without_the_setting_no_node_is_asked(tmp_path: Path) -> None:
    assert await found(tmp_path, "node engines") == []


async def test_a_profile_whose_nodes_there_are_none_of_is_told(tmp_path: Path) -> None:
    profiles = {"profiles": "{standard: {}, gpu: {node_labels: {pool: gpu}}}"}
    told = [each for each in await found(tmp_path, "nodes", **profiles) if each.level != "ok"]
    assert [each.found for each in told] == ["there is none that profile gpu names: its sessions cannot start"]
    assert told[0].mend == "`docker node update --label-add pool=gpu NODE` has NODE take them."
