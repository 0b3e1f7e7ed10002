"""What the container may use, read from its cgroup (v1 or v2), and the memory guard that follows from it.

The guard: an allocation that goes too far should be an error in the interpreter, not the end of it. So the
interpreter's data segment is limited somewhat below the point where the kernel would kill.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
from pathlib import Path

GUARD_SHARE = 0.85
"""Of the container's memory; the rest is for the service, for /tmp and for what RLIMIT_DATA does not count."""

CGROUP = Path("/sys/fs/cgroup")
NO_LIMIT = 1 << 60
"""cgroup v1 writes "no limit" as a huge number."""


def memory_limit(cgroup: Path = CGROUP) -> int | None:
    """Bytes, or `None` where there is no limit."""
    for file in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            limit = int((cgroup / file).read_text())
            return limit if limit < NO_LIMIT else None
    return None


def memory_used(cgroup: Path = CGROUP) -> int | None:
    """Bytes, without the file cache that the kernel gives back when asked; `None` where the kernel does not tell."""
    for used, stat, cache in (
        ("memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):
            return max(0, int((cgroup / used).read_text()) - _field(cgroup / stat, cache))
    return None


def cpu_seconds(cgroup: Path = CGROUP) -> float | None:
    """Seconds of work since the container started, of all cores; `None` where the kernel does not tell."""
    with contextlib.suppress(OSError, ValueError):
        return _field(cgroup / "cpu.stat", "usage_usec") / 1e6
    for file in ("cpuacct/cpuacct.usage", "cpu,cpuacct/cpuacct.usage"):
        with contextlib.suppress(OSError, ValueError):
            return int((cgroup / file).read_text()) / 1e9
    return None


def cpus(cgroup: Path = CGROUP) -> int:
    """Whole cores, at least one: as many threads as are of use."""
    quota, period = _cpu_quota(cgroup)
    available = len(os.sched_getaffinity(0))
    return max(1, min(available, math.ceil(quota / period))) if quota > 0 else available


def guard_memory(pid: int, limit: int | None) -> None:
    """Hold a process and what it starts from now on to its share of `limit` bytes; may be called again to change it."""
    soft = int(limit * GUARD_SHARE) if limit is not None else resource.RLIM_INFINITY
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (soft, resource.RLIM_INFINITY))


def prefer_as_victim(pid: int) -> None:
    """If the kernel has to kill all the same, let it be the interpreter: the service then heals the session."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("800")


def _cpu_quota(cgroup: Path) -> tuple[int, int]:
    """Microseconds of work per microseconds of time; (-1, 1) where there is no limit."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        return (int(quota), int(period)) if quota != "max" else (-1, 1)
    with contextlib.suppress(OSError, ValueError):
        folder = cgroup / "cpu"
        return int((folder / "cpu.cfs_quota_us").read_text()), int((folder / "cpu.cfs_period_us").read_text())
    return -1, 1


def _field(file: Path, name: str) -> int:
    """Raises `ValueError` where the file has no such line."""
    for line in file.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    raise ValueError(f"{file} has no {name}")
