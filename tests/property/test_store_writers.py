"""Whatever the API, people with stale editors, broken saves and restarts do in turn: nobody's last word is lost."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller import spec
from controller.model import Wish
from controller.store.disk import FileHome
from controller.store.wish_store import WishStore
from tests.fake_store import terms

START = 'version: 1\ngeneration: 1\nusers:\n  99: {session_id: "always"}  # so that the block is never empty\n...\n'
users = st.integers(1, 4)


def with_line(text: str, user_id: int, session_id: str | None) -> str:
    """As a person does it: the user's line changed, deleted, or put below `users:`."""
    own = re.compile(rf"^  {user_id}:.*\n", re.MULTILINE)
    line = "" if session_id is None else f'  {user_id}: {{session_id: "{session_id}"}}  # by hand\n'
    if own.search(text):
        return own.sub(line, text)
    return text.replace("users:\n", f"users:\n{line}")


class Writers(RuleBasedStateMachine):
    """Each word is a session id that was never said before, so a lost or revived one shows."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.file = self.folder / "desired_state.yaml"
        self.file.write_text(START)
        self.expected = {99: "always"}
        self.editors: list[str] = []
        self.words = 0
        self.store: WishStore | None = None
        self.restart()

    @rule()
    def restart(self) -> None:
        if self.store is not None:
            self.runner.run(self.store.close())
        self.store = WishStore(FileHome(self.file), self.folder, terms(settle_seconds=0))
        self.runner.run(self.store.load())

    @rule(user_id=users, remove=st.booleans())
    def api(self, user_id: int, remove: bool) -> None:
        word = None if remove else self.new_word()
        self.runner.run(self.live.change(user_id, lambda _: None if remove else Wish(session_id=word), "api"))
        self.expect(user_id, word)

    @rule()
    def open_an_editor(self) -> None:
        self.editors.append(self.file.read_text())

    @precondition(lambda self: self.editors)
    @rule(data=st.data(), user_id=users, remove=st.booleans(), then=st.sampled_from(["look", "api", "restart"]))
    def save_from_an_editor(self, data: st.DataObject, user_id: int, remove: bool, then: str) -> None:
        opened = self.editors.pop(data.draw(st.integers(0, len(self.editors) - 1)))
        word = None if remove else self.new_word()
        self.file.write_text(with_line(opened, user_id, word))
        if not remove or f"  {user_id}:" in opened:
            self.expect(user_id, word)
        match then:
            case "api":
                self.api(5, remove=False)
            case "restart":
                self.restart()

    @rule(cut=st.integers(0, 60))
    def save_half_a_file(self, cut: int) -> None:
        self.file.write_text(self.file.read_text()[:cut])
        self.take_what_is_there()
        assert not self.live.health.valid
        self.api(4, remove=False)  # which heals the file
        assert self.live.health.valid

    @invariant()
    def the_file_says_what_is_in_force(self) -> None:
        self.take_what_is_there()
        said = spec.parse(self.file.read_text(), max_users=100, profiles=None, end_mark=True)
        assert said == self.live.current
        assert {user_id: wish.session_id for user_id, wish in said.users.items()} == self.expected

    def teardown(self) -> None:
        if self.store is not None:
            self.runner.run(self.store.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    # ------------------------------------------------------------ helpers

    @property
    def live(self) -> WishStore:
        assert self.store is not None
        return self.store

    def take_what_is_there(self) -> None:
        self.runner.run(self.live.change(99, lambda wish: wish, "nobody"))

    def expect(self, user_id: int, word: str | None) -> None:
        if word is None:
            self.expected.pop(user_id, None)
        else:
            self.expected[user_id] = word

    def new_word(self) -> str:
        self.words += 1
        return f"word-{self.words}"


TestWriters = Writers.TestCase
TestWriters.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
