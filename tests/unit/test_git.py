"""Git as the store runs it: whatever is configured here, whoever answers late, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller.home_settings import without_password
from controller.model import Wish
from controller.store import git as git_module
from controller.store.git import Git, GitFailed
from controller.store.git_home import Branch, GitHome
from controller.store.wish_store import WishStore
from tests.fake_store import terms
from tests.git_world import Forge
from tests.support import eventually


def outlived(folder: Path, does: str) -> None:
    """Have a controller killed whose git, doing this, lives on."""
    life = (
        "import sys; from pathlib import Path; from controller.store.git import Git\n"
        "ours = Git(Path(sys.argv[1]), 'x'); ours.open(); ours.run('-c', 'alias.work=!' + sys.argv[2], 'work')"
    )
    begun = folder.with_name("begun")
    controller = subprocess.Popen(
        [sys.executable, "-c", life, str(folder), f"touch {begun}; {does}"], env={**os.environ, "PYTHONPATH": "."}
    )
    until = time.monotonic() + 30
    while not begun.exists() and time.monotonic() < until:
        time.sleep(0.01)
    controller.kill()
    controller.wait()
    assert begun.exists()


def test_a_start_waits_for_a_git_that_outlived_its_controller(tmp_path: Path) -> None:
    folder, ended = tmp_path / "git", tmp_path / "ended"
    outlived(folder, f"sleep 1; touch {ended}")
    Git(folder, "x").open()
    assert ended.exists()


def test_a_git_that_outlives_its_controller_for_long_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder, go, ended = tmp_path / "git", tmp_path / "go", tmp_path / "ended"
    monkeypatch.setattr(git_module, "LEFTOVER_SECONDS", 0.1)
    os.mkfifo(go)
    outlived(folder, f"cat {go}; touch {ended}")
    Git(folder, "x").open()
    assert "still runs" in caplog.text
    assert not ended.exists()
    go.write_text("")


async def test_neither_hooks_nor_the_machine_s_configuration_have_a_say(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks, ran = tmp_path / "hooks", tmp_path / "ran"
    hooks.mkdir()
    for name in ("pre-push", "reference-transaction", "post-index-change", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >>{ran}\nexit 1\n")
        (hooks / name).chmod(0o755)
    config = tmp_path / ".gitconfig"
    config.write_text(
        f'[core]\n\thooksPath = {hooks}\n[url "/nowhere/"]\n\tinsteadOf = /\n[commit]\n\tgpgSign = true\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_SSH_COMMAND", "false")
    store = await forge.store()
    repository = forge.state / "git"
    (repository / "hooks").mkdir(exist_ok=True)
    for hook in hooks.iterdir():
        (repository / "hooks" / hook.name).symlink_to(hook)
    await store.change(7, lambda _: Wish(), "api 1")
    assert forge.log()[0] == "create user 7"
    assert not ran.exists()


@pytest.mark.parametrize("url", ["ext::sh -c touch% {}", "git://localhost/x"])
def test_only_usual_ways_lead_to_a_remote(tmp_path: Path, url: str) -> None:
    mark = tmp_path / "mark"
    ours = Git(tmp_path / "git", url.format(mark))
    ours.open()
    with pytest.raises(GitFailed, match="not allowed"):
        ours.fetch("main", "refs/controller/tip")
    assert not mark.exists()


def test_a_git_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = tmp_path / "remote"
    remote.mkdir()
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    slow = bin_folder / "ssh"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    monkeypatch.setattr(git_module, "REMOTE_SECONDS", 0.5)
    ours = Git(tmp_path / "git", "ssh://nobody@host.invalid/x.git")
    ours.open()
    with pytest.raises(GitFailed, match=r"git fetch took more than 0\.5 s"):
        ours.fetch("main", "refs/controller/tip")


async def test_ssh_is_spoken_without_a_question_and_a_stop_does_not_wait_for_it(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder, said, hangs = tmp_path / "bin", tmp_path / "said", tmp_path / "hangs"
    bin_folder.mkdir()
    ssh = bin_folder / "ssh"
    ssh.write_text(
        f'#!/bin/bash\necho "$@" >>{said}\n[ -e {hangs} ] && exec sleep 600\n'
        'unset "${!GIT_@}"\nexec sh -c "${@: -1}"\n'
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    branch = Branch(f"ssh://git@lab.example.org{forge.remote}", "main", "wish.yaml", 600, write=True)
    store = WishStore(GitHome(branch, forge.state / "git"), forge.state, terms(settle_seconds=0))
    await store.load()
    await store.change(7, lambda _: Wish(), "api 1")
    assert forge.log()[0] == "create user 7"
    assert "-o BatchMode=yes" in said.read_text()
    calls = len(said.read_text().splitlines())
    hangs.touch()
    running = asyncio.get_running_loop().create_task(store.run())
    await eventually(lambda: len(said.read_text().splitlines()) > calls)
    running.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([running])
        await store.close()


def test_a_password_in_the_address_is_never_told(tmp_path: Path) -> None:
    url = "https://ann:s3cret@127.0.0.1:9/lab.git"
    ours = Git(tmp_path / "git", url)
    ours.open()
    with pytest.raises(GitFailed) as failure:
        ours.fetch("main", "refs/controller/tip")
    assert "s3cret" not in str(failure.value)
    assert without_password(url) == "https://***@127.0.0.1:9/lab.git"
    assert without_password("ssh://git@example.org/lab.git") == "ssh://git@example.org/lab.git"
    assert without_password("git@example.org:lab.git") == "git@example.org:lab.git"
    assert not any(b"s3cret" in file.read_bytes() for file in (tmp_path / "git").rglob("*") if file.is_file())
