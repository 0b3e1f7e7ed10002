"""The floor: the same things done by the bare Docker SDK, and by nothing but HTTP on the engine's socket.

Short, so that nobody need doubt it. The flags are the controller's own, the image and the network as well.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.types

from controller import datafolder
from controller.model import SessionSpec
from tests.support import Lab

GRACE = 15
"""Seconds that a session has to end by itself, as it is with the controller."""


def client() -> docker.APIClient:
    return docker.APIClient(version="auto", timeout=120, max_pool_size=16)


def prepared(lab: Lab, user_id: int, **changes: object) -> SessionSpec:
    """What to run for a user, whose folder is there."""
    spec = lab.spec(user_id, name=f"{lab.instance}-floor{user_id}", **changes)
    datafolder.prepare(Path(spec.data_folder), spec.run_as)
    return spec


# ---------------------------------------------------------------- by the SDK


def run(api: docker.APIClient, spec: SessionSpec, label: str, network: str | None = None) -> str:
    """Create and start one container under the flags that the controller uses, in its network where that is there."""
    made = api.create_container_from_config(_config(api, spec, label, network), spec.name)  # type: ignore[no-untyped-call]
    api.start(made["Id"])
    return str(made["Id"])


def run_pool(api: docker.APIClient, specs: list[SessionSpec], label: str, network: str) -> None:
    """The same for many, ten at a time."""
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda spec: run(api, spec, label, network), specs))


def restart(api: docker.APIClient, container_id: str) -> None:
    api.restart(container_id, timeout=GRACE)


def destroy(api: docker.APIClient, container_id: str) -> None:
    api.stop(container_id, timeout=GRACE)
    api.remove_container(container_id)


@contextmanager
def healing(api: docker.APIClient, label: str) -> Iterator[None]:
    """Whatever dies is started again by whoever reads the engine's events: nobody can know of it sooner."""
    dying = api.events(decode=True, filters={"type": "container", "event": "die", "label": f"mcm.instance={label}"})

    def heal() -> None:
        for event in dying:
            api.start(event["id"])

    threading.Thread(target=heal, daemon=True).start()
    try:
        yield
    finally:
        dying.close()


def _config(api: docker.APIClient, spec: SessionSpec, label: str, network: str | None) -> dict[str, Any]:
    host = api.create_host_config(
        init=True,
        nano_cpus=round(spec.cpus * 1e9),
        mem_limit=spec.memory,
        memswap_limit=spec.memory,
        shm_size=spec.shm,
        pids_limit=256,
        ulimits=[docker.types.Ulimit(name="nofile", soft=4096, hard=4096)],
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        tmpfs={"/tmp": "rw,nosuid,nodev,size=512m,mode=1777"},
        mounts=[docker.types.Mount("/home/matlab/shared", spec.data_folder, type="bind")],
        network_mode=network,
        port_bindings={8888: (spec.bind_address, spec.http_port), 8889: (spec.bind_address, spec.ws_port)},
        log_config=docker.types.LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
    )
    config: dict[str, Any] = api.create_container_config(
        image=spec.image,
        command=[],
        hostname=spec.name,
        user=spec.run_as,
        environment=dict(spec.env),
        ports=[(8888, "tcp"), (8889, "tcp")],
        labels={"mcm.instance": label},
        host_config=host,
    )
    return config


# ---------------------------------------------------------------- by the socket alone


def run_by_socket(api: docker.APIClient, spec: SessionSpec, label: str, network: str | None = None) -> str:
    """The same two requests, with no library between: a connection, and what the SDK would send over it."""
    engine = _Engine(spec.name)
    made = engine.post(f"/containers/create?name={spec.name}", _config(api, spec, label, network))
    engine.post(f"/containers/{made['Id']}/start")
    engine.close()
    return str(made["Id"])


class _Engine(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")

    def post(self, path: str, body: object = None) -> Any:
        self.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.getresponse()
        said = answer.read()
        assert answer.status < 300, said
        return json.loads(said or "{}")
