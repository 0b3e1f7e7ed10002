"""examples/gitops, walked as its readers would, and followed by a store."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from controller.model import Wish
from controller.store.git_home import Branch, GitHome
from controller.store.wish_store import WishStore
from tests.fake_store import terms
from tests.git_world import git, look

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "gitops"


async def test_the_walk_is_as_its_page_tells(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "MATLABCTL": f"{sys.executable} -m controller",
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    walk = [str(EXAMPLE / "walk"), str(lab)]
    done = await asyncio.to_thread(
        subprocess.run, walk, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "desired_state.yaml is good: 6 users." in done.stdout
    assert "+  user 4   create  wanted running, and there is no container" in done.stdout
    assert "desired_state.yaml:6:14: state must be `running` or `stopped`" in done.stderr
    subjects = git(lab / "lab.git", "log", "--first-parent", "--format=%s", "main").splitlines()
    assert subjects == [
        'Revert "The project room closes"',
        "The project room closes",
        "Merge: two more seats",
        "The lab as it is",
    ]

    branch = Branch(str(lab / "lab.git"), "main", "desired_state.yaml", 600, write=False)
    (tmp_path / "state").mkdir()
    store = WishStore(GitHome(branch, tmp_path / "state" / "git"), tmp_path / "state", terms(settle_seconds=0))
    await store.load()
    try:
        assert dict(store.current.users) == {
            **{user: Wish() for user in (1, 2, 3, 4)},
            5: Wish(session_id="course-101"),
            10: Wish(profile="large"),
        }
        git(lab / "operator", "revert", "--no-edit", "-m", "1", "HEAD~2")
        # The hook asks for matlabctl, which need not be on the path of this machine.
        (lab / "lab.git" / "hooks" / "pre-receive").unlink()
        git(lab / "operator", "push", "--quiet", "origin", "main")
        await look(store)
        assert list(store.current.users) == [1, 2, 3, 10]
        [newest, _] = await store.history(10)
        assert newest.summary == "removes 4-5"
        assert "by Ann" in newest.writer
    finally:
        await store.close()
