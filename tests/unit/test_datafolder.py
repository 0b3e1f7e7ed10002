"""A user's data folder: made whole or not at all, and left alone from then on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller import datafolder
from controller.errors import DataFolderGone, DataFolderUnusable

OURS = f"{os.geteuid()}:{os.getegid()}"


def test_it_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "user_7"
    datafolder.prepare(folder, OURS)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert os.listdir(folder.parent) == ["user_7"]


def test_one_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "user_7"
    folder.mkdir(mode=0o755)
    (folder / "results.txt").write_text("42")
    datafolder.prepare(folder, "4711:4711")
    assert folder.stat().st_mode & 0o777 == 0o755
    assert folder.stat().st_uid == os.geteuid()
    assert (folder / "results.txt").read_text() == "42"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "user_7"
    if kind == "file":
        folder.touch()
    else:
        folder.symlink_to(tmp_path)
    with pytest.raises(DataFolderUnusable, match="not a folder"):
        datafolder.prepare(folder, OURS)
    with pytest.raises(DataFolderUnusable, match="not a folder"):
        datafolder.require(folder)


def test_one_that_is_gone_is_told_of_and_not_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "user_7"
    with pytest.raises(
        DataFolderGone, match=r"user_7 is not there any more, so its user's session cannot be started\."
    ):
        datafolder.require(folder)
    assert not folder.exists()
    datafolder.prepare(folder, OURS)
    datafolder.require(folder)


def test_one_that_could_not_be_given_to_its_owner_is_not_there_and_made_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, given = tmp_path / "user_7", []

    def interrupted(*_: object, **__: object) -> None:
        raise OSError(5, "as if the controller was killed here")

    monkeypatch.setattr(os, "chown", interrupted)
    with pytest.raises(DataFolderUnusable):
        datafolder.prepare(folder, "4711:4712")
    assert not folder.exists(), "nobody would ever give it to its owner"
    monkeypatch.setattr(os, "chown", lambda path, uid, gid, **_: given.append((os.stat(path).st_ino, uid, gid)))
    datafolder.prepare(folder, "4711:4712")
    assert given == [(folder.stat().st_ino, 4711, 4712)]
    assert os.listdir(tmp_path) == ["user_7"]
