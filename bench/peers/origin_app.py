"""What a first version of such a service looks like: Flask, and the shell for everything. Written for the comparison.

It knows nothing between two calls: each asks `docker ps`, and health asks `docker stats`, `curl` and `nc` as well.
Run as: python origin_app.py PORT, with what it needs to know as JSON in ORIGIN.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from flask import Flask, request  # type: ignore[import-not-found, unused-ignore]

SITE = json.loads(os.environ["ORIGIN"])


def shell(command: str) -> str:
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False).stdout.strip()


def root() -> Any:
    return {"service": "origin"}


def create() -> Any:
    user_id = request.get_json()["user_id"]
    name = f"{SITE['prefix']}{user_id}"
    if shell(f"docker ps -a --format '{{{{.Names}}}}' | grep -x {name}"):
        return {"container_id": name, "status": "already_running"}, 200
    http, ws = SITE["http_base"] + user_id, SITE["ws_base"] + user_id
    env = " ".join(f"-e {key}={value}" for key, value in SITE["env"].items())
    shell(
        f"docker run -d --name {name} --hostname {name} --label {SITE['label']} --user {SITE['user']} --init"
        f" --cpus {SITE['cpus']} --memory {SITE['memory']} --memory-swap {SITE['memory']} --shm-size {SITE['shm']}"
        " --pids-limit 256 --ulimit nofile=4096:4096 --cap-drop ALL --security-opt no-new-privileges --read-only"
        " --tmpfs /tmp:rw,nosuid,nodev,size=512m,mode=1777 --log-opt max-size=10m --log-opt max-file=3"
        f" --network {SITE['network']} -p 127.0.0.1:{http}:8888 -p 127.0.0.1:{ws}:8889 {env}"
        f" -v {SITE['data']}/user_{user_id}:/home/matlab/shared {SITE['image']}"
    )
    if not shell(f"docker ps --format '{{{{.Names}}}}' | grep -x {name}"):
        return {"error": "Failed to create container"}, 500
    return {"container_id": name, "http_port": http, "ws_port": ws, "status": "running"}, 201


def everybody() -> Any:
    rows = shell(f"docker ps -a --format '{{{{.Names}}}}|{{{{.State}}}}|{{{{.CreatedAt}}}}' | grep '^{SITE['prefix']}'")
    found = [dict(zip(("container_id", "status", "created"), row.split("|"), strict=True)) for row in rows.splitlines()]
    return {"total": len(found), "containers": found}


def health(user_id: int) -> Any:
    name = f"{SITE['prefix']}{user_id}"
    if not shell(f"docker ps --format '{{{{.Names}}}}' | grep -x {name}"):
        return {"error": "Container not found"}, 404
    stats = shell(f"docker stats --no-stream --format '{{{{.CPUPerc}}}}|{{{{.MemUsage}}}}|{{{{.MemPerc}}}}' {name}")
    cpu, memory, percent = stats.split("|")
    web = shell(f"curl -s -o /dev/null -m 5 -w '%{{http_code}}' http://127.0.0.1:{SITE['http_base'] + user_id}/")
    port = SITE["ws_base"] + user_id
    socket = shell(
        f"if command -v nc >/dev/null; then nc -z -w 2 127.0.0.1 {port} && echo open;"
        f" else timeout 2 bash -c '</dev/tcp/127.0.0.1/{port}' && echo open; fi"
    )
    return {
        "container_id": name,
        "status": "running",
        "cpu_usage": cpu,
        "memory_usage": memory,
        "memory_percent": percent,
        "web_service": "healthy" if web == "200" else "unhealthy",
        "websocket_service": "healthy" if socket else "unhealthy",
    }


app = Flask(__name__)
app.add_url_rule("/", view_func=root)
app.add_url_rule("/create", view_func=create, methods=["POST"])
app.add_url_rule("/list", view_func=everybody)
app.add_url_rule("/health/<int:user_id>", view_func=health)

if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
