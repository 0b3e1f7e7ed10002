"""The layout of a user's folder, made on first use from inside, as the session's user. What is there is left alone."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

FOLDERS = ("commands", "results", "scripts", "logs", "command_queue", "models", "Documents/MATLAB")
STARTUP = "Documents/MATLAB/startup.m"

STARTUP_TEXT = """\
% Runs at the start of every session, after the system's own start-up. Put your settings here.
% 每次会话启动时最后运行本文件，可在此写入自己的设置。
%
% format long
% addpath (fullfile (pwd, "scripts"))
"""


def lay_out(home: Path) -> None:
    """What cannot be made (disk full, a file in its place) is logged and does not keep the session from coming up."""
    for name in FOLDERS:
        with _logged(home / name):
            (home / name).mkdir(parents=True, exist_ok=True)
    with _logged(home / STARTUP):
        _write_new(home / STARTUP, STARTUP_TEXT)


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.warning("not made in the user's folder", extra={"path": str(path), "reason": error.strerror})


def _write_new(file: Path, text: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
