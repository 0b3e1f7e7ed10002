"""`matlabctl` as a person or a script runs it: a process of its own, and a real terminal where that matters."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Awaitable, Callable
from pathlib import Path

Ask = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]
"""A command's words, and how it ended."""
ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "controller"]


def environment(**variables: str) -> dict[str, str]:
    """Ours, without what would set something."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MCM_", "XDG_", "DOCKER_", "PYTHON"))
    }
    return kept | {"PYTHONPATH": str(ROOT)} | variables


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], cwd=folder, env=environment(**variables), capture_output=True, text=True, check=False
    )


def on_terminal(folder: Path, columns: int, *words: str, answer: str = "") -> str:
    """What the command shows on a terminal of this width, with its control sequences; `answer` is typed at once."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {name: value for name, value in environment(TERM="xterm").items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen([*COMMAND, *words], cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer.encode())
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # how Linux says that the other side is closed
        pass
    finally:
        os.close(ours)
        process.wait()
    return shown.decode().replace("\r\n", "\n")


def plain(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)
