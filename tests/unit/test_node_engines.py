"""What the engines of a swarm's nodes tell and are told, and whose container that may be."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker.tls
import pytest

from controller.engine import node_engines
from controller.engine.cgroups import Reading
from controller.engine.node_engines import Inside, NodeEngines
from controller.engine.service import SideDoor
from controller.errors import EngineUnavailable, NoSuchContainer, SettingsInvalid
from controller.model import Container, Limits, Machine, Node
from tests.worlds import GIB, a_container

HERE = "127.0.0.1"
SESSION = a_container(id="service-7", node=Node("n2", HERE))
INSIDE = Inside(HERE, "inside-7")


def begun_long_ago() -> Container:
    return replace(SESSION, started_at=datetime.now(UTC) - timedelta(seconds=100))


def stats(cpu_seconds: float = 10, memory: int = GIB, **inner: int) -> dict[str, Any]:
    return {
        "cpu_stats": {"cpu_usage": {"total_usage": round(cpu_seconds * 1e9)}},
        "memory_stats": {"usage": memory, "stats": inner, "limit": 2 * GIB},
    }


# ---------------------------------------------------------------- how figures are read


def test_the_first_reading_tells_the_share_since_the_start() -> None:
    reading, usage = node_engines.read(stats(10), begun_long_ago(), None, 50.0)
    assert usage.cpu_percent == pytest.approx(10, abs=0.5)
    assert reading.cpu_seconds == 10


def test_the_next_one_tells_the_share_between_the_two() -> None:
    last = Reading(50.0, 10, 10)
    assert node_engines.read(stats(15), SESSION, last, 60.0)[1].cpu_percent == pytest.approx(50)


def test_two_readings_at_once_tell_the_same_share() -> None:
    last = Reading(50.0, 10, 33)
    reading, usage = node_engines.read(stats(15), SESSION, last, 50.05)
    assert (reading, usage.cpu_percent) == (last, 33)


@pytest.mark.parametrize("name", ["total_inactive_file", "inactive_file"])
def test_memory_is_without_what_the_kernel_can_take_back(name: str) -> None:
    _, usage = node_engines.read(stats(memory=GIB, **{name: GIB // 4}), SESSION, None, 0)
    assert (usage.memory, usage.memory_limit) == (GIB - GIB // 4, 2 * GIB)


@pytest.mark.parametrize("said", [{}, {"cpu_stats": {}, "memory_stats": {}}, stats() | {"memory_stats": {}}])
def test_one_that_does_not_run_tells_nothing(said: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        node_engines.read(said, SESSION, None, 0)


def test_only_of_those_on_a_node_that_is_there_is_anything_asked() -> None:
    lost = replace(SESSION, id="lost", node=Node("n3", "10.77.0.4", "The node n3 is down."))
    nowhere = replace(SESSION, id="nowhere", node=None)
    ended = replace(SESSION, id="ended")
    ids = {"service-7": "inside-7", "lost": "inside-8", "nowhere": "inside-9", "ended": ""}
    assert node_engines.inside_of([SESSION, lost, nowhere, ended], ids) == {"service-7": (SESSION, INSIDE)}


# ---------------------------------------------------------------- a node's engine


class FakeNode(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__((HERE, 0), _Answers)
        self.service = "service-7"
        self.updates: list[tuple[str, dict[str, Any]]] = []


class _Answers(BaseHTTPRequestHandler):
    server: FakeNode

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/version"):
            self._say({"ApiVersion": "1.41"})
        elif path.endswith("/inside-7/stats"):
            self._say(stats())
        elif path.endswith("/inside-7/json"):
            labels = {"com.docker.swarm.service.id": self.server.service}
            self._say({"Id": "inside-7", "Config": {"Labels": labels}})
        else:
            self._say({"message": "No such container: it"}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.updates.append((self.path, body))
        self._say({"Warnings": ["Your kernel does not support swap limit capabilities"]})

    def _say(self, body: dict[str, Any], status: int = 200) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """To nobody."""


@pytest.fixture
def node() -> Iterator[FakeNode]:
    server = FakeNode()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def engines(node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeEngines]:
    """Without TLS, which `tests/swarm` has."""
    for name in ("ca", "cert", "key"):
        (tmp_path / name).touch()
    monkeypatch.setattr(docker.tls, "TLSConfig", lambda *_, **__: None)
    engines = NodeEngines(SideDoor(node.server_port, *(tmp_path / name for name in ("ca", "cert", "key"))))
    yield engines
    engines.close()


async def test_the_use_of_sessions_is_told_by_service(engines: NodeEngines) -> None:
    gone = replace(SESSION, id="service-8")
    told = await engines.usage({"service-7": (SESSION, INSIDE), "service-8": (gone, Inside(HERE, "inside-8"))})
    assert set(told) == {"service-7"}
    assert told["service-7"].memory == GIB


async def test_another_run_begins_anew(engines: NodeEngines) -> None:
    engines._readings["service-7"] = Inside(HERE, "inside-6"), Reading(time.monotonic() - 10, 0, 33)
    told = await engines.usage({"service-7": (begun_long_ago(), INSIDE)})
    assert told["service-7"].cpu_percent == pytest.approx(10, abs=0.5)


async def test_a_node_that_does_not_answer_is_left_out(engines: NodeEngines, node: FakeNode) -> None:
    node.shutdown()
    node.server_close()
    assert await engines.usage({"service-7": (SESSION, INSIDE)}) == {}


async def test_a_node_that_was_silent_is_left_alone_for_a_time(
    engines: NodeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def silent(_: object) -> None:
        asked.append(1)
        raise EngineUnavailable("It is silent.")

    lane = engines._lane(HERE)
    monkeypatch.setattr(lane, "run", silent)
    both = {"service-7": (SESSION, INSIDE), "service-8": (replace(SESSION, id="service-8"), INSIDE)}
    for _ in range(3):
        assert await engines.usage(both) == {}
    assert len(asked) == 1
    monkeypatch.setattr(node_engines, "LEFT_ALONE", 0.0)
    await engines.usage(both)
    assert len(asked) == 2


async def test_which_nodes_cannot_be_asked_is_told_with_why(engines: NodeEngines) -> None:
    here = Machine("id-n2", "n2", HERE, "worker", "ready", "active", None, {}, 8, 2**34)
    nowhere = replace(here, id="id-n3", name="n3", address="127.9.9.9")
    told = await engines.silent([here, nowhere])
    assert list(told) == ["n3"]
    assert "does not answer" in told["n3"]


async def test_nothing_is_kept_of_nodes_and_sessions_that_are_gone(engines: NodeEngines) -> None:
    await engines.usage({"service-7": (SESSION, INSIDE)})
    assert (len(engines._lanes), len(engines._readings)) == (1, 1)
    engines.keep([SESSION])
    assert (len(engines._lanes), len(engines._readings)) == (1, 1)
    engines.keep([replace(SESSION, id="service-8", node=Node("n3", "10.77.0.4"))])
    assert (len(engines._lanes), len(engines._readings)) == (0, 0)


async def test_limits_are_put_right_under_the_session(engines: NodeEngines, node: FakeNode) -> None:
    await engines.update("service-7", INSIDE, Limits(1.5, GIB, 512))
    ((path, body),) = node.updates
    assert path.endswith("/containers/inside-7/update")
    assert body == {"NanoCpus": 1_500_000_000, "Memory": GIB, "MemorySwap": GIB, "PidsLimit": 512}


async def test_a_container_that_is_not_of_the_service_is_never_touched(engines: NodeEngines, node: FakeNode) -> None:
    node.service = "another"
    with pytest.raises(NoSuchContainer, match="is not of the service service-7"):
        await engines.update("service-7", INSIDE, Limits(1, GIB, 512))
    with pytest.raises(NoSuchContainer, match="There is no container"):
        await engines.update("service-7", Inside(HERE, "inside-9"), Limits(1, GIB, 512))
    assert node.updates == []


async def test_a_node_that_is_away_is_told_to_whoever_wants_to_change_something(
    engines: NodeEngines, node: FakeNode
) -> None:
    node.shutdown()
    node.server_close()
    with pytest.raises(EngineUnavailable):
        await engines.update("service-7", INSIDE, Limits(1, GIB, 512))


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca").touch()
    with pytest.raises(SettingsInvalid, match=r"not there, .*: \S+/cert, \S+/key\.$"):
        NodeEngines(SideDoor(2376, *(tmp_path / name for name in ("ca", "cert", "key"))))
