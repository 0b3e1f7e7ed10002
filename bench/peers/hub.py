"""JupyterHub with DockerSpawner and configurable-http-proxy: what runs a container for each user elsewhere.

With the same image, limits, flags and network. A session's page answers its first request as a notebook server would,
so that the hub takes it for one. One port is published of each, not two: DockerSpawner has no second one.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from bench import floor
from bench.peers import cache
from bench.peers.process import Process
from controller.fence import network_name
from tests.support import Lab

CONFIG = """\
import json, os
import docker.types
told = json.loads(os.environ["HUB"])
c = get_config()
c.JupyterHub.bind_url = told["url"]
c.JupyterHub.hub_port = told["port"] + 1
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{told['port'] + 2}"
c.ConfigurableHTTPProxy.command = [told["proxy"]]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.cleanup_servers = False
c.JupyterHub.services = [{"name": "bench", "api_token": told["token"]}]
c.JupyterHub.load_roles = [{"name": "bench", "services": ["bench"], "scopes": ["admin:users", "admin:servers"]}]
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.DockerSpawner.image = told["image"]
c.DockerSpawner.cmd = told["cmd"]
c.DockerSpawner.name_template = told["prefix"] + "{username}"
c.DockerSpawner.port = 8888
c.DockerSpawner.host_ip = "127.0.0.1"
c.DockerSpawner.use_internal_ip = False
c.DockerSpawner.network_name = told["network"]
c.DockerSpawner.pull_policy = "never"
c.DockerSpawner.volumes = {told["data"] + "/user_{username}": "/home/matlab/shared"}
c.DockerSpawner.cpu_limit = told["cpus"]
c.DockerSpawner.mem_limit = told["memory"]
c.DockerSpawner.extra_create_kwargs = {"user": told["user"], "labels": told["labels"]}
c.DockerSpawner.extra_host_config = {
    "init": True, "memswap_limit": told["memory"], "shm_size": told["shm"], "pids_limit": 256,
    "ulimits": [docker.types.Ulimit(name="nofile", soft=4096, hard=4096)], "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"], "read_only": True,
    "tmpfs": {"/tmp": "rw,nosuid,nodev,size=512m,mode=1777"},
    "log_config": docker.types.LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
}
c.Spawner.environment = told["env"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
"""
"""What jupyterhub_config.py says."""


class Hub:
    name = "JupyterHub"

    def __init__(self, lab: Lab, port: int) -> None:
        self._lab = lab
        self._port = port
        self._url = f"http://127.0.0.1:{port}"
        self._api = f"{self._url}/hub/api"
        self.list_url = f"{self._api}/users"
        self._token = secrets.token_hex(16)
        self.headers: Mapping[str, str] = {"Authorization": f"token {self._token}"}
        self._process: Process | None = None

    def container(self, user_id: int) -> str:
        return f"{self._lab.instance}-floor{user_id}"

    async def open(self) -> None:
        python, proxy = await asyncio.gather(asyncio.to_thread(cache.python), asyncio.to_thread(cache.proxy))
        folder = self._lab.folder / "hub"
        folder.mkdir()
        (folder / "jupyterhub_config.py").write_text(CONFIG)
        path = f"{Path(python).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "HUB": json.dumps(self._told(proxy))}
        command = [str(python), "-m", "jupyterhub", "--config", "jupyterhub_config.py", "--log-level", "WARN"]
        self._process = Process(command, folder, environment, self.list_url)
        await self._process.start(self.headers)

    async def up(self, user_ids: Sequence[int]) -> None:
        assert self._process is not None
        for user_id in user_ids:
            floor.prepared(self._lab, user_id)
        await self._process.ask("POST", self.list_url, {"usernames": [str(user_id) for user_id in user_ids]})
        asked = [self._process.ask("POST", f"{self._api}/users/{user_id}/server") for user_id in user_ids]
        answers = await asyncio.gather(*asked)
        assert all(status in (201, 202) for status, _ in answers), answers

    async def listed(self) -> int:
        assert self._process is not None
        _, users = await self._process.ask("GET", self.list_url)
        return sum(user.get("server") is not None for user in users)

    async def health(self, user_id: int) -> None:
        assert self._process is not None
        status, user = await self._process.ask("GET", f"{self._api}/users/{user_id}")
        assert status == 200, user

    async def restart(self) -> None:
        assert self._process is not None
        await self._process.stop()
        await self._process.start(self.headers)

    def processes(self) -> list[psutil.Process]:
        return [] if self._process is None else self._process.all()

    async def close(self) -> None:
        if self._process is not None:
            await self._process.close()

    def _told(self, proxy: Path) -> dict[str, object]:
        spec = floor.prepared(self._lab, 1)
        return {
            "url": self._url,
            "port": self._port,
            "proxy": str(proxy),
            "token": self._token,
            "image": spec.image,
            "cmd": self._lab.client.images.get(spec.image).attrs["Config"]["Cmd"],
            "prefix": self.container(0).removesuffix("0"),
            "network": network_name(self._lab.instance),
            "data": str(Path(spec.data_folder).parent),
            "cpus": spec.cpus,
            "memory": spec.memory,
            "shm": spec.shm,
            "user": spec.run_as,
            "labels": {"mcm.instance": f"{self._lab.instance}-hub"},
            "env": dict(spec.env),
        }
