"""The floor: the same containers made by the bare Docker SDK. Short, so that nobody need doubt it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import docker.types

from controller import datafolder
from controller.model import SessionSpec
from tests.support import Lab


def client() -> docker.APIClient:
    return docker.APIClient(version="auto", timeout=120, max_pool_size=16)


def prepared(lab: Lab, user_id: int, **changes: object) -> SessionSpec:
    """What to run for a user, whose folder is there."""
    spec = lab.spec(user_id, name=f"{lab.instance}-floor{user_id}", **changes)
    datafolder.prepare(Path(spec.data_folder), spec.run_as)
    return spec


def run(api: docker.APIClient, spec: SessionSpec, label: str, network: str | None = None) -> str:
    """Create and start one container under the flags that the controller uses, in its network where that is there."""
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
    made = api.create_container(
        name=spec.name,
        image=spec.image,
        hostname=spec.name,
        user=spec.run_as,
        environment=dict(spec.env),
        ports=[8888, 8889],
        labels={"mcm.instance": label},
        host_config=host,
    )
    api.start(made["Id"])
    return str(made["Id"])


def run_pool(api: docker.APIClient, specs: list[SessionSpec], label: str, network: str) -> None:
    """The same for many, ten at a time."""
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda spec: run(api, spec, label, network), specs))
