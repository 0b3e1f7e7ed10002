"""The desired state on a branch of git, with a real git and a real remote."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator

import pytest

from controller.errors import NotPersisted, Overtaken, WishReadOnly
from controller.model import RunState, Wish
from controller.store import turns
from controller.store.git import Git, GitFailed
from controller.store.git_home import TAKEN, TIP
from controller.store.history import History
from tests.git_world import FIRST, Forge, git, look
from tests.support import eventually

STOPPED = Wish(state=RunState.STOPPED)


def to(wish: Wish | None) -> Callable[[Wish | None], Wish | None]:
    return lambda _: wish


# ---------------------------------------------------------------- following


async def test_the_newest_commit_is_in_force_and_its_text_left_as_it_is(forge: Forge) -> None:
    store = await forge.store()
    assert list(store.current.users) == [1, 2, 3, 4, 5]
    assert store.current.generation == 1
    assert store.health.valid
    assert forge.text == FIRST, "no generation and no end mark is put into it"
    assert len(forge.log()) == 1


@pytest.mark.parametrize("write", [True, False])
async def test_a_commit_becomes_a_generation_with_its_author(forge: Forge, write: bool) -> None:
    store = await forge.store(write)
    commit = forge.ann.publish("  1: {}", "  1: {state: stopped}", "ill")
    await look(store)
    assert store.current.users[1] == STOPPED
    [newest, _] = await store.history(10)
    assert newest.writer == f"commit {commit[:12]} by Ann <ann@example.org>"
    assert newest.summary == "stops 1"
    asked = store.asked(1)
    assert asked is not None
    assert commit[:12] in asked.writer
    assert forge.log() == ["ill", "the first one"], "nothing was written for it"


async def test_a_running_store_fetches_when_it_is_asked_to(forge: Forge) -> None:
    store = await forge.running()
    forge.ann.publish("  5: {}\n", "  5: {}\n  6: {}\n")
    store.refresh()
    await eventually(lambda: 6 in store.current.users)


async def test_what_is_known_of_the_branch_is_told(forge: Forge) -> None:
    store = await forge.store(write=False)
    commit = forge.ann.publish("  1: {}\n", "", "gone home")
    await look(store)
    sync = store.sync
    assert sync is not None
    assert sync.commit is not None
    assert (sync.commit.id, sync.commit.author, sync.commit.subject) == (commit, "Ann <ann@example.org>", "gone home")
    assert (sync.in_force, sync.error, sync.write) == (commit, "", False)
    assert sync.fetched_at is not None


async def test_a_revert_brings_back_what_was(forge: Forge) -> None:
    store = await forge.store()
    before = dict(store.current.users)
    bad = forge.ann.publish('  2: {session_id: "a"}   # by the window\n', "", "oops")
    await look(store)
    assert 2 not in store.current.users
    await store.change(9, to(Wish()), "api 1")
    forge.ann.pull()
    forge.ann.git("revert", "--no-edit", bad)
    forge.ann.push()
    await look(store)
    assert dict(store.current.users) == {**before, 9: Wish()}
    assert "Revert" in str(store.sync and store.sync.commit)


async def test_commits_that_touch_other_files_are_no_generations(forge: Forge) -> None:
    store = await forge.store()
    (forge.ann.folder / "README").write_text("of the lab")
    forge.ann.commit(FIRST)
    forge.ann.push()
    await look(store)
    assert store.current.generation == 1
    await store.change(9, to(Wish()), "api 1")
    assert "README" in forge.ann.git("ls-tree", "--name-only", "HEAD")


async def test_a_text_edited_from_an_earlier_state_is_merged_with_what_came_since(forge: Forge) -> None:
    store = await forge.store()
    opened = store.text
    await store.change(9, to(Wish()), "api 1")
    forge.ann.publish("  1: {}\n", "")
    await look(store)
    edited = opened.replace("  3: {}", "  3: {state: stopped}")
    weighed = await store.weigh(edited, base=1)
    await store.apply(edited, "api 2", base=1)
    assert weighed.state.users == store.current.users
    assert store.current.users[3] == STOPPED
    assert 9 in store.current.users
    assert 1 not in store.current.users
    await store.apply(opened, "api 3")
    assert list(store.current.users) == [1, 2, 3, 4, 5], "without saying from where, the text says it all"


# ---------------------------------------------------------------- texts that are no good


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "there is no file wish.yaml in commit"),
        ("", "the file says nothing"),
        ("version: 1\nusers:\n  5: {stat: stopped}\n", "line 3, column 7: unknown key `stat`"),
        ("#" * 300_000, "larger than 256 KB"),
        ("<<<<<<< HEAD\nversion: 1\n=======\n", "line 1"),
    ],
)
async def test_a_bad_commit_changes_nothing_and_is_shown(forge: Forge, text: str | None, problem: str) -> None:
    store = await forge.store()
    good = store.current
    bad = forge.ann.commit(text, "bad")
    forge.ann.push()
    await look(store)
    assert problem in str(store.health.problems[0])
    assert store.current == good
    forge.ann.git("revert", "--no-edit", bad)
    forge.ann.push()
    await look(store)
    assert store.health.valid
    assert store.current == good


async def test_bytes_that_are_no_text_change_nothing(forge: Forge) -> None:
    store = await forge.store()
    forge.ann.file.write_bytes(b"\xff\xfeversion")
    forge.ann.git("commit", "-aqm", "saved by another editor")
    forge.ann.push()
    await look(store)
    assert "UTF-16" in str(store.health.problems[0])
    assert len(store.current.users) == 5


@pytest.mark.parametrize("kind", ["folder", "link"])
async def test_what_is_no_file_is_never_followed(forge: Forge, kind: str) -> None:
    store = await forge.store()
    forge.ann.file.unlink()
    if kind == "folder":
        forge.ann.file.mkdir()
        (forge.ann.file / "x").write_text(FIRST)
    else:
        forge.ann.file.symlink_to("/etc/hostname")
    forge.ann.git("add", "--all")
    forge.ann.git("commit", "-qm", kind)
    forge.ann.push()
    await look(store)
    assert "there is no file wish.yaml" in str(store.health.problems[0])
    assert len(store.current.users) == 5


async def test_the_brake_holds_a_commit_until_it_is_approved(forge: Forge) -> None:
    store = await forge.store()
    commit = forge.ann.publish("  3: {}\n  4: {}\n  5: {}\n", "", "cleaning up")
    forge.ann.publish("  1: {}\n", "", "more of it")
    await look(store)
    assert len(store.current.users) == 5
    pending = store.pending
    assert pending is not None
    assert pending.removes == (1, 3, 4, 5)
    assert "Ann" in pending.writer
    await store.change(9, to(Wish()), "api 1")  # life goes on meanwhile
    await look(store)
    pending = store.pending
    assert pending is not None
    await store.approve(pending.id, "api 2")
    assert list(store.current.users) == [2, 9], "what was written meanwhile is kept"
    assert store.pending is None
    assert "9: {}" in forge.text
    assert commit in forge.log("%H")


async def test_a_rejected_commit_is_answered_by_one_with_the_text_in_force(forge: Forge) -> None:
    store = await forge.store()
    forge.ann.publish("  2: ", "  20: ")
    forge.ann.publish("  1: {}\n", "")
    forge.ann.publish("  3: {}\n  4: {}\n  5: {}\n", "")
    await look(store)
    pending = store.pending
    assert pending is not None
    await store.reject(pending.id, "api 1")
    assert forge.text == FIRST
    await look(store)
    assert store.health.valid
    assert store.pending is None


# ---------------------------------------------------------------- a branch that is not what it was


async def test_a_rewritten_branch_waits_for_approval(forge: Forge) -> None:
    store = await forge.store()
    forge.ann.publish("  5: {}\n", "  5: {}\n  6: {}\n")
    await look(store)
    await store.change(9, to(Wish()), "api 1")
    forge.ann.git("reset", "--hard", "--quiet", "HEAD~1")
    forge.ann.push("--force")
    await look(store)
    assert list(store.current.users) == [1, 2, 3, 4, 5, 6, 9]
    pending = store.pending
    assert pending is not None
    assert "the branch main was rewritten" in pending.why
    assert pending.removes == (6, 9)
    await store.approve(pending.id, "api 2")
    assert list(store.current.users) == [1, 2, 3, 4, 5]
    forge.ann.publish("  1: {}\n", "")
    await look(store)
    assert list(store.current.users) == [2, 3, 4, 5], "from then on it is followed as before"


async def test_a_rewritten_branch_with_the_same_text_is_followed(forge: Forge) -> None:
    store = await forge.store()
    forge.ann.git("commit", "--amend", "-qm", "another word for it")
    forge.ann.push("--force")
    await look(store)
    assert store.pending is None
    assert store.health.valid
    forge.ann.publish("  1: {}\n", "")
    await look(store)
    assert 1 not in store.current.users


async def test_a_rewritten_branch_is_known_as_such_after_a_restart(forge: Forge) -> None:
    await (await forge.store()).change(9, to(Wish()), "api 1")
    forge.ann.commit(FIRST.replace("  5: {}\n", "  5: {}\n  7: {}\n"))
    forge.ann.push("--force")
    store = await forge.store()
    await look(store)
    assert 9 in store.current.users
    assert store.pending is not None


async def test_a_branch_that_is_gone_changes_nothing(forge: Forge) -> None:
    store = await forge.store()
    git(forge.remote, "branch", "--move", "main", "other")
    await look(store)
    assert len(store.current.users) == 5
    assert store.sync is not None
    assert "couldn't find remote ref" in store.sync.error
    with pytest.raises(NotPersisted):
        await store.change(9, to(Wish()), "api 1")
    assert 9 not in store.current.users


async def test_without_its_remote_a_store_goes_on_with_what_it_knows(forge: Forge) -> None:
    store = await forge.store()
    away = forge.remote.rename(forge.remote.with_name("away"))
    await look(store)
    assert store.sync is not None
    assert store.sync.error
    with pytest.raises(NotPersisted, match=r"did not get to wish.yaml on branch main") as refused:
        await store.change(9, to(Wish()), "api 1")
    assert "branch's host" in refused.value.hint, "and no word of a disk that is full"
    store = await forge.store()
    assert list(store.current.users) == [1, 2, 3, 4, 5], "nor after a restart, and nothing that was not acknowledged"
    away.rename(forge.remote)
    await store.change(9, to(Wish()), "api 2")
    assert store.sync is not None
    assert "9: {}" in forge.text


async def test_a_remote_that_was_never_there_is_no_empty_wish(forge: Forge) -> None:
    forge.remote.rename(forge.remote.with_name("away"))
    store = await forge.store()
    assert store.current.generation == 0
    assert "was never fetched" in str(store.health.problems[0])


async def test_a_remote_that_was_never_there_beside_a_history_refuses_changes_at_once(forge: Forge) -> None:
    await (await forge.store()).change(7, to(Wish()), "api 1")
    shutil.rmtree(forge.state / "git")  # as after the settings were given another address
    forge.remote.rename(forge.remote.with_name("away"))
    store = await forge.store()
    async with asyncio.timeout(20):
        with pytest.raises(NotPersisted, match="was never fetched"):
            await store.change(9, to(Wish()), "api 2")
    assert list(store.current.users) == [1, 2, 3, 4, 5, 7]


# ---------------------------------------------------------------- writing


async def test_a_change_is_a_commit_on_the_remote_before_it_is_acknowledged(forge: Forge) -> None:
    store = await forge.store()
    await store.change(7, to(Wish(session_id="abc-123")), "api 4711")
    assert forge.text == FIRST.replace("  5: {}\n", '  5: {}\n  7: {session_id: "abc-123"}\n...\n')
    assert forge.log("%an: %s")[0] == "MATLAB Container Manager: create user 7 (session abc-123)"
    assert "Asked-by: api 4711" in forge.log("%B")
    await store.change(7, to(STOPPED), "api 2")
    await store.change(7, to(None), "api 3")
    assert forge.log()[:2] == ["destroy user 7", "stop user 7"]
    assert store.current.generation == 4
    await look(store)
    assert store.current.generation == 4, "our own commits are no edits"


async def test_a_push_that_somebody_else_won_is_tried_again_on_theirs(forge: Forge) -> None:
    store = await forge.store()
    forge.ann.publish("  1: {}", "  1: {state: stopped}")
    state = await store.change(7, to(Wish()), "api 1")
    assert state.users[1] == STOPPED
    assert 7 in state.users
    assert forge.log()[:2] == ["create user 7", "an edit"]


async def test_many_changes_beside_pushes_all_last(forge: Forge) -> None:
    store = await forge.store()
    bob = forge.clone("bob")

    def push_a_lot() -> None:
        for user in range(50, 55):
            while True:
                bob.git("fetch", "--quiet", "origin")
                bob.git("reset", "--hard", "--quiet", "origin/main")
                bob.commit(bob.file.read_text().replace("users:\n", f"users:\n  {user}: {{}}\n"))
                try:
                    bob.push()
                    break
                except AssertionError:
                    continue  # the other one was first

    async def change_a_lot() -> None:
        for user in range(20, 30):
            await store.change(user, to(Wish()), f"api {user}")

    await asyncio.gather(asyncio.to_thread(push_a_lot), change_a_lot())
    await look(store)
    assert set(store.current.users) == {1, 2, 3, 4, 5, *range(20, 30), *range(50, 55)}


async def test_a_pusher_who_never_stops_makes_a_call_fail_and_keeps_nobody_else_out(
    forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "SECONDS", 0.0)
    monkeypatch.setattr(turns, "TRIES", 1_000_000)
    store = await forge.store()
    before = store.current
    faster = forge.remote / "hooks" / "pre-receive"  # so that theirs is first, however busy this machine is
    faster.parent.mkdir(exist_ok=True)
    faster.write_text(
        "#!/bin/bash\nunset ${!GIT_@}\n"
        "export GIT_{AUTHOR,COMMITTER}_NAME=Bob GIT_{AUTHOR,COMMITTER}_EMAIL=bob@example.org\n"
        "git update-ref refs/heads/main $(git commit-tree main^{tree} -p main -m again)\n"
    )
    faster.chmod(0o755)
    call = asyncio.ensure_future(store.change(7, to(Wish()), "api 1"))
    await eventually(lambda: len(forge.log()) > 3)
    assert (await store.weigh(FIRST)).state.users == before.users, "who only asks is answered meanwhile"
    assert not call.done()
    monkeypatch.setattr(turns, "TRIES", 3)
    with pytest.raises(Overtaken, match=r"Others write to wish.yaml on branch main .* The change was not made"):
        await call
    assert store.current == before
    assert [each.number for each in await store.history(9)] == [1]
    assert set(forge.log()) == {"again", "the first one"}
    faster.unlink()
    await store.change(7, to(Wish()), "api 2")
    assert forge.log()[0] == "create user 7"


async def test_what_the_remote_refuses_did_not_happen(forge: Forge) -> None:
    store = await forge.store()
    hook = forge.remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho this branch is protected\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(NotPersisted, match="this branch is protected"):
        await store.change(7, to(Wish()), "api 1")
    assert 7 not in store.current.users
    assert [each.number for each in await store.history(9)] == [1]
    hook.unlink()
    await store.change(7, to(Wish()), "api 2")
    assert forge.log()[0] == "create user 7"


@contextlib.contextmanager
def neither_pushed_nor_forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The change that is made meanwhile: it is refused, and stays in the history."""

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def refused(*_: object) -> None:
        raise GitFailed("this branch is protected")

    with monkeypatch.context() as broken:
        broken.setattr(Git, "push", refused)
        broken.setattr(History, "forget", full)
        with pytest.raises(NotPersisted, match="this branch is protected"):
            yield


async def test_what_can_neither_be_pushed_nor_forgotten_did_not_happen_either(
    forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await forge.store()
    with neither_pushed_nor_forgotten(monkeypatch):
        await store.change(7, to(Wish()), "api 1")
    assert 7 not in store.current.users
    await store.change(8, to(Wish()), "api 2")
    told = [each.event.user_id for each in await store.events(None, 0, 100) if each.event.generation == 2]
    assert told == [8], "nor does the audit know of it once another has its number"
    assert (await forge.store()).current.users == store.current.users, "the branch says otherwise"


async def test_many_that_could_neither_be_pushed_nor_forgotten_are_not_in_force_after_a_restart(
    forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor after a kill before the push. The brake would hold the branch's text: it names none of them."""
    before = (await forge.store()).current
    store = await forge.store()
    with neither_pushed_nor_forgotten(monkeypatch):
        await store.apply(FIRST + "".join(f"  {n}: {{}}\n" for n in range(10, 40)), "api 1")
    again = await forge.store()
    assert (again.current, again.pending, again.health.valid) == (before, None, True)
    assert [each.number for each in await again.history(9)] == [1]
    await again.change(7, to(Wish()), "api 2")
    assert (await forge.store()).current == again.current


@pytest.mark.parametrize("ref", [TIP, TAKEN])
async def test_what_was_pushed_is_answered_so_though_our_repository_cannot_be_written(
    forge: Forge, monkeypatch: pytest.MonkeyPatch, ref: str
) -> None:
    store = await forge.store()
    point = Git.point

    def full(self: Git, name: str, commit: str) -> None:
        if name == ref:
            raise GitFailed("git update-ref: No space left on device")
        point(self, name, commit)

    with monkeypatch.context() as broken:
        broken.setattr(Git, "point", full)
        state = await store.change(7, to(Wish()), "api 1")
        await look(store)
    assert (store.current, state.generation) == (state, 2)
    assert store.sync is not None
    await store.change(8, to(Wish()), "api 2")
    assert forge.log() == ["create user 8", "create user 7", "the first one"]
    assert (await forge.store()).current == store.current


async def test_a_push_whose_answer_was_lost_is_found_to_have_worked(
    forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await forge.store()
    push = Git.push

    def lost(self: Git, commit: str, branch: str, expected: str) -> None:
        push(self, commit, branch, expected)
        raise GitFailed("git push took more than 60 s")

    monkeypatch.setattr(Git, "push", lost)
    await store.change(7, to(Wish()), "api 1")
    assert forge.log() == ["create user 7", "the first one"]
    assert store.current.generation == 2


async def test_a_change_over_a_bad_commit_keeps_that_in_the_history(forge: Forge) -> None:
    store = await forge.store()
    bad = forge.ann.publish("  1: {}", "  1: {stat: stopped}")
    await look(store)
    await store.change(7, to(Wish()), "api 1")
    assert store.health.valid
    assert set(store.current.users) == {1, 2, 3, 4, 5, 7}
    assert any(f"Instead-of: {bad}" in line for line in forge.log("%B"))


async def test_a_rollback_is_a_commit(forge: Forge) -> None:
    store = await forge.store()
    await store.change(7, to(Wish()), "api 1")
    await store.rollback(1, "api 2")
    assert forge.text == FIRST
    assert list(store.current.users) == [1, 2, 3, 4, 5]


async def test_where_it_is_only_followed_a_change_is_refused_with_the_reason(forge: Forge) -> None:
    store = await forge.store(write=False)
    for call in (
        store.change(7, to(Wish()), "api 1"),
        store.apply("version: 1\nusers: {}\n", "api 2"),
        store.rollback(1, "api 3"),
    ):
        with pytest.raises(WishReadOnly, match=r"follows wish.yaml on branch main .* by a commit"):
            await call
    assert (await store.change(1, to(Wish()), "api 4")).generation == 1, "what is so already is no change"
    assert len(forge.log()) == 1


async def test_sessions_found_running_are_not_taken_away_by_a_branch(forge: Forge) -> None:
    store = await forge.store(write=False)
    await store.surveyed({41: None, 42: None, 43: None, 44: None})
    assert {41, 42, 43, 44} <= store.current.users.keys()
    await look(store)
    pending = store.pending
    assert pending is not None
    assert pending.removes == (41, 42, 43, 44)
    await store.approve(pending.id, "api 1")
    assert list(store.current.users) == [1, 2, 3, 4, 5]
    assert store.health.valid
    assert len(forge.log()) == 1


# ---------------------------------------------------------------- locks


async def test_locks_that_a_killed_git_left_are_cleared_at_the_start(forge: Forge) -> None:
    await forge.store()
    for name in ("index.lock", "HEAD.lock", "refs/controller/tip.lock"):
        (forge.state / "git" / name).touch()
    forge.ann.publish("  1: {}\n", "")
    store = await forge.store()
    await look(store)
    assert 1 not in store.current.users


async def test_a_lock_that_somebody_holds_changes_nothing(forge: Forge) -> None:
    store = await forge.store()
    lock = forge.state / "git" / "refs" / "controller" / "tip.lock"
    for name in (lock, lock.with_name("taken.lock"), forge.state / "git" / "index.lock"):
        name.touch()
    forge.ann.publish("  1: {}\n", "")
    await look(store)
    assert 1 in store.current.users
    assert store.sync is not None
    assert "lock" in store.sync.error
    with pytest.raises(NotPersisted, match="lock"):
        await store.change(7, to(Wish()), "api 1")
    lock.unlink()
    lock.with_name("taken.lock").unlink()
    await store.change(7, to(Wish()), "api 1")
    assert store.current.users.keys() == {2, 3, 4, 5, 7}
