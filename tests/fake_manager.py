"""A manager of a swarm that speaks Docker's API over HTTP and keeps everything in memory: for tests of what `swarm.py`
asks, and in what order, without a swarm.

What it does about tasks it does at once, but for a session that takes its time to end. tests/swarm holds the engine to
the real thing.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
GIB = 2**30


class FakeManager(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, nodes: int = 3) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.nodes = {f"id-n{n}": _node(n) for n in range(1, nodes + 1)}
        self.services: dict[str, Json] = {}
        self.tasks: list[Json] = []
        self.lingers = False
        """Sessions do not end when they are to, until `let_end`."""
        self.remembers = False
        """What it is to remove it does not forget, until `forget`."""
        self.behind = 0
        """It acts on a change, and then forgets what it is to remove, when its tasks were looked at so often since."""
        self.hasty = False
        """What it has begun it forgets before it tells how that ended, once."""
        self.absent: set[str] = set()
        """Images that no node has."""
        self.doubles = False
        """The next run is begun twice."""
        self.idle = False
        """It looks for no node, until `place`."""
        self._to_do: list[tuple[int, Json | None]] = []
        """How many looks there were, and are to be, before it acts on a change of this service, or forgets."""
        self._seen = 0
        self.overtaken = 0
        """So many changes come too late, since somebody else made one."""
        self.changes: list[str] = []
        """What was done, in order."""
        self.lock = threading.Lock()
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.server_port}"

    # ------------------------------------------------------------ the world's hand

    def let_end(self) -> None:
        with self.lock:
            self.lingers = False
            for task in self.tasks:
                self._end(task)
            self._forget()

    def forget(self) -> None:
        with self.lock:
            self.remembers = False
            self._forget()

    def die(self, name: str) -> None:
        """This service's session, by itself."""
        with self.lock:
            for task in self._of(name):
                if task["Status"]["State"] == "running":
                    task["DesiredState"] = "shutdown"
                    task["Status"] |= {"State": "failed", "Err": "task: non-zero exit (137)"}

    def begin_another(self, name: str) -> None:
        with self.lock:
            self._begin(next(each for each in self.services.values() if each["Spec"]["Name"] == name))

    def lose(self, node_id: str) -> None:
        with self.lock:
            self.nodes[node_id]["Status"]["State"] = "down"

    def find(self, node_id: str) -> None:
        """It is back."""
        with self.lock:
            self.nodes[node_id]["Status"]["State"] = "ready"

    def place(self) -> None:
        with self.lock:
            self.idle, waiting = False, [task for task in self.tasks if task["Status"]["State"] == "pending"]
            self.tasks = [task for task in self.tasks if task not in waiting]
            for task in waiting:
                self._begin(self.services[task["ServiceID"]])

    def forget_lost(self, node_id: str) -> None:
        """A lost node's tasks, as a swarm does after a day."""
        with self.lock:
            for task in self.tasks:
                if task["NodeID"] == node_id and task["Status"]["State"] == "running":
                    task["Status"]["State"] = "orphaned"
            self._forget()

    def relabel(self, node_id: str, **labels: str) -> None:
        """What no longer may be there is rejected, and goes on until its node has ended it."""
        with self.lock:
            node = self.nodes[node_id]
            node["Spec"]["Labels"] = labels
            for task in self.tasks:
                there = task["NodeID"] == node_id and task["Status"]["State"] == "running"
                if there and not _takes(node, task["Spec"]):
                    task["Status"] |= {"State": "rejected", "Err": "assigned node no longer meets constraints"}

    def where(self, name: str) -> list[str]:
        """Nodes on which this service has a task that goes on."""
        with self.lock:
            return [task["NodeID"] for task in self._of(name) if task["Status"]["State"] == "running"]

    def _of(self, name: str) -> list[Json]:
        ids = [each["ID"] for each in self.services.values() if each["Spec"]["Name"] == name]
        return [task for task in self.tasks if task["ServiceID"] in ids]

    # ------------------------------------------------------------ what is asked

    def answer(self, method: str, path: str, query: dict[str, str], body: Json) -> tuple[int, Any]:
        with self.lock:
            match method, path.strip("/").split("/"):
                case "GET", ["version"]:
                    return 200, {"ApiVersion": "1.41"}
                case "GET", ["info"]:
                    return 200, {
                        "Swarm": {"ControlAvailable": True},
                        "ServerVersion": "20.10",
                        "SystemTime": _now(),
                    }
                case "GET", ["nodes"]:
                    return 200, list(self.nodes.values())
                case "GET", ["services"]:
                    return 200, [each for each in self.services.values() if _fits(each["Spec"], query)]
                case "GET", ["tasks"]:
                    for asked in json.loads(query.get("filters", "{}")).get("service", []):
                        if asked not in self.services:
                            return 404, {"message": f"service {asked} not found"}
                    told = copy.deepcopy([each for each in self.tasks if self._asked(each, query)])
                    self._catch_up()
                    return 200, told
                case "POST", ["services", "create"]:
                    return self._create(body)
                case _, ["services", name, *_]:
                    return self._service(method, name, query, body)
                case _, ["nodes", node_id, *_]:
                    return self._node(method, node_id, query, body)
        return 404, {"message": "page not found"}

    def _create(self, spec: Json) -> tuple[int, Json]:
        if any(each["Spec"]["Name"] == spec["Name"] for each in self.services.values()):
            return 409, {"message": "rpc error: name conflicts with an existing object: service already exists"}
        service: Json = {"ID": f"s{next(self._numbers)}", "Version": {"Index": 1}, "CreatedAt": _now(), "Spec": spec}
        self.services[service["ID"]] = service
        self.changes.append("create")
        if "Global" in spec["Mode"]:
            for node_id in self.nodes:
                self._begin(service, node_id)
        return 201, {"ID": service["ID"]}

    def _service(self, method: str, name: str, query: dict[str, str], spec: Json) -> tuple[int, Json]:
        found = next((s for s in self.services.values() if name in (s["ID"], s["Spec"]["Name"])), None)
        if found is None:
            return 404, {"message": f"service {name} not found"}
        if method == "GET":
            return 200, found
        if method == "DELETE":
            del self.services[found["ID"]]
            self.tasks = [each for each in self.tasks if each["ServiceID"] != found["ID"]]
            self.changes.append("remove")
            return 200, {}
        if (late := self._late(found, query)) is not None:
            return late
        self.changes.append(f"replicas {spec['Mode']['Replicated']['Replicas']}")
        found["Spec"] = spec
        if self.behind:
            self._to_do.append((self._seen + self.behind, copy.deepcopy(found)))
        else:
            self._orchestrate(found)
            self._forget()
        return 200, {"Warnings": None}

    def _node(self, method: str, node_id: str, query: dict[str, str], spec: Json) -> tuple[int, Json]:
        found = self.nodes.get(node_id)
        if found is None:
            return 404, {"message": f"node {node_id} not found"}
        if method == "GET":
            return 200, found
        if method == "DELETE":
            del self.nodes[node_id]
            for task in self.tasks:
                if task["NodeID"] == node_id:
                    task["Status"]["State"] = "orphaned"
            return 200, {}
        if (late := self._late(found, query)) is not None:
            return late
        found["Spec"] = spec
        return 200, {}

    def _late(self, found: Json, query: dict[str, str]) -> tuple[int, Json] | None:
        if self.overtaken or int(query["version"]) != found["Version"]["Index"]:
            self.overtaken = max(0, self.overtaken - 1)
            return 500, {"message": "rpc error: code = Unknown desc = update out of sequence"}
        found["Version"]["Index"] += 1
        return None

    # ------------------------------------------------------------ what becomes of it

    def _catch_up(self) -> None:
        self._seen += 1
        begun = [each for each in self.tasks if each["Status"]["State"] == "preparing"]
        if begun and self.hasty:
            self.hasty = False
            self.tasks = [each for each in self.tasks if each not in begun]
        for task in begun:
            task["Status"] |= {"State": "rejected", "Err": f"No such image: {task['Spec']['ContainerSpec']['Image']}"}
        for when, service in sorted(self._to_do, key=lambda each: each[1] is None):
            if when <= self._seen:
                self._to_do.remove((when, service))
                if service is None:
                    self._forget()
                else:
                    self._orchestrate(service)
                    self._to_do.append((self._seen + self.behind, None))

    def _orchestrate(self, service: Json) -> None:
        """A run that has ended holds its place, and one is begun in it; where the swarm forgets that meanwhile, one
        more is, since nothing is there. Told that there is to be none, it lets go of the newest that holds the place.
        """
        replicas, number = service["Spec"]["Mode"]["Replicated"]["Replicas"], _number(service["Spec"]["TaskTemplate"])
        mine = [each for each in self.tasks if each["ServiceID"] == service["ID"]]
        live = [each for each in mine if each["DesiredState"] == "running"]
        if replicas == 0:
            for task in live or mine[-1:]:
                self._let_go(task, "remove")
            return
        right = [each for each in live if _number(each["Spec"]) == number]
        for task in live:
            if task not in right[:1]:
                self._let_go(task, "shutdown")
        if not right:
            self._begin(service)
            if self.doubles or any(each["DesiredState"] == "remove" for each in mine):
                self._begin(service)
            self.doubles = False

    def _let_go(self, task: Json, desired: str) -> None:
        task["DesiredState"] = desired
        if not self.lingers:
            self._end(task)

    def _begin(self, service: Json, node_id: str = "") -> None:
        template = service["Spec"]["TaskTemplate"]
        state = "preparing" if template["ContainerSpec"]["Image"] in self.absent else "running"
        found = next((n for n in self.nodes.values() if _takes(n, template)), None)
        node = self.nodes.get(node_id) or (None if self.idle else found)
        now = _now()
        task: Json = {
            "ID": f"t{next(self._numbers)}",
            "ServiceID": service["ID"],
            "CreatedAt": now,
            "DesiredState": "running",
            "NodeID": node["ID"] if node else "",
            "Spec": json.loads(json.dumps(template)),
            "Status": {"State": state if node else "pending", "Timestamp": now, "Message": "pending task scheduling"},
        }
        if not (node or self.idle):
            task["Status"]["Err"] = "no suitable node"
        if node:
            task["Status"]["ContainerStatus"] = {"ContainerID": f"c-{task['ID']}", "PID": 0, "ExitCode": 0}
        self.tasks.append(task)

    def _forget(self) -> None:
        """As the task reaper does."""
        if not self.remembers:
            over = ("shutdown", "failed", "orphaned")
            self.tasks = [t for t in self.tasks if t["DesiredState"] != "remove" or t["Status"]["State"] not in over]

    def _end(self, task: Json) -> None:
        node = self.nodes.get(task["NodeID"])
        away = node is not None and node["Status"]["State"] != "ready"
        if task["DesiredState"] != "running" and task["Status"]["State"] in ("running", "pending") and not away:
            task["Status"]["State"] = "shutdown"

    def _asked(self, task: Json, query: dict[str, str]) -> bool:
        filters = json.loads(query.get("filters", "{}"))
        service = self.services.get(task["ServiceID"])
        return (
            task["ServiceID"] in filters.get("service", [task["ServiceID"]])
            and task["DesiredState"] in filters.get("desired-state", [task["DesiredState"]])
            and (service is None or _fits(service["Spec"], query))
        )


class _Answers(BaseHTTPRequestHandler):
    server: FakeManager
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = re.sub(r"^/v1\.[0-9]+", "", parts.path)
        status, said = self.server.answer(self.command, path, query, body)
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if self.close_connection:  # as it was asked to
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        self._any()

    def do_POST(self) -> None:
        self._any()

    def do_DELETE(self) -> None:
        self._any()

    def log_message(self, *_: object) -> None:
        """To nobody."""


@contextmanager
def a_manager(nodes: int = 3) -> Iterator[FakeManager]:
    manager = FakeManager(nodes)
    thread = threading.Thread(target=manager.serve_forever, daemon=True)
    thread.start()
    try:
        yield manager
    finally:
        manager.shutdown()
        manager.server_close()


def _node(n: int) -> Json:
    return {
        "ID": f"id-n{n}",
        "Version": {"Index": 1},
        "Spec": {"Role": "manager" if n == 1 else "worker", "Availability": "active", "Labels": {}},
        "Description": {"Hostname": f"n{n}", "Resources": {"NanoCPUs": 8 * 10**9, "MemoryBytes": 16 * GIB}},
        "Status": {"State": "ready", "Addr": f"10.77.0.{n + 10}"},
    }


def _number(template: Json) -> int:
    return int(template.get("ForceUpdate", 0))


def _takes(node: Json, template: Json) -> bool:
    constraints = (template.get("Placement") or {}).get("Constraints") or ()
    labels = {f"node.labels.{name}=={value}" for name, value in node["Spec"]["Labels"].items()}
    there = {*labels, f"node.id=={node['ID']}"}
    right = all(each in there or ("!=" in each and each.replace("!=", "==") not in there) for each in constraints)
    return node["Status"]["State"] == "ready" and node["Spec"]["Availability"] == "active" and right


def _fits(spec: Json, query: dict[str, str]) -> bool:
    wanted = json.loads(query.get("filters", "{}")).get("label", [])
    return {f"{name}={value}" for name, value in (spec.get("Labels") or {}).items()} >= set(wanted)


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
