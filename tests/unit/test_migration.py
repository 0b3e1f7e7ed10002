"""All sessions to another engine: what is refused before anything is touched, in what order it is done, and that it can
be begun anew wherever it was ended."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller import copying, migration
from controller.copying import CopyFailed
from controller.engine import trial
from controller.engine.service import Placing, Terms
from controller.main import only_one
from controller.migration import Migration, MigrationFailed, switch
from controller.model import Node, Phase
from controller.settings import Settings
from tests.fake_engine import FakeEngine
from tests.fake_manager import a_manager
from tests.shell import run
from tests.worlds import a_spec

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="no rsync here (`make test` installs it)")

WISH = "version: 1\nusers:\n  1: {}   # ours\n  2: {state: stopped}\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "desired_state.yaml").write_text(WISH)
    for user_id in (1, 2, 3):
        folder = tmp_path / "here" / f"user_{user_id}"
        folder.mkdir(parents=True)
        (folder / "kept.m").write_text(f"x = {user_id};")
    return tmp_path


def settings(place: Path, data: str, **more: Any) -> Settings:
    own = {"desired_state": place / "desired_state.yaml", "state_dir": place / "state", "data_root": place / data}
    return Settings.model_validate({**own, "instance": "test", "session_user": "1000:1000", **more})


def a_migration(place: Path, there: str = "there", **more: Any) -> Migration:
    return Migration(settings(place, "here"), settings(place, there, engine="swarm", **more))


async def an_engine(*running: int, **more: Any) -> FakeEngine:
    engine = FakeEngine(**more)
    for user_id in running:
        await engine.start(await engine.create(a_spec(user_id)))
    engine.calls.clear()
    return engine


async def refused(migration: Migration, engine: FakeEngine, another: FakeEngine | None = None) -> str:
    found = await migration.look(engine, another or FakeEngine())
    assert engine.calls == []
    return " ".join(found.problems)


# ---------------------------------------------------------------- what is seen first


async def test_what_it_would_do_is_told_and_nothing_is_done(place: Path) -> None:
    engine = await an_engine(1)
    found = await a_migration(place).look(engine, FakeEngine())
    assert (found.running, found.folders, found.problems) == ((1,), (1, 2, 3), ())
    assert (found.amount.files, found.amount.size) == (3, 18)
    assert engine.calls == []
    assert not (place / "there").exists()


async def test_where_the_folder_is_the_same_nothing_is_copied(place: Path) -> None:
    (place / "link").symlink_to(place / "here")
    for there in ("here", "link"):
        found = await a_migration(place, there).look(await an_engine(1), FakeEngine())
        assert (found.folders, found.problems) == ((), ())


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"instance": "lab"}, "instance is test now, and would be lab: a migration leaves it as it is."),
        ({"session_user": "7:7"}, "session_user is"),
        ({"desired_state": "/else.yaml"}, "would be /else.yaml"),
        ({"max_users": 1}, "The desired state does not suit the new settings: line 4, column 3"),
        ({"data_root": "/proc/1"}, "are to be copied to /proc/1"),
    ],
)
async def test_settings_that_do_not_go_together_are_refused(place: Path, other: dict[str, Any], said: str) -> None:
    assert said in await refused(a_migration(place, **other), await an_engine(1))


async def test_data_of_an_engine_on_another_machine_is_not_here_to_be_copied(place: Path) -> None:
    there = settings(place, "there", engine="swarm")
    far = Migration(settings(place, "here", docker_host="tcp://10.0.0.5:2376"), there)
    assert "The engine is on 10.0.0.5, and the users' data with it" in await refused(far, await an_engine(1))


async def test_who_would_be_forgotten_is_told_before(place: Path) -> None:
    assert "who has a session, user 9: start the controller" in await refused(a_migration(place), await an_engine(1, 9))
    (place / "desired_state.yaml").write_text("version: 1\nusers:\n  1: {paused: true}\n  2: {}\n")
    assert "who is paused, user 1: `matlabctl resume` first" in await refused(a_migration(place), await an_engine(1, 2))


async def test_a_text_that_cannot_be_taken_is_told(place: Path) -> None:
    (place / "desired_state.yaml").write_text("version: 1\nusers: {1: {stat: x}}\n")
    assert "line 2, column 13" in await refused(a_migration(place), await an_engine(1))


async def test_a_session_on_a_lost_node_cannot_be_ended_and_so_nobodys_is(place: Path) -> None:
    engine = await an_engine(1, 2)
    engine.lose("matlab-user-1", Node("n2", "10.77.0.3", "The node n2 is down."))
    said = await refused(a_migration(place), engine)
    assert said == "User 1's session cannot be ended, and may still write. The node n2 is down."
    with pytest.raises(MigrationFailed, match="User 1's session cannot be ended"):
        await a_migration(place).carry_out(engine, 0, print)
    assert not (place / "there").exists()


async def test_sessions_that_run_there_already_would_be_second_writers(place: Path) -> None:
    assert "sessions of this instance there already, user 2" in await refused(
        a_migration(place), await an_engine(1), await an_engine(2)
    )


@pytest.mark.parametrize("which", ["from", "to"])
async def test_an_engine_that_does_not_answer_is_told_apart(place: Path, which: str) -> None:
    engines = {"from": await an_engine(1), "to": FakeEngine()}
    engines[which].away = True
    with pytest.raises(MigrationFailed, match=f"The engine to migrate {which}: The engine does not answer"):
        await a_migration(place).look(engines["from"], engines["to"])


async def test_a_users_folder_that_is_none_is_not_followed(place: Path) -> None:
    (place / "there").mkdir()
    (place / "there" / "user_1").symlink_to("/")
    assert "user_1 is not a folder" in await refused(a_migration(place), await an_engine(1))


# ---------------------------------------------------------------- in what order


async def test_sessions_end_before_their_data_is_copied_and_are_removed_after(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await an_engine(1, 2)
    engine.pause("matlab-user-2")
    seen: list[set[Phase]] = []
    copy = copying.copy

    def watched(*given: Any) -> Any:
        seen.append({each.phase for each in engine.containers()})
        return copy(*given)

    monkeypatch.setattr(copying, "copy", watched)
    told: list[str] = []
    await a_migration(place).carry_out(engine, 0, told.append)
    assert seen == [{Phase.EXITED}] * 3
    assert engine.containers() == ()
    assert [call for call, _ in engine.calls if call in ("start", "create")] == []
    assert told == [
        "Of users 1, 2 no session runs any more.",
        *(f"user {n}: 1 file copied, 6B; all is the same." for n in (1, 2, 3)),
    ]
    assert copying.difference(place / "here", place / "there") == ""
    assert (place / "desired_state.yaml").read_text() == WISH


async def test_nothing_is_removed_where_a_copy_is_not_the_same_and_the_next_try_goes_on(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await an_engine(1, 2)
    difference = copying.difference
    monkeypatch.setattr(copying, "difference", lambda here, there: "kept.m" if here.name == "user_2" else "")
    with pytest.raises(MigrationFailed, match=r"kept.m of user 2 is not the same"):
        await a_migration(place).carry_out(engine, 0, print)
    assert {each.phase for each in engine.containers()} == {Phase.EXITED}
    monkeypatch.setattr(copying, "difference", difference)
    told: list[str] = []
    await a_migration(place).carry_out(engine, 0, told.append)
    assert engine.containers() == ()
    assert told[1:] == [
        "user 1: 0 files copied, 0B; all is the same.",
        "user 2: 0 files copied, 0B; all is the same.",
        "user 3: 1 file copied, 6B; all is the same.",
    ]


async def test_a_session_that_somebody_started_meanwhile_is_left_alone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await an_engine(1)
    copy = copying.copy

    def start(*given: Any) -> Any:
        engine.start_by_hand("matlab-user-1")
        return copy(*given)

    monkeypatch.setattr(copying, "copy", start)
    with pytest.raises(MigrationFailed, match="Somebody has started user 1's session"):
        await a_migration(place).carry_out(engine, 0, print)
    assert {each.phase for each in engine.containers()} == {Phase.RUNNING}


async def test_every_user_who_fails_is_told(place: Path) -> None:
    engine = await an_engine(1, 2)
    engine.away = True

    async def survey() -> Any:
        return {1: (), 2: ()}

    engine.survey = survey  # type: ignore[method-assign]
    with pytest.raises(MigrationFailed, match=r"^The engine does not answer\.$"):
        await a_migration(place).carry_out(engine, 0, print)


async def test_a_file_server_is_given_the_time_in_which_others_may_not_be_seen_yet(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "LONGEST_KNOWN", 0.01)
    back = Migration(settings(place, "here", engine="swarm"), settings(place, "there"))
    for own in (True, False):
        monkeypatch.setattr(migration, "_is_own", lambda _, own=own: own)
        told: list[str] = []
        await back.carry_out(await an_engine(1), 0, told.append)
        assert any("file server" in line for line in told) is not own


# ---------------------------------------------------------------- copies


def test_a_copy_is_the_same_to_the_last_link_and_what_was_there_otherwise_is_set_aside(tmp_path: Path) -> None:
    here, there, aside = (tmp_path / name for name in ("here", "there", "aside"))
    (here / "deep").mkdir(parents=True)
    (here / "deep" / "one").write_bytes(b"\0\xff" * 999)
    (here / "deep" / "one").chmod(0o640)
    os.link(here / "deep" / "one", here / "two")
    (here / "away").symlink_to("/etc/passwd")
    (here / "nowhere").symlink_to("gone")
    os.mkfifo(here / "pipe")
    os.utime(here / "two", ns=(1, 987654321))
    here.chmod(0o700)
    there.mkdir()
    (there / "two").write_text("as it was")
    (there / "gone").write_text("not here")
    done = copying.copy(here, there, aside)
    assert (done.files, done.size) == (1, 1998)
    assert copying.difference(here, there) == ""
    assert (there / "two").stat().st_ino == (there / "deep" / "one").stat().st_ino
    assert (there / "two").stat().st_mtime_ns == 987654321
    assert stat.S_IMODE(there.stat().st_mode) == 0o700
    assert {file.name: file.read_text() for file in aside.iterdir()} == {"two": "as it was", "gone": "not here"}
    assert copying.copy(here, there, tmp_path / "again").files == 0
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (lambda folder: (folder / "b").write_text("other"), "b"),
        (lambda folder: (folder / "b").chmod(0o600), "b"),
        (lambda folder: (folder / "a").unlink(), "a"),
        (lambda folder: (folder / "aa").write_text(""), "aa"),
        (lambda folder: folder.chmod(0o755), "."),
        (lambda folder: ((folder / "c" / "d").unlink(), (folder / "c" / "d").symlink_to("f")), "c/d"),
    ],
)
def test_what_is_not_the_same_is_named(tmp_path: Path, change: Callable[[Path], object], first: str) -> None:
    for folder in (tmp_path / "here", tmp_path / "there"):
        (folder / "c").mkdir(parents=True)
        folder.chmod(0o700)
        for name in ("a", "b"):
            (folder / name).write_text("same!")
            (folder / name).chmod(0o644)
        (folder / "c" / "d").symlink_to("e")
    assert copying.difference(tmp_path / "here", tmp_path / "there") == ""
    change(tmp_path / "there")
    assert copying.difference(tmp_path / "here", tmp_path / "there") == first


def test_a_copy_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").write_text("no folder")
    with pytest.raises(CopyFailed, match=r"cannot be copied to .*there: rsync.*"):
        copying.copy(tmp_path / "here", tmp_path / "there", tmp_path / "aside")
    with pytest.raises(CopyFailed, match="cannot be read"):
        copying.difference(tmp_path / "here", tmp_path / "gone")


# ---------------------------------------------------------------- settings, and the nodes


def test_other_settings_come_into_force_in_one_step_and_those_before_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "controller.yaml"
    file.write_text("engine: docker   # as it was\n")
    file.chmod(0o640)
    before = switch(file, b"engine: swarm\n")
    assert before is not None
    assert (file.read_text(), before.read_text()) == ("engine: swarm\n", "engine: docker   # as it was\n")
    assert {stat.S_IMODE(each.stat().st_mode) for each in (file, before)} == {0o640}
    assert {each.name for each in tmp_path.iterdir()} == {file.name, before.name}
    assert switch(tmp_path / "new.yaml", b"engine: swarm\n") is None


def test_a_trial_is_held_as_a_session_is_and_publishes_nothing() -> None:
    made = trial.trial_of(a_spec(7), Terms("lab", Placing(), 10), "0123456789")
    held = made["TaskTemplate"]["ContainerSpec"]
    assert made["Mode"] == {"Global": {}}
    assert made["TaskTemplate"]["RestartPolicy"] == {"Condition": "none"}
    assert "EndpointSpec" not in made
    assert made["Labels"] == {"mcm.trial": "lab"}
    assert (held["User"], held["ReadOnly"], held["CapabilityDrop"]) == ("1000:1000", True, ["ALL"])
    assert held["Mounts"][0]["Source"] == "/srv/matlab/user_7"
    assert held["Env"] == ["WORD=0123456789", "NODE={{.Node.ID}}"]


async def test_what_a_node_lacks_is_told_though_the_swarm_forgets_it_before_it_is_seen() -> None:
    with a_manager() as manager:
        manager.hasty, manager.absent = True, {"gone:1"}
        said = await trial.tried(manager.url, a_spec(7, image="gone:1"), Terms("lab", Placing(), 10), "0123456789")
        assert said == dict.fromkeys(("n1", "n2", "n3"), "No such image: gone:1")
        assert manager.changes == ["create", "remove"] * 2


# ---------------------------------------------------------------- the command


def ctl(place: Path, *words: str, **more: str) -> tuple[int, str]:
    away = {"DOCKER_HOST": f"unix://{place}/no.sock"}
    done = run(place, "migrate", *words, **{**away, **more})
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def files(place: Path) -> Path:
    (place / "controller.yaml").write_text("{state_dir: state, data_root: here}\n")
    (place / "swarm.yaml").write_text("{state_dir: state, data_root: there, engine: swarm}\n")
    return place


def test_settings_that_are_in_force_already_are_said_to_be(files: Path) -> None:
    (files / "same.yaml").write_text("data_root: here\nstate_dir: state   # otherwise written\n")
    assert ctl(files, "same.yaml") == (0, "controller.yaml says that already: there is nothing to migrate.\n")


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        (("controller.yaml",), {}, "controller.yaml is in force already"),
        (("else/swarm.yaml",), {}, "has to lie beside controller.yaml"),
        (("gone.yaml",), {}, "gone.yaml cannot be read"),
        (("swarm.yaml",), {"MCM_ENGINE": "docker"}, "would not be heeded in engine (environment MCM_ENGINE)"),
    ],
)
def test_a_file_that_cannot_take_the_place_of_the_settings_is_refused(
    files: Path, words: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    (files / "else").mkdir()
    (files / "else" / "swarm.yaml").write_text("engine: swarm\n")
    code, told = ctl(files, *words, **variables)
    assert code == 2
    assert said in told


def test_while_a_controller_runs_nothing_is_done_but_to_plan(files: Path) -> None:
    with only_one(files / "state"):
        code, told = ctl(files, "swarm.yaml", "--yes")
        assert code == 1
        assert "Another controller (process " in told
        assert "systemctl stop matlab-container-manager.service" in told
        code, told = ctl(files, "swarm.yaml", "--plan")
        assert (code, "The engine to migrate from: The Docker engine does not answer" in told) == (1, True)
    assert (files / "controller.yaml").read_text() == "{state_dir: state, data_root: here}\n"
