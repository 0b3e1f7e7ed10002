"""Use is read from the kernel's files of both cgroup generations, and told as the docker CLI tells it."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from controller.engine.cgroups import CgroupReader
from tests.worlds import GIB, a_container

ID = "c" * 64
MIB = 2**20


class Host:
    """The files of one container as a kernel shows them, below a folder."""

    def __init__(self, folder: Path, version: int, group: str) -> None:
        self.proc, self.cgroups = folder / "proc", folder / "cgroup"
        self.version, self.group = version, group
        (self.proc / "4711").mkdir(parents=True)
        lines = ["0::/" + group] if version == 2 else [f"4:memory:/{group}", f"2:cpu,cpuacct:/{group}", f"0::/{group}"]
        (self.proc / "4711" / "cgroup").write_text("\n".join(lines) + "\n")
        before, _, after = group.partition(ID)
        own = before + ID + after.partition("/")[0]
        if version == 2:
            self.files = dict.fromkeys(("cpu", "memory"), self.cgroups / own)
        else:
            self.files = {"cpu": self.cgroups / "cpuacct" / own, "memory": self.cgroups / "memory" / own}
        for folder in self.files.values():
            folder.mkdir(parents=True, exist_ok=True)

    def says(self, cpu_seconds: float, used: int, inactive: int, limit: int | None) -> None:
        cpu, memory = self.files["cpu"], self.files["memory"]
        if self.version == 2:
            (cpu / "cpu.stat").write_text(f"usage_usec {round(cpu_seconds * 1e6)}\nuser_usec 1\n")
            (memory / "memory.current").write_text(f"{used}\n")
            (memory / "memory.stat").write_text(f"anon 7\nfile 9\ninactive_file {inactive}\n")
            (memory / "memory.max").write_text("max\n" if limit is None else f"{limit}\n")
        else:
            (cpu / "cpuacct.usage").write_text(f"{round(cpu_seconds * 1e9)}\n")
            (memory / "memory.usage_in_bytes").write_text(f"{used}\n")
            (memory / "memory.stat").write_text(f"cache 1\ninactive_file 5\ntotal_inactive_file {inactive}\n")
            (memory / "memory.limit_in_bytes").write_text(f"{2**63 - 4096 if limit is None else limit}\n")

    def reader(self) -> CgroupReader:
        return CgroupReader(str(self.proc), str(self.cgroups))


GROUPS = [f"docker/{ID}", f"system.slice/docker-{ID}.scope", f"docker/{ID}/init"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("group", GROUPS)
def test_memory_is_told_without_pages_that_can_be_had_back(tmp_path: Path, version: int, group: str) -> None:
    host = Host(tmp_path, version, group)
    host.says(1, used=100 * MIB, inactive=30 * MIB, limit=GIB)
    usage = host.reader().read([a_container(id=ID)])[ID]
    assert (usage.memory, usage.memory_limit) == (70 * MIB, GIB)


@pytest.mark.parametrize("version", [1, 2])
def test_no_limit_of_the_group_means_that_of_the_container(tmp_path: Path, version: int) -> None:
    host = Host(tmp_path, version, GROUPS[0])
    host.says(1, used=MIB, inactive=0, limit=None)
    assert host.reader().read([a_container(id=ID, memory=4 * GIB)])[ID].memory_limit == 4 * GIB


@pytest.mark.parametrize("version", [1, 2])
def test_cpu_is_the_share_of_a_core_since_the_last_reading(
    tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, clock = Host(tmp_path, version, GROUPS[1]), [100.0]
    monkeypatch.setattr("controller.engine.cgroups.time.monotonic", lambda: clock[0])
    reader, container = host.reader(), a_container(id=ID)
    host.says(10, used=MIB, inactive=0, limit=GIB)
    reader.read([container])
    host.says(13, used=MIB, inactive=0, limit=GIB)
    clock[0] += 2
    assert reader.read([container])[ID].cpu_percent == pytest.approx(150)
    clock[0] += 0.01  # too short a span to tell anything new from
    assert reader.read([container])[ID].cpu_percent == pytest.approx(150)


@pytest.mark.parametrize("version", [1, 2])
def test_nothing_is_kept_of_runs_that_are_over(tmp_path: Path, version: int) -> None:
    """Found by `make soak`: each run left the paths of all its controllers behind, up to 2,000 times some 3 KB."""
    host = Host(tmp_path, version, GROUPS[0])
    host.says(1, used=MIB, inactive=0, limit=GIB)
    reader, kept = host.reader(), []
    for pid in range(4712, 4812):
        shutil.copytree(host.proc / "4711", host.proc / str(pid))
        assert reader.read([a_container(id=ID, pid=pid)])
        kept.append(len(pickle.dumps(vars(reader))))
    assert kept[-1] < 2 * kept[0]


def test_a_container_that_is_not_here_is_left_out(tmp_path: Path) -> None:
    host = Host(tmp_path, 2, GROUPS[0])
    host.says(1, used=MIB, inactive=0, limit=GIB)
    elsewhere = a_container(id="d" * 64)
    assert host.reader().read([elsewhere, a_container(id="e" * 64, pid=0), a_container(id="f" * 64, pid=12)]) == {}
