"""`matlabctl doctor` and `service`: what they say of this machine, without changing it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer
from typing import Any

import pytest

from controller.cli.service import MALLOC, unit
from tests.api_world import api_world
from tests.shell import ROOT, run
from tests.support import Lab

SYSTEMD = Path("/run/systemd/system").is_dir()


def findings(folder: Path, **variables: str) -> dict[str, Any]:
    own = {"MCM_STATE_DIR": str(folder / "state"), "MCM_DATA_ROOT": str(folder / "data"), "MCM_INSTANCE": "test"}
    no_engine = {"DOCKER_HOST": f"unix://{folder}/no.sock", "MCM_API_PORT": "19"}
    done = run(folder, "doctor", "-o", "json", **own | no_engine | variables)
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["healthy"] else 1)
    return {each["what"]: each for each in told["findings"]}


def test_without_an_engine_the_rest_is_looked_at_all_the_same(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert found["engine"]["level"] == "fault"
    assert f"there is no {tmp_path}/no.sock" in found["engine"]["found"]
    assert "systemctl start docker" in found["engine"]["mend"]
    assert "port range" not in found
    assert found["controller"]["level"] == "note"
    assert "matlabctl serve" in found["controller"]["mend"]
    assert {found[what]["level"] for what in ("lock", "state folder", "user data")} == {"ok"}
    assert found["desired state"]["level"] == "note"
    assert {"disk", "memory", "cgroups"} <= found.keys()
    assert not list(tmp_path.iterdir()), "something was made"


def test_a_fault_of_the_desired_state_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "desired_state.yaml").write_text("version: 1\nusers:\n  1: {stat: running}\n")
    found = findings(tmp_path)["desired state"]
    assert found["level"] == "fault"
    assert "line 3, column 7" in found["found"]


def test_a_folder_that_is_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert findings(tmp_path)["user data"]["level"] == "fault"


def test_an_engine_that_does_not_answer_is_told_with_its_address(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(f"{tmp_path}/no.sock")  # and does not listen
    found = findings(tmp_path)["engine"]
    assert found["found"].startswith(f"{tmp_path}/no.sock: The Docker engine does not answer")
    assert "docker info" in found["mend"]


def test_ports_that_the_kernel_lends_are_noted(tmp_path: Path) -> None:
    first = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
    found = findings(tmp_path, MCM_HTTP_PORT_BASE=first, MCM_MAX_USERS="5")["port range"]
    assert found["level"] == "note"
    assert f"ip_local_reserved_ports={int(first) + 1}-{int(first) + 5}`" in found["mend"]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def test_a_held_lock_with_no_controller_behind_it_is_a_fault_that_names_the_process(tmp_path: Path) -> None:
    with locked(tmp_path / "state"):
        found = findings(tmp_path)["lock"]
    assert found["level"] == "fault"
    assert f"process {os.getpid()} holds" in found["found"]
    assert findings(tmp_path)["lock"]["level"] == "ok"


def test_a_taken_api_port_is_a_fault_that_names_who_has_it(tmp_path: Path) -> None:
    class Mute(BaseRequestHandler):
        """Ends each connection without a word."""

    with TCPServer(("127.0.0.1", 0), Mute) as other:
        threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        found = findings(tmp_path, MCM_API_PORT=str(other.server_address[1]))["controller"]
        other.shutdown()
    assert found["level"] == "fault"
    assert f"process {os.getpid()}" in found["found"]


async def test_a_controller_that_answers_is_told_and_one_of_another_instance_is_a_fault(tmp_path: Path) -> None:
    async with api_world() as world:
        port = {"MCM_API_PORT": str(world.port)}
        assert (await asyncio.to_thread(findings, tmp_path, **port))["controller"]["level"] == "ok"
        other = await asyncio.to_thread(findings, tmp_path, **port, MCM_INSTANCE="other")
        assert other["controller"]["level"] == "fault"


def test_the_real_engine_has_version_clock_image_and_ports(tmp_path: Path, lab: Lab) -> None:
    (tmp_path / "controller.yaml").write_text("profiles: {standard: {}, odd: {image: nobody/has:this}}\n")
    bases = {"MCM_HTTP_PORT_BASE": str(lab.http_base), "MCM_WS_PORT_BASE": str(lab.ws_base), "MCM_MAX_USERS": "5"}
    with socket.socket() as other:
        other.bind(("127.0.0.1", lab.http_base + 3))
        other.listen()
        done = run(tmp_path, "doctor", MCM_STATE_DIR=str(tmp_path / "s"), MCM_INSTANCE=lab.instance, **bases)
    assert "Docker " in done.stdout
    assert "nobody/has:this is not on the engine" in done.stdout
    assert re.search(rf"session ports? taken, {lab.http_base + 3} by .*: users 3", done.stdout)
    assert done.returncode == 1


def test_an_address_of_another_machine_tells_of_no_port_that_it_is_taken(tmp_path: Path, lab: Lab) -> None:
    elsewhere = {"MCM_BIND_ADDRESS": "192.0.2.7", "MCM_INSECURE": "true", "MCM_MAX_USERS": "5"}
    done = run(tmp_path, "doctor", MCM_STATE_DIR=str(tmp_path / "s"), MCM_INSTANCE=lab.instance, **elsewhere)
    assert "on 192.0.2.7: free" in done.stdout


# ---------------------------------------------------------------- service


def test_the_unit_in_deploy_is_what_install_would_write() -> None:
    home = Path("/opt/matlab-container-manager")
    text = unit(home, home / ".venv/bin/python", None, "matlab", of_machine=True)
    assert (ROOT / "deploy/matlab-container-manager.service").read_text() == text


def test_the_image_gives_the_c_library_the_same_word_as_the_unit() -> None:
    words = " ".join(f"{name}={value}" for name, value in MALLOC.items())
    assert f"ENV {words}\n" in (ROOT / "deploy/Dockerfile").read_text()
    assert f"Environment={words}\n" in unit(Path("/"), Path("/python"), None, None, of_machine=False)


def test_what_systemd_would_read_otherwise_is_quoted() -> None:
    text = unit(Path("/srv/a b"), Path("/srv/50%/python"), Path("/etc/a b.yaml"), None, of_machine=False)
    assert 'ExecStart="/srv/50%%/python" -m controller serve --config "/etc/a b.yaml"' in text
    assert "docker.service" not in text
    assert "WantedBy=default.target" in text


def test_a_dry_run_prints_the_unit_and_wrong_settings_are_told_first(tmp_path: Path) -> None:
    done = run(tmp_path, "service", "install", "--dry-run")
    assert done.returncode == 0
    assert f"WorkingDirectory={tmp_path}\n" in done.stdout
    assert run(tmp_path, "service", "install", "--dry-run", MCM_API_PORT="none").returncode == 2


@pytest.mark.skipif(SYSTEMD, reason="systemd runs this machine")
@pytest.mark.parametrize("verb", ["install", "status", "uninstall"])
def test_where_systemd_does_not_run_the_machine_that_is_a_sentence(tmp_path: Path, verb: str) -> None:
    done = run(tmp_path, "service", verb)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: systemd does not run this machine")
    assert "matlabctl serve" in done.stderr
