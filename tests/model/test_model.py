"""Whatever callers, hands at the host, engine and kills do in turn: the promises hold, and in the end all is as wanted.

A state machine over the loop as it is shipped, on the fake engine, in time that passes at once. Promises 1, 3, 4, 5, 10
and 12 are judged at every call and after every step, 6 and 7 when the faults have stopped. `make test` plays the
same few histories each time, `MODEL=1000 make model` a thousand others and prints how to play one that failed again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.model import Phase, RunState, Wish
from tests.model.clock import now, set_the_clock, virtual_time
from tests.model.nemesis import OF_CHANGES, OF_EVENTS, OF_WRITES, Kind
from tests.model.world import LONG_T, T, World, a_folder
from tests.worlds import GIB

EXAMPLES = int(os.environ.get("MODEL", "0"))
USERS = range(1, 7)
HITS = 4
"""Of one user between two rests: whoever is hit more often waits longer than T, as promise 23 says."""

users = st.sampled_from(USERS)
wishes = st.builds(
    Wish,
    state=st.sampled_from([None, RunState.STOPPED]),
    profile=st.sampled_from([None, "large", "other"]),
    session_id=st.sampled_from([None, "abc"]),
    paused=st.sampled_from([False, False, True]),
)
aims = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(OF_CHANGES)),
    st.tuples(st.just("list"), st.just(Kind.STALE)),
    st.tuples(st.just("write"), st.sampled_from(OF_WRITES)),
    st.tuples(st.just("event"), st.sampled_from(OF_EVENTS)),
)


class Model(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.open = contextlib.ExitStack()
        folder = self.open.enter_context(a_folder())
        self.runner = self.open.enter_context(virtual_time())
        self.world = World(folder)
        self.hits = dict.fromkeys(USERS, 0)
        self.struck = 0
        self.play(self.world.alive())

    def play(self, story: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(story)

    def teardown(self) -> None:
        try:
            self.play(self.finale())
        finally:
            self.play(self.world.end())
            self.open.close()

    async def finale(self) -> None:
        trouble = self.world.trouble
        trouble.faults.clear()
        unlucky = len(trouble.struck) - self.struck + max(self.hits.values()) > HITS
        await self.world.settles(LONG_T if unlucky else T)
        await self.world.rests()
        self.struck = len(trouble.struck)
        self.hits = dict.fromkeys(USERS, 0)

    # ------------------------------------------------------------ what people ask for

    @rule(user_id=users, wish=st.none() | wishes, again=st.booleans())
    def api(self, user_id: int, wish: Wish | None, again: bool) -> None:
        self.play(self.world.ask(user_id, wish, again=again))

    @rule(user_id=users)
    def restart(self, user_id: int) -> None:
        self.play(self.restarted(user_id))

    async def restarted(self, user_id: int) -> None:
        await self.world.ask(user_id, Wish(restart_at=now()))

    @rule(user_id=users, wish=st.none() | wishes)
    def edit(self, user_id: int, wish: Wish | None) -> None:
        self.play(self.world.save(user_id, wish))

    @rule(text=st.sampled_from(["", "users: [", "version: 1\nusers: {}\n"]))
    def break_the_file(self, text: str) -> None:
        self.play(self.world.save_text(text))

    @rule(left=st.integers(0, 100))
    def cut_the_file(self, left: int) -> None:
        self.play(self.world.save_text(self.world.file.read_text()[:left]))

    @rule()
    def save_a_text_that_names_nobody(self) -> None:
        """A slip, if anybody is wanted: it waits, whatever happens meanwhile."""
        now_in_force = self.world.file.read_text()
        head, _, _ = now_in_force.partition("users:")
        if self.world.judge.wanted and head.startswith("version"):
            self.play(self.world.save_text(f"{head}users: {{}}\n...\n"))

    @rule()
    def approve(self) -> None:
        self.play(self.world.approve())

    @rule()
    def reject(self) -> None:
        self.play(self.world.reject())

    # ------------------------------------------------------------ what hands do at the host

    @rule(user_id=users, deed=st.sampled_from(["kill", "pause", "vanish", "set_name", "set_limits", "stop", "forge"]))
    def hand(self, user_id: int, deed: str) -> None:
        box = self.world.engine.box(f"matlab-user-{user_id}")
        if box is None or not box.ours or self.hits[user_id] >= HITS:
            return
        self.hits[user_id] += 1
        runs = box.phase is Phase.RUNNING
        match deed:
            case "kill" | "pause" if runs:
                self.play(self.done(deed, box.name))
            case "stop" if runs:
                self.play(self.done("kill", box.name, 0))
            case "vanish":
                self.play(self.done(deed, box.name))
            case "set_name" if self.world.engine.box(f"mine-{user_id}") is None:
                self.play(self.done(deed, box.name, f"mine-{user_id}"))
            case "forge" if self.world.engine.box(f"twin-{user_id}") is None:
                self.play(self.done(deed, f"twin-{user_id}", box.name))
            case "set_limits":
                self.play(self.done(deed, box.name, 0.5, GIB))

    async def done(self, deed: str, *about: object) -> None:
        getattr(self.world.engine, deed)(*about)

    @rule(user_id=users)
    def foreigner_comes(self, user_id: int) -> None:
        if self.world.engine.box(f"matlab-user-{user_id}") is None:
            self.play(self.done_by_world("add_foreigner", f"matlab-user-{user_id}"))

    async def done_by_world(self, deed: str, *about: object) -> None:
        getattr(self.world, deed)(*about)

    @precondition(lambda self: self.world.foreigners)
    @rule(data=st.data())
    def foreigner_goes(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.foreigners)))
        self.play(self.done_by_world("remove_foreigner", name))

    # ------------------------------------------------------------ what goes wrong in between

    @rule(aim=aims, after=st.integers(0, 6), age=st.sampled_from([1, 2]))
    def spoil(self, aim: tuple[str, Kind], after: int, age: int) -> None:
        """Something that is to come will go wrong."""
        channel, kind = aim
        self.world.trouble.spoil(channel, after, kind, age if kind is Kind.STALE else 0)

    @rule(seconds=st.sampled_from([1, 40]))
    def engine_is_away(self, seconds: float) -> None:
        self.play(self.away(seconds))

    async def away(self, seconds: float) -> None:
        self.world.engine.away = True
        await asyncio.sleep(seconds)
        self.world.engine.away = False

    @rule(seconds=st.sampled_from([1, 12]), port=st.none() | st.sampled_from([30001, 31002]))
    def image_or_port_is_away(self, seconds: float, port: int | None) -> None:
        self.hits = {user_id: hits + 2 for user_id, hits in self.hits.items()}
        self.play(self.missed(seconds, port))

    async def missed(self, seconds: float, port: int | None) -> None:
        if port is None:
            self.world.engine.images.remove("matlab-session:other")
        else:
            self.world.engine.taken_ports.add(port)
        await asyncio.sleep(seconds)
        self.world.engine.images.add("matlab-session:other")
        self.world.engine.taken_ports.clear()

    @rule()
    def deaf(self) -> None:
        """The stream of events stays open, and nothing comes from it any more."""
        self.play(self.done("deaf"))

    @rule(days=st.sampled_from([-1, 0, 1]))
    def the_clock_is_set(self, days: int) -> None:
        self.play(self.set(timedelta(days=days)))

    async def set(self, ahead: timedelta) -> None:
        set_the_clock(ahead)

    @rule()
    def kill_the_controller(self) -> None:
        self.play(self.done_by_world("kill"))

    @rule()
    def stop_the_controller(self) -> None:
        self.play(self.world.restart())

    # ------------------------------------------------------------ time

    @rule(seconds=st.sampled_from([0.001, 0.02, 1, 12]))
    def time_passes(self, seconds: float) -> None:
        self.play(asyncio.sleep(seconds))

    @rule()
    def all_comes_to_rest(self) -> None:
        self.play(self.finale())

    @invariant()
    def what_is_promised_holds(self) -> None:
        self.play(self.checked())

    async def checked(self) -> None:
        self.world.check()


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=EXAMPLES or 15,
    stateful_step_count=40 if EXAMPLES else 20,
    deadline=None,
    derandomize=not EXAMPLES,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
