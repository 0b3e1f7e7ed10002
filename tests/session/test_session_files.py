"""The user's files, by the service without a container; and over both ways in, with one."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from matlab.session_service import files as files_module
from matlab.session_service.files import LARGEST_TEXT, FileFault, Files
from tests.session.conftest import Session


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "scripts").mkdir(parents=True)
    (home / "scripts/a.m").write_text("x = 1;\n")
    (tmp_path / "secret").write_text("not theirs")
    (home / "out").symlink_to(tmp_path)
    (home / "in").symlink_to("scripts")
    return home


def reason(files: Files, method: str, *args: object) -> str:
    with pytest.raises(FileFault) as caught:
        getattr(files, method)(*args)
    assert str(caught.value).endswith(".")
    return caught.value.reason


def test_a_folder_is_listed_folders_first(home: Path) -> None:
    (home / "B.txt").write_text("12345")
    entries = Files(home).list()["entries"]
    assert [(e["name"], e["kind"], e["link"]) for e in entries] == [
        ("in", "folder", True),
        ("out", "folder", True),
        ("scripts", "folder", False),
        ("B.txt", "file", False),
    ]
    assert entries[-1]["size"] == 5


def test_what_is_removed_while_its_folder_is_listed_is_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = files_module._described

    def described_too_late(entry: os.DirEntry[str]) -> dict[str, Any]:
        if entry.name == "a.m":
            os.unlink(entry)
        return described(entry)

    (home / "scripts/b.m").touch()
    monkeypatch.setattr(files_module, "_described", described_too_late)
    assert [e["name"] for e in Files(home).list("scripts")["entries"]] == ["b.m"]


def test_a_name_may_be_as_long_as_the_system_takes_it(home: Path) -> None:
    name = "中" * 84 + ".m"  # 254 bytes
    Files(home).write(name, "1")
    assert (home / name).read_text() == "1"


def test_a_file_is_read_changed_and_not_overwritten_blindly(home: Path) -> None:
    files = Files(home)
    read = files.read("scripts/a.m")
    assert read["text"] == "x = 1;\n"
    written = files.write("scripts/a.m", "x = 2;\n", read["revision"])
    assert (home / "scripts/a.m").read_text() == "x = 2;\n"
    assert reason(files, "write", "scripts/a.m", "x = 3;\n", read["revision"]) == "changed"
    assert reason(files, "write", "scripts/a.m", "x = 3;\n", None) == "changed"
    assert files.write("new.m", "1", None)["revision"] != written["revision"]
    files.write("scripts/a.m", "whatever")
    assert sorted(p.name for p in home.iterdir()) == ["in", "new.m", "out", "scripts"]


def test_the_mode_of_a_file_is_kept(home: Path) -> None:
    (home / "run.sh").write_text("1")
    (home / "run.sh").chmod(0o750)
    Files(home).write("run.sh", "2")
    assert (home / "run.sh").stat().st_mode & 0o777 == 0o750


def test_entries_are_made_moved_and_removed(home: Path) -> None:
    files = Files(home)
    files.mkdir("new")
    files.rename("scripts/a.m", "new/b.m")
    assert reason(files, "mkdir", "new") == "exists"
    assert reason(files, "rename", "new", "scripts") == "exists"
    files.remove("new")
    assert not (home / "new").exists()
    assert reason(files, "remove", "new") == "not_found"


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "scripts/../../secret", "out/secret", "a\0b"])
@pytest.mark.parametrize("method", ["list", "read", "write", "file", "remove", "mkdir", "rename"])
def test_nothing_leads_out_of_the_users_folder(home: Path, path: str, method: str) -> None:
    more = {"write": ["x"], "rename": ["scripts/z"]}.get(method, [])
    assert reason(Files(home), method, path, *more) == "outside"
    assert (home.parent / "secret").read_text() == "not theirs"


def test_a_link_inside_is_followed_and_one_to_elsewhere_can_only_be_removed(home: Path) -> None:
    files = Files(home)
    assert files.read("in/a.m")["text"] == "x = 1;\n"
    files.remove("out")
    assert (home.parent / "secret").exists()
    files.remove("in")
    assert (home / "scripts/a.m").exists()


@pytest.mark.parametrize("path", ["", ".", "scripts/.."])
def test_the_users_folder_itself_stays(home: Path, path: str) -> None:
    assert reason(Files(home), "remove", path) == "outside"
    assert reason(Files(home), "rename", path, "other") == "outside"


def test_what_is_no_text_or_too_large_is_not_opened(home: Path) -> None:
    (home / "image").write_bytes(b"\x89PNG\xff")
    (home / "large").write_bytes(b"x" * (LARGEST_TEXT + 1))
    files = Files(home)
    assert reason(files, "read", "image") == "not_text"
    assert reason(files, "read", "large") == "too_large"
    assert reason(files, "read", "scripts") == "not_a_file"
    assert reason(files, "read", "x" * 300) == "refused"


# ---------------------------------------------------------------- in a container


async def test_files_written_by_the_page_are_run_by_the_interpreter(shared: Session) -> None:
    peer = await shared.connect()
    before = (await shared.health())["last_activity"]
    written = await peer.call("files.write", path="scripts/thrice.m", text="y = 3 * x", revision=None)
    assert (await shared.health())["last_activity"] > before
    assert (await peer.eval("x = 5; run scripts/thrice.m"))["output"] == "y = 15\n"
    error = await peer.refused("files.write", path="scripts/thrice.m", text="", revision="old")
    assert (error["code"], error["data"]["reason"]) == (-32003, "changed")
    assert (await peer.call("files.read", path="scripts/thrice.m"))["revision"] == written["revision"]
    await peer.call("files.rename", path="scripts/thrice.m", to="scripts/triple.m")
    assert [e["name"] for e in (await peer.call("files.list", path="scripts"))["entries"]] == ["triple.m"]
    await peer.call("files.remove", path="scripts/triple.m")
    await peer.call("files.mkdir", path="scripts/deep")
    await peer.call("files.remove", path="scripts/deep")


async def test_files_are_uploaded_and_downloaded(shared: Session) -> None:
    data = bytes(range(256)) * 40_000
    address = f"{shared.page}/files/models/blob 中.bin"
    async with shared.http.put(address, data=io.BytesIO(data)) as answer:
        assert (answer.status, await answer.json()) == (200, {"size": len(data)})
    assert (shared.folder / "models/blob 中.bin").read_bytes() == data
    async with shared.http.get(address) as answer:
        assert await answer.read() == data
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.headers["Content-Security-Policy"] == "sandbox"
    peer = await shared.connect()
    await peer.call("files.remove", path="models/blob 中.bin")
    async with shared.http.get(address) as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/files/../../etc/passwd", 403),
        ("/files/%2e%2e/%2e%2e/etc/passwd", 403),
        ("/files//etc/passwd", 403),
        ("/files/%2Fetc%2Fpasswd", 403),
        ("/files/a%00b", 403),
        ("/files/scripts", 400),
        ("/files/out/passwd", 403),
        ("/files/%6fut/passwd", 403),
        ("/files/scripts/..%2f..%2f..%2fetc/passwd", 403),
    ],
)
async def test_paths_that_lead_elsewhere_are_refused(shared: Session, path: str, status: int) -> None:
    with contextlib.suppress(FileExistsError):
        (shared.folder / "out").symlink_to("/etc")
    for method in ("GET", "PUT"):
        async with shared.http.request(method, URL(shared.page + path, encoded=True)) as answer:
            assert answer.status in (status, 404)
            assert "error" in await answer.json()


async def test_other_sites_do_not_get_at_files(shared: Session) -> None:
    for method in ("GET", "PUT"):
        headers = {"Origin": "https://evil.example"}
        async with shared.http.request(method, f"{shared.page}/files/x", headers=headers) as answer:
            assert answer.status == 403
    assert not (shared.folder / "x").exists()
