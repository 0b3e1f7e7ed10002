"""The peers' packages, in a folder of their own outside the tree: installed once, each at one version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.peers import Missing
from tests.rig import ROOT

PYTHON = ("flask==3.1.3", "jupyterhub==6.1.1", "dockerspawner==14.0.0")
NODE = "configurable-http-proxy@5.3.0"


def folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcm-bench"


def python() -> Path:
    """An interpreter that has them.

    Raises:
        Missing: they cannot be installed.
    """
    found = folder() / "venv" / "bin" / "python"
    stamp = folder() / "venv" / "has"
    if not stamp.exists() or stamp.read_text() != " ".join(PYTHON):
        _run(sys.executable, "-m", "venv", "--clear", str(folder() / "venv"))
        _run(str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON)
        stamp.write_text(" ".join(PYTHON))
    return found


def proxy() -> Path:
    """JupyterHub's proxy.

    Raises:
        Missing: it cannot be installed.
    """
    found = folder() / "node" / "node_modules" / ".bin" / "configurable-http-proxy"
    if not found.exists():
        if shutil.which("npm") is None:
            raise Missing("there is no npm here, which JupyterHub's proxy comes by")
        _run("npm", "install", "--silent", "--prefix", str(folder() / "node"), NODE)
    return found


def compose() -> Path:
    """Docker Compose v2: what is here, or else Debian's.

    Raises:
        Missing: there is neither.
    """
    places = ("/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/local/lib/docker/cli-plugins")
    for place in (Path.home() / ".docker" / "cli-plugins", *map(Path, places)):
        if (place / "docker-compose").exists():
            return place / "docker-compose"
    tree = _run(str(ROOT / "scripts" / "tree"), "trixie").strip()
    return ROOT / tree / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-compose"


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as error:
        raise Missing(f"there is no {command[0]} here") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines()[-1:]
        raise Missing(f"`{' '.join(command[:4])} …` failed: {''.join(last)}") from error
