"""What the stages of the set-up share: telling its steps, running commands quietly, installing Debian packages.

Standard library only: it also runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:  # an image is built after the packages are installed
    from docker import DockerClient

ROOT = Path(__file__).resolve().parent.parent

STEPS = {
    "dev": ("Python", "Packages"),
    "image": ("Python", "Packages", "Docker engine", "Base image", "Pages", "Session image"),
    "image-full": ("Python", "Packages", "Docker engine", "Base image", "Pages", "Session image"),
    "run": ("Python", "Packages", "Docker engine", "Base image", "Pages", "Session image", "Controller"),
    "bench": ("Python", "Packages", "Docker engine", "Base image", "Pages", "Session image", "Benchmark"),
    "test": ("Python", "Packages", "Docker engine", "Base image", "Pages", "Session image", "Test tools", "Tests"),
}
"""What each goal goes through, in order."""


class SetupFailed(Exception):
    """A step cannot be done; says what to do about it. `output` is what the failing command printed."""

    def __init__(self, sentence: str, output: str = "") -> None:
        super().__init__(sentence)
        self.output = output


class Step:
    """One line of the set-up: rewritten on a terminal while the step goes on; a log gets its long parts and its end."""

    def __init__(self, heading: str) -> None:
        self._heading = heading
        self._live = sys.stdout.isatty()
        self._began = time.monotonic()
        self._result = "done"
        self._show("")

    def doing(self, what: str) -> None:
        """Tell of a part that takes its time."""
        if self._live:
            self._show(what)
        else:
            print(f"      {what}", flush=True)

    def passing(self, line: str) -> None:
        """Show the latest line of a running command, where that can be overwritten again."""
        if self._live:
            self._show(line)

    def done(self, result: str) -> None:
        """What there is to say about the step once it is over."""
        self._result = result

    def close(self, ok: bool) -> None:
        result = self._result if ok else "failed"
        clear = "\r\033[K" if self._live else ""
        print(f"{clear}{self._heading} … {result} ({time.monotonic() - self._began:.1f} s)", flush=True)

    def _show(self, what: str) -> None:
        if self._live:
            room = shutil.get_terminal_size().columns - len(self._heading) - 4
            printable = "".join(c for c in what.strip() if c.isprintable())
            print(f"\r\033[K{self._heading} … {printable[: max(room, 0)]}", end="", flush=True)


@contextmanager
def step(goal: str, title: str) -> Iterator[Step]:
    """Announce a step of the goal, and how it ended."""
    titles = STEPS[goal]
    it = Step(f"[{titles.index(title) + 1}/{len(titles)}] {title}")
    try:
        yield it
    except BaseException:
        it.close(ok=False)
        raise
    it.close(ok=True)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two set-ups at once must not fill one folder, or start two engines. This file itself is the lock."""
    with Path(__file__).open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("      waiting for another set-up of this folder", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def telling_failures() -> Iterator[None]:
    """End the program as a person would want it to: the output that matters, one sentence, exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a locale without "…" is no reason to fail
    try:
        yield
    except SetupFailed as failure:
        if failure.output:
            print(failure.output.rstrip(), file=sys.stderr)
        print(f"\nCannot go on: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nInterrupted; what is done stays done, the next run goes on from here.", file=sys.stderr)
        sys.exit(130)


def run(at: Step, command: Sequence[str | Path], advice: str) -> None:
    """Run a command without its noise.

    Raises:
        SetupFailed: it failed; with the end of its output, and `advice` as what to do.
    """
    printed: deque[str] = deque(maxlen=60)
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        for raw in process.stdout or ():
            line = raw.decode(errors="replace")
            printed.append(line)
            at.passing(line)
    if process.returncode != 0:
        shown = " ".join(str(word) for word in command)
        raise SetupFailed(advice, f"$ {shown}\n{''.join(printed)}(exit code {process.returncode})")


def build_image(engine: DockerClient, at: Step, archive: IO[bytes], tag: str, advice: str, **options: Any) -> None:
    """Build an image from what is in the archive, and tell of each step.

    Raises:
        SetupFailed: it failed; with the end of its output, and `advice`.
    """
    printed: list[str] = []
    reports = engine.api.build(
        fileobj=archive,
        custom_context=True,
        tag=tag,
        rm=True,
        forcerm=True,
        decode=True,
        use_config_proxy=True,
        timeout=1800,
        **options,
    )
    for report in reports:
        text = str(report.get("stream") or report.get("error") or "").strip()
        if not text:
            continue
        printed.append(text)
        if "error" in report:
            raise SetupFailed(advice, "\n".join(printed[-40:]))
        tell: Callable[[str], None] = at.doing if text.startswith("Step ") else at.passing
        tell(" ".join(text.splitlines()[-1].split())[:110])


def may_be_root() -> bool:
    return os.geteuid() == 0 or shutil.which("sudo") is not None


def as_root(*command: str | Path) -> list[str | Path]:
    """The command as root may run it: as it is, or through sudo. Only where `may_be_root`."""
    if os.geteuid() == 0:
        return list(command)
    # without a terminal nobody can type a password: fail instead of waiting for one
    return ["sudo", *([] if sys.stdin.isatty() else ["-n"]), *command]


def can_install() -> bool:
    """Whether this is a Debian-like machine on which we may become root."""
    return shutil.which("apt-get") is not None and may_be_root()


def install(at: Step, packages: Sequence[str], advice: str) -> None:
    """Install Debian packages, without what they merely recommend. Only where `can_install`.

    Raises:
        SetupFailed: as `run`.
    """
    at.doing(f"installing {' '.join(packages)} with apt-get")
    apt = as_root("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300")
    # a source that cannot be reached need not hold what we want: whether it does, the installation tells
    # nor need we wait for it: apt-get has been seen to do so for ever
    update = as_root("timeout", "180", "apt-get", "update")
    subprocess.run(update, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    run(at, [*apt, "install", "-y", "--no-install-recommends", *packages], advice)
