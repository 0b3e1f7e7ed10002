"""What a folder takes is what `du` says, whatever a stranger put into it and does with it meanwhile."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from controller import disk_usage
from controller.disk_usage import Census

MIB = 2**20


def counted(folder: Path) -> Census:
    census = Census(folder)
    while not census.work(0.001):
        pass
    return census


def du(folder: Path) -> int:
    return int(subprocess.check_output(("du", "-s", "-x", "--block-size=1", folder)).split()[0])


def fill(file: Path, size: int) -> None:
    file.write_bytes(os.urandom(size))


def test_it_counts_as_du_does(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "user_7"
    outside.mkdir()
    fill(outside / "large", MIB)
    for name in ("a", "a/b", "a/b/c", "empty"):
        (folder / name).mkdir(parents=True)
    fill(folder / "a/one", 70_001)
    fill(folder / "a/b/c/two", 5_000)
    os.link(folder / "a/one", folder / "a/b/one again")
    (folder / "file").symlink_to(outside / "large")
    (folder / "folder").symlink_to(outside)
    (folder / "up").symlink_to("..")
    os.mkfifo(folder / "pipe")
    os.mkdir(os.fsencode(folder) + b"/\xff\n")
    with (folder / "sparse").open("wb") as sparse:
        sparse.truncate(100 * MIB)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        census = counted(folder)
        assert (census.size, census.complete) == (du(folder), True)
    assert 75_000 < census.size < MIB


def test_it_stays_on_its_file_system() -> None:
    if os.stat("/dev").st_dev == os.stat("/dev/shm").st_dev:
        pytest.skip("no other file system lies within /dev here")
    file = Path("/dev/shm") / f"mcm-test-{os.getpid()}"
    fill(file, MIB)
    try:
        assert counted(Path("/dev")).size == du(Path("/dev")) < MIB
    finally:
        file.unlink()


def test_what_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    census = counted(tmp_path / "user_7")
    assert (census.size, census.complete) == (0, True)


def test_a_link_in_the_folder_s_place_is_not_followed(tmp_path: Path) -> None:
    fill(tmp_path / "large", MIB)
    (tmp_path / "user_7").symlink_to(tmp_path)
    census = counted(tmp_path / "user_7")
    assert (census.size, census.complete) == (0, False)


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "user_7"
    outside.mkdir()
    fill(outside / "large", MIB)
    for n in range(50):
        (folder / f"f{n}").mkdir(parents=True)
    census = Census(folder)
    census.work(0)  # the folder itself is open, and nothing in it looked at
    for each in list(folder.iterdir()):
        each.rmdir()
        each.symlink_to(outside)
    assert census.work(60)
    assert census.size < MIB


def test_what_disappears_meanwhile_is_gone(tmp_path: Path) -> None:
    for n in range(20):
        (tmp_path / f"user_7/a/{n}").mkdir(parents=True)
        fill(tmp_path / f"user_7/a/{n}/file", 1000)
    census = Census(tmp_path / "user_7")
    while not census.size:
        census.work(0.00001)
    shutil.rmtree(tmp_path / "user_7")
    assert census.work(60)
    assert census.complete


def test_neither_depth_nor_links_take_more_than_is_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_before = len(os.listdir("/proc/self/fd"))
    deep = tmp_path / "deep"
    deep.mkdir()
    within = os.open(deep, os.O_RDONLY)
    for _ in range(3 * disk_usage.DEEPEST):  # deeper than any path may be long
        os.mkdir("d" * 100, dir_fd=within)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=within)
        os.close(within)
        within = below
    os.close(within)
    assert not counted(deep).complete
    assert len(os.listdir("/proc/self/fd")) == open_before

    monkeypatch.setattr(disk_usage, "MOST_LINKS", 3)
    linked = tmp_path / "linked"
    linked.mkdir()
    for n in range(5):
        fill(linked / f"{n}", 5000)
        os.link(linked / f"{n}", linked / f"{n} again")
    census = counted(linked)
    assert not census.complete
    assert 0 < census.size < du(linked)


def test_who_gives_up_says_so_and_holds_nothing_open(tmp_path: Path) -> None:
    open_before = len(os.listdir("/proc/self/fd"))
    (tmp_path / "a/b").mkdir(parents=True)
    census = Census(tmp_path)
    assert not census.work(0)
    census.give_up()
    assert census.work(60)
    assert not census.complete
    assert len(os.listdir("/proc/self/fd")) == open_before
