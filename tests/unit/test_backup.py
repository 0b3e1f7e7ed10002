"""`matlabctl backup` and `restore`: what they refuse, and what they set aside."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from pathlib import Path

import pytest

from controller import spec
from controller.store.history import History
from tests.shell import run

WISH = "version: 1\nusers:\n  7: {}   # ours\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A controller's folders, as they are after some work."""
    state = tmp_path / "state"
    state.mkdir()
    History(state / "history.sqlite3").close()
    (state / "token-secret").write_bytes(b"0" * 32)
    (state / "lock").write_text("1\n")
    (tmp_path / "desired_state.yaml").write_text(WISH)
    return tmp_path


def ctl(place: Path, *words: str) -> tuple[int, str]:
    done = run(place, *words, MCM_STATE_DIR="state", MCM_DATA_ROOT="data", MCM_INSTANCE="test")
    return done.returncode, done.stdout + done.stderr


def test_a_backup_takes_the_place_of_nothing(place: Path) -> None:
    (place / "kept").write_text("mine")
    assert ctl(place, "backup", "kept") == (
        1,
        "Error: kept is there already, and nothing is overwritten: take another name.\n",
    )
    assert (place / "kept").read_text() == "mine"


def test_where_no_controller_ran_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    code, said = ctl(tmp_path, "backup", "kept")
    assert code == 1
    assert "There is nothing to back up" in said
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_replaced_only_when_asked_and_then_set_aside(place: Path) -> None:
    assert ctl(place, "backup", "kept")[0] == 0
    (place / "desired_state.yaml").write_text("version: 1\nusers: {}\n")
    code, said = ctl(place, "restore", "kept")
    assert code == 1
    assert "With --replace, what is there is set aside." in said
    assert (place / "desired_state.yaml").read_text() == "version: 1\nusers: {}\n"
    code, said = ctl(place, "restore", "kept", "--replace")
    assert code == 0, said
    assert (place / "desired_state.yaml").read_text() == WISH
    [aside] = (place / "state").glob("before-*")
    assert {file.name for file in aside.iterdir()} == {"history.sqlite3", "token-secret", "desired_state.yaml"}
    assert (aside / "desired_state.yaml").read_text() == "version: 1\nusers: {}\n"
    assert (place / "state" / "token-secret").stat().st_mode & 0o777 == 0o600


def test_the_settings_come_back_where_there_are_none(place: Path) -> None:
    (place / "controller.yaml").write_text("max_users: 7\n")
    assert ctl(place, "backup", "kept")[0] == 0
    (place / "controller.yaml").unlink()
    code, said = ctl(place, "restore", "kept", "--replace")
    assert code == 0
    assert "controller.yaml is that of the backup." in said
    assert (place / "controller.yaml").read_text() == "max_users: 7\n"


def test_a_state_in_a_database_is_brought_back_to_a_file(place: Path) -> None:
    text = f"{spec.EMPTY_WISH}".replace("users: {}", "users: {3: {}}")
    (place / "controller.yaml").write_text("desired_state: {sqlite: wish.sqlite3}\n")
    (place / "desired_state.yaml").unlink()
    with sqlite3.connect(place / "wish.sqlite3") as database:
        database.execute(
            "CREATE TABLE desired_state (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT NOT NULL) STRICT"
        )
        database.execute("INSERT INTO desired_state VALUES (1, ?)", (text,))
    database.close()
    assert ctl(place, "backup", "kept")[0] == 0
    (place / "controller.yaml").write_text("")
    assert ctl(place, "restore", "kept", "--replace")[0] == 0
    assert (place / "desired_state.yaml").read_text() == text


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"manifest.json": b"{}"},
        {"manifest.json": b"rubbish"},
        {"../escaped": b""},
        {"state/../escaped": b""},
        {"/etc/escaped": b""},
        {"state/lock": b"1"},
        {"strange": b""},
    ],
)
def test_what_is_no_backup_is_told_and_touches_nothing(place: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(place / "kept", "w:gz") as archive:
        for name, raw in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    code, said = ctl(place, "restore", "kept", "--replace")
    assert code == 1
    assert "is no backup of this program" in said
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == before


def test_a_backup_that_is_cut_off_is_told(place: Path) -> None:
    assert ctl(place, "backup", "kept")[0] == 0
    whole = (place / "kept").read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 9):
        (place / "kept").write_bytes(whole[:length])
        code, said = ctl(place, "restore", "kept", "--replace")
        assert (code, "Traceback" in said) == (1, False)
        assert "kept" in said
