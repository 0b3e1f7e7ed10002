"""One repository of our own, and a real git to work on it. All of it blocks.

Git asks nobody anything, reads no configuration but ours, runs no hook, and has so long and no longer. Nothing is
checked out, so nothing that a repository holds is ever run or written to the disk as a file.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from controller.errors import MatlabManagerError
from controller.home_settings import without_password
from controller.store import Commit

log = logging.getLogger(__name__)

LOCAL_SECONDS, REMOTE_SECONDS = 20.0, 30.0
"""What a call may take, within our repository and with the remote."""
LEFTOVER_SECONDS = 5.0
"""So long a start waits for what a killed controller's git still does; one that waits for its remote holds nothing."""
NOBODY = "MATLAB Container Manager"
ADDRESS = "matlab-container-manager@localhost"

_INHERITED = (
    *("PATH", "HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
)
"""HOME for ssh's and curl's own files (`.ssh`, `.netrc`); git's are not read."""
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15",
    "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C.UTF-8",
    "GIT_AUTHOR_NAME": NOBODY,
    "GIT_AUTHOR_EMAIL": ADDRESS,
    "GIT_COMMITTER_NAME": NOBODY,
    "GIT_COMMITTER_EMAIL": ADDRESS,
}
_CONFIG = {
    "core.hooksPath": os.devnull,
    "core.fsync": "committed,reference",
    "transfer.fsckObjects": "true",
    "gc.autoDetach": "false",
    "commit.gpgSign": "false",
    "safe.bareRepository": "all",
    # A repository named by a path may well belong to another user; it is fetched from, never worked in.
    "safe.directory": "*",
}
_HELPER = (
    """!told() { [ "$1" = get ] && printf 'username=%s\\npassword=%s\\n' "$MCM_GIT_NAME" "$MCM_GIT_TOKEN"; }; told"""
)
"""Asked by git once the remote wants to know who we are."""
_NO_REMOTE = "fatal: Could not read from remote repository."


class GitFailed(MatlabManagerError):
    """Git did not do what was asked; the sentence has its own words."""

    code = "git_failed"


class Git:
    """A bare repository in `folder` that knows one remote as `origin`."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        address, login, config = _parted(url)
        config = {**_CONFIG, "remote.origin.url": address, **config}
        self._environment = {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            **_ENVIRONMENT,
            **login,
            "GIT_DIR": str(folder),
            **_as_variables(config),
        }
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._stopped = False
        self._alive = -1
        """A file that every git of ours has open and locked: whoever gets the lock knows that none is left."""

    @property
    def folder(self) -> Path:
        return self._folder

    def open(self) -> None:
        """Make the repository, or clear away what a killed git left locked in it.

        Raises:
            GitFailed: git is not there, or the folder cannot be used.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._alive = os.open(self._folder / "alive", os.O_RDWR | os.O_CREAT, 0o600)
            if not _locked(self._alive, LEFTOVER_SECONDS):
                log.warning("a git of the controller's last life still runs", extra={"pairs": {"in": self._folder}})
            for folder, _, files in os.walk(self._folder):  # it may still make folders and remove them
                for name in files:
                    if name.endswith(".lock"):
                        Path(folder, name).unlink(missing_ok=True)
        except OSError as error:
            raise GitFailed(f"{self._folder} cannot be used: {error.strerror}") from error
        self.run("init", "--quiet", "--bare", "--template=")

    def stop(self) -> None:
        """End whatever git does now, and let it begin nothing more."""
        with self._guard:
            self._stopped = True
            for process in self._running:
                _kill(process)
            if self._alive >= 0:
                os.close(self._alive)
                self._alive = -1

    # ------------------------------------------------------------ what is asked of it

    def fetch(self, branch: str, ref: str) -> None:
        """Raises GitFailed."""
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        self.run("fetch", *options, "origin", f"+refs/heads/{branch}:{ref}", seconds=REMOTE_SECONDS)

    def push(self, commit: str, branch: str, expected: str) -> None:
        """Move the branch from `expected` to `commit`, or leave it as it is. Raises GitFailed."""
        lease = f"--force-with-lease=refs/heads/{branch}:{expected}"
        target = f"{commit}:refs/heads/{branch}"
        self.run("push", "--quiet", "--no-verify", lease, "origin", target, seconds=REMOTE_SECONDS)

    def resolve(self, ref: str) -> str | None:
        """The commit that a ref names, if there is one."""
        try:
            found = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        except GitFailed:
            return None
        return found.decode().strip()

    def point(self, ref: str, commit: str) -> None:
        """Raises GitFailed."""
        self.run("update-ref", ref, commit)

    def holds(self, tip: str, commit: str) -> bool:
        """Whether `commit` is among the ancestors of `tip`, or is it. Raises GitFailed."""
        return self.run("rev-list", "--count", "--end-of-options", f"{tip}..{commit}").strip() == b"0"

    def commit(self, commit: str) -> Commit:
        """Raises GitFailed."""
        told = self.run("show", "--no-patch", "--format=%H%x00%an <%ae>%x00%ct%x00%s", "--end-of-options", commit)
        number, author, at, subject = told.decode("utf-8", "replace").rstrip("\n").split("\0")
        return Commit(number, _plain(author), datetime.fromtimestamp(int(at), UTC), _plain(subject))

    def blob(self, commit: str, path: str) -> str | None:
        """The id of what lies there, if it is a file: neither a folder, nor a link, nor a repository of its own.

        Raises GitFailed.
        """
        listed = self.run("ls-tree", "-z", "--full-tree", commit, "--", path).decode("utf-8", "replace")
        match = re.fullmatch(r"100(?:644|755) blob ([0-9a-f]+)\t.*\0", listed, re.DOTALL)
        return match[1] if match else None

    def read(self, blob: str, limit: int) -> bytes:
        """Its bytes; of a larger one, one more than the limit. Raises GitFailed."""
        if int(self.run("cat-file", "-s", blob)) > limit:
            return b" " * (limit + 1)
        return self.run("cat-file", "blob", blob)

    def write(self, parent: str, path: str, raw: bytes, message: str) -> str:
        """A commit that is `parent` with one file changed; nothing refers to it yet. Raises GitFailed."""
        index = self._folder / "index-of-a-write"  # its own, made anew: a lock on any other is none of our business
        for stale in (index, index.with_name(f"{index.name}.lock")):
            stale.unlink(missing_ok=True)
        more = {"GIT_INDEX_FILE": str(index)}
        blob = self.run("hash-object", "-w", "--stdin", given=raw).decode().strip()
        self.run("read-tree", parent, more=more)
        self.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", more=more)
        tree = self.run("write-tree", more=more).decode().strip()
        return self.run("commit-tree", tree, "-p", parent, "-F", "-", given=message.encode()).decode().strip()

    def run(
        self, *command: str, given: bytes = b"", seconds: float = LOCAL_SECONDS, more: Mapping[str, str] | None = None
    ) -> bytes:
        """What git says to this. Raises GitFailed."""
        with self._guard:
            if self._stopped:
                raise GitFailed("the controller stops")
            try:
                process = subprocess.Popen(  # noqa: S603 - a list of words; git itself is the operator's
                    ["git", *command],  # noqa: S607
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={**self._environment, **(more or {})},
                    cwd=self._folder,
                    pass_fds=(self._alive,),
                    start_new_session=True,
                )
            except OSError as error:
                raise GitFailed(f"git cannot be run: {error.strerror}") from error
            self._running.add(process)
        try:
            said, complained = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            raise GitFailed(f"git {command[0]} took more than {seconds:g} s") from None
        finally:
            with self._guard:
                self._running.discard(process)
        if process.returncode != 0:
            raise GitFailed(f"git {command[0]}: {_words(complained) or f'exit code {process.returncode}'}")
        return said


def _parted(url: str) -> tuple[str, Mapping[str, str], Mapping[str, str]]:
    """An address without a password, and where it had one: environment and configuration that tell it to its host.

    Git hands the whole address to the helpers that it starts, where everybody on the machine could read it.
    """
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if parts.scheme not in ("http", "https") or not user:
        return without_password(url), {}, {}
    name, _, token = user.partition(":")
    login = {"MCM_GIT_NAME": unquote(name), "MCM_GIT_TOKEN": unquote(token)}
    return urlunsplit(parts._replace(netloc=host)), login, {f"credential.{parts.scheme}://{host}.helper": _HELPER}


def _words(complained: bytes) -> str:
    """The line that says why: git's and a server's own talk around it left out."""
    text = complained.decode("utf-8", "replace")
    lines = [_plain(line) for line in text.splitlines() if line.strip() and not line.startswith("hint:")]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", " !", "remote:"))]
    if _NO_REMOTE in lines[1:]:  # ssh's last word before it, or the other git's, says why
        telling = [lines[lines.index(_NO_REMOTE) - 1]]
    return "; ".join((telling or lines)[:4])[:500]


def _as_variables(config: Mapping[str, str]) -> dict[str, str]:
    named = {f"GIT_CONFIG_KEY_{i}": key for i, key in enumerate(config)}
    values = {f"GIT_CONFIG_VALUE_{i}": value for i, value in enumerate(config.values())}
    return {"GIT_CONFIG_COUNT": str(len(config)), **named, **values}


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text).strip()[:300]


def _locked(file: int, seconds: float) -> bool:
    """Whether the lock on it could be had within so long."""
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)
        else:
            return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With the helpers (ssh, a transport) that it has started: they are a group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
