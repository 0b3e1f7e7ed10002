"""The virtual environment `.venv`, filled from the lock file; then over to setup_engine.py, which needs what is in it.

Run by scripts/setup, with whatever Python that found. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

from setup_steps import ROOT, Step, one_at_a_time, run, step, telling_failures

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
"""By kind of environment. The second holds all of the first, at the same versions."""

NO_PACKAGES = (
    "the Python packages cannot be installed; check that the package index can be reached (pip's own settings and the "
    "usual proxy variables are used as they are)."
)


def main(goal: str, arguments: list[str]) -> None:
    with step(goal, "Python") as now:
        now.done(f"{platform.python_version()} ({sys.executable})")
    with step(goal, "Packages") as now, one_at_a_time():
        provide("dev" if goal in ("dev", "test", "bench") else "run", now)
    if goal != "dev":
        os.execv(PYTHON, [str(PYTHON), "-B", str(ROOT / "scripts" / "setup_engine.py"), goal, *arguments])


def provide(kind: str, now: Step) -> None:
    """Make or complete the environment, unless it already is what lock file and pyproject.toml say."""
    stamp = VENV / f".{kind}-is-current"
    if stamp.exists() and os.access(PYTHON, os.X_OK) and stamp.read_text() == fingerprint(kind):
        now.done("up to date")
        return
    lock = ROOT / LOCKS[kind]
    if not usable():
        now.doing("making .venv")
        run(
            now,
            [sys.executable, "-m", "venv", "--clear", VENV],
            f".venv cannot be made; check that {ROOT} can be written to.",
        )
    now.doing(f"installing from {lock.name}")
    pip: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
    ]
    run(now, [*pip, "--require-hashes", "-r", lock], NO_PACKAGES)
    # setuptools came with the lock: building our own package fetches nothing more
    run(
        now,
        [*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT],
        "this project itself cannot be installed; see above.",
    )
    for fulfilled in ("dev", "run") if kind == "dev" else ("run",):
        (VENV / f".{fulfilled}-is-current").write_text(fingerprint(fulfilled))
    now.done(f"installed {lock.name}")


def usable() -> bool:
    """Whether .venv has a Python new enough with its pip; not so after the system's Python was replaced."""
    check = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    return PYTHON.exists() and subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode == 0


def fingerprint(kind: str) -> str:
    """Of all that the environment depends on; its place too, for scripts in it name their interpreter by path."""
    known = hashlib.sha256()
    for part in ((ROOT / LOCKS[kind]).read_bytes(), (ROOT / "pyproject.toml").read_bytes()):
        known.update(hashlib.sha256(part).digest())
    known.update(f"{VENV} {PYTHON.resolve()}".encode())
    return known.hexdigest()


if __name__ == "__main__":
    with telling_failures():
        main(sys.argv[1], sys.argv[2:])
