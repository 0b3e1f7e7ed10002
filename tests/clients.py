"""The session's example clients, and what their readers run them with."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[1] / "examples" / "clients"


def node_with_websocket() -> list[str]:
    """The command; where there is none, the test is skipped."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node here to run the JavaScript client")
    command = [node, "--experimental-websocket"]  # 20 has it behind this flag, 22 without
    script = "process.exit(typeof WebSocket === 'undefined' ? 1 : 0)"
    if subprocess.run([*command, "-e", script], capture_output=True, check=False).returncode != 0:
        pytest.skip("Node is too old here: it has no WebSocket of its own (22 has)")
    return command
