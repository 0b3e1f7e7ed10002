"""A controller with all that it has around it: an engine, a desired state on disk, users' data, and those who call it.

Its lives follow one another on what the one before has left: where it was killed, the next one finds the folder as it
was at that very moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from unittest import mock

from controller import brake, spec
from controller.errors import NotPending, NotPersisted, WishInvalid
from controller.informer import Informer, Ports, ProbeTimes
from controller.model import Container, Phase, Probe, RunState, Wish
from controller.probes import Prober
from controller.reconciler import Pace, Reconciler
from controller.store import journal
from controller.store.weighing import WishTerms
from controller.store.wish_store import WishStore
from controller.target import Profile, Site
from controller.workqueue import WorkQueue
from tests.fake_engine import FakeEngine
from tests.model.clock import now
from tests.model.judge import Judge
from tests.model.nemesis import Desk, Nemesis, Record, Trouble
from tests.worlds import GIB

RESYNC = 30.0
"""Seconds, as the settings have it where nobody says otherwise."""
T = RESYNC + 1
"""Seconds after the last fault in which observed must equal desired: a resync, and the work that it finds."""
LONG_T = T + 300
"""The same, for whom so much went wrong that the longest backoff is due."""
STARTS_AGAIN_AFTER = 1.0
"""Seconds between a controller's end and its next life: whoever watches over it."""
HTTP, WS = 30000, 31000


class Answer(Enum):
    YES = 1
    NO = 2
    """And nothing was changed."""
    NONE = 3


@contextlib.contextmanager
def a_folder() -> Iterator[Path]:
    """In memory where there is such a place: nobody pulls the plug here, and a disk takes ten times as long."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Doors(Prober):
    """A session's services answer where its container runs."""

    engine: FakeEngine | None = None

    async def probe(self, http_port: int, ws_port: int, patience: float = 0.0, address: str = "") -> Probe:
        boxes = self.engine.containers() if self.engine else ()
        up = any(c.ours and c.user_id == http_port - HTTP and c.phase is Phase.RUNNING for c in boxes)
        return Probe(up, up, now(), "" if up else "nobody answers")


class World:
    def __init__(self, folder: Path, trouble: Trouble | None = None) -> None:
        self._folder = folder
        self._lives = 0
        self.trouble = trouble or Trouble()
        self.engine = FakeEngine()
        self.engine.images.add("matlab-session:other")
        self.data = folder / "data"
        self.data.mkdir()
        profile = Profile("matlab-session:octave", 2, 4 * GIB, 4 * GIB, {}, None)
        profiles = {
            "standard": profile,
            "large": replace(profile, cpus=4, memory=8 * GIB),
            "other": replace(profile, image="matlab-session:other"),
        }
        who = f"{os.geteuid()}:{os.getegid()}"
        names = (self.engine.instance, self.engine.prefix, str(self.data))
        self.site = Site(*names, HTTP, WS, "127.0.0.1", who, "standard", profiles)
        self.judge = Judge(self.engine, self.site)
        self.foreigners: dict[str, Container] = {}
        self._treasure: dict[str, object] = {}
        self.life: Life | None = None
        self._state = folder / "state-0"
        self._state.mkdir()
        self.file.write_text("version: 1\ngeneration: 1\nusers: {}\n...\n")

    @property
    def file(self) -> Path:
        return self._state / "desired_state.yaml"

    # ------------------------------------------------------------ lives

    async def begin(self) -> Life:
        """The next life, and the one after it where that is killed before it has begun."""
        while True:
            self._lives += 1
            life = Life(self, self._state)
            self.life = life
            if await life.begin():
                return life
            await self.bury(life)

    def kill(self) -> None:
        """From this moment on the controller does nothing more; what is on its disk is kept for the next one."""
        if self.life is None or self.life.dead:
            return
        self.life.dead = self.life.nemesis.dead = True
        self.life.killed.set()
        self._state = self._folder / f"state-{self._lives}"
        shutil.copytree(self.life.folder, self._state)

    async def bury(self, life: Life) -> None:
        await life.end()
        if life.dead:
            shutil.rmtree(life.folder)
        self.life = None

    async def alive(self) -> Life:
        """The life that there is now, or the next one."""
        if self.life is not None and self.life.dead:
            await self.bury(self.life)
            await asyncio.sleep(STARTS_AGAIN_AFTER)
        life = self.life or await self.begin()
        self._take_stock(life)
        return life

    async def restart(self) -> None:
        """Stopped in order, and begun again."""
        life = await self.alive()
        await self.bury(life)
        await self.alive()

    async def lose_the_state(self) -> None:
        """History and file are gone; whoever has a session then is to be left alone until somebody says otherwise."""
        await self.bury(await self.alive())
        for file in self._state.iterdir():
            file.unlink()
        for user_id, wish in tuple(self.judge.wanted.items()):
            self.judge.known(user_id, Wish(session_id=wish.session_id, paused=True))
        await asyncio.sleep(STARTS_AGAIN_AFTER)

    async def end(self) -> None:
        if self.life is not None:
            await self.life.end()
            self.life = None

    def _take_stock(self, life: Life) -> None:
        """What the store says is in force must be what was acknowledged, or asked for and never answered."""
        if life.settled_with or not life.store.founded:
            return
        life.settled_with = True
        for user_id in sorted(self.judge.wanted.keys() | life.store.current.users.keys() | self.judge.unanswered()):
            wish = life.store.current.users.get(user_id)
            if wish not in self.judge.open(user_id):
                self.judge.broken(1, f"user {user_id}: {wish} is in force, acknowledged was {self.judge.open(user_id)}")
            self.judge.known(user_id, wish)

    # ------------------------------------------------------------ those who ask

    async def ask(self, user_id: int, wish: Wish | None, *, again: bool = True) -> None:
        """As a caller of the API does it, who asks `again` until the answer is yes."""
        if wish is not None and wish.restart_at is not None:
            wish = replace(wish, restart_at=spec.to_the_millisecond(wish.restart_at))
        while True:
            life = await self.alive()
            self.judge.asked(user_id, wish)
            answer = await life.answered(life.store.change(user_id, lambda _: wish, "api"))
            if answer is Answer.YES:
                self.judge.known(user_id, wish)
                return
            if answer is Answer.NO:
                self.judge.refused(user_id, wish)
            if not again:
                return
            await asyncio.sleep(STARTS_AGAIN_AFTER)

    async def save(self, user_id: int, wish: Wish | None) -> None:
        """As somebody does it in an editor, who puts a text right that is not in force."""
        life = await self.alive()
        await life.looks()
        life = await self.alive()
        text = self.file.read_text() if life.store.health.valid else life.store.text
        before = spec.stored(text)
        after = before.with_entry(user_id, wish)
        if before.users and not after.users:  # the brake's business
            return
        self.judge.asked(user_id, wish)
        self.file.write_text(spec.edit(text, before, after))
        while (await self.alive()).store.current.users.get(user_id) != wish or not life.store.health.valid:
            life = await self.alive()
            await life.looks()
            await asyncio.sleep(STARTS_AGAIN_AFTER)
        self.judge.known(user_id, wish)

    async def save_text(self, text: str) -> None:
        """The same with a whole text."""
        await self.alive()
        self.file.write_text(text)
        await (await self.alive()).looks()

    async def approve(self) -> None:
        """Somebody lets what waits come into force, who was told whose sessions it ends."""
        life = await self.alive()
        pending = life.store.pending
        if pending is None:
            return
        before = dict(self.judge.wanted)
        for user_id in before:
            self.judge.asked(user_id, None)
        answer = await life.answered(life.store.approve(pending.id, "somebody"))
        for user_id, wish in before.items():
            if answer is Answer.NO:
                self.judge.refused(user_id, None)
            elif answer is Answer.YES:
                after = life.store.current.users.get(user_id)
                told = {*pending.removes, *pending.stops, *pending.remakes}
                if after != wish and wish.state is not RunState.STOPPED and user_id not in told:
                    self.judge.broken(12, f"user {user_id}: {wish} became {after}, and nobody was told: {pending}")
                self.judge.known(user_id, after)

    async def reject(self) -> None:
        life = await self.alive()
        if life.store.pending is not None:
            await life.answered(life.store.reject(life.store.pending.id, "somebody"))

    # ------------------------------------------------------------ those who act at the host

    def add_foreigner(self, name: str) -> None:
        self.engine.add_foreigner(name)
        self.foreigners[name] = next(c for c in self.engine.containers() if c.name == name)

    def remove_foreigner(self, name: str) -> None:
        self.check()
        del self.foreigners[name]
        self.engine.vanish(name)

    # ------------------------------------------------------------ what must hold

    def check(self) -> None:
        """All that must hold at any moment. Raises AssertionError."""
        for name, foreigner in self.foreigners.items():
            if self.engine.box(name) != foreigner:
                self.judge.broken(4, f"the foreigner {name} is not as it was: {self.engine.box(name)}")
        for path, was in self._treasure.items():
            if _described(Path(path)) != was:
                self.judge.broken(5, f"{path} is not as it was")
        self._plant()
        if self.life is not None and self.life.crashed is not None:
            raise self.life.crashed
        assert not self.judge.faults, "\n".join((*self.judge.faults, *self.trouble.struck))

    def _plant(self) -> None:
        """Put something of the user's own into each new folder."""
        for folder in self.data.glob("user_*"):
            note, link = folder / "thesis.m", folder / "elsewhere"
            if not note.exists():
                note.write_text(f"precious of {folder.name}")
                note.chmod(0o640)
                link.symlink_to("/etc")
                self._treasure |= {str(path): _described(path) for path in (folder, note, link)}

    async def settles(self, seconds: float = T) -> float:
        """Observed becomes what was asked for, with nobody at work; how many seconds after the last fault.

        Raises:
            AssertionError: it does not, or something else was broken on the way.
        """
        began = asyncio.get_running_loop().time()
        while True:
            life = await self.alive()
            self.check()
            took = asyncio.get_running_loop().time() - max(began, self.trouble.over_at)
            amiss = self.judge.amiss()
            activity = life.reconciler.activity()
            if not amiss and activity.queued + activity.working == 0 and life.informer.engine.reachable:
                return took
            assert took < seconds, "\n".join((f"promise 6: not within {seconds:g} s", *amiss, *self.trouble.struck))
            await asyncio.sleep(0.2)

    async def rests(self, resyncs: int = 10) -> None:
        """So many resyncs make no changing call. Raises AssertionError."""
        life = await self.alive()
        before, calls = life.reconciler.activity().resyncs, len(self.trouble.tried)
        await asyncio.sleep((resyncs + 1) * RESYNC)
        assert life.reconciler.activity().resyncs >= before + resyncs, "resyncs were left out"
        more = self.trouble.tried[calls:]
        if self.foreigners:  # a container whose name somebody holds is tried to be renamed, more and more rarely
            more = [call for call in more if call != "rename"]
        assert more == [], f"promise 7: at rest {more}; {self.trouble.struck}"
        self.check()


class Life:
    """One process of the controller, built as `main.py` builds it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.folder = folder
        self.dead = False
        self.settled_with = False
        """What its store found was compared with what was acknowledged."""
        self.killed = asyncio.Event()
        self.crashed: BaseException | None = None
        self._world = world
        self.nemesis = Nemesis(world.engine, world.trouble, world.judge, world.kill)
        desk = Desk(folder / "desired_state.yaml", world.trouble, world.kill)
        self.store = WishStore(desk, folder, WishTerms(world.site, 100, 0, brake.Limits(3, 20, False)))
        self.queue = WorkQueue()
        times = ProbeTimes(0.5, 10.0)
        doors = Doors("127.0.0.1", engine=world.engine)
        self.informer = Informer(self.nemesis, self.queue, doors, Ports(HTTP, WS), times, self.store.record)
        pace = Pace(10, RESYNC)
        self.reconciler = Reconciler(self.nemesis, self.store, self.informer, self.queue, world.site, pace)
        self._running: asyncio.Task[None] | None = None

    async def begin(self) -> bool:
        """Whether it lived to run."""
        record = partial(Record, trouble=self._world.trouble, kill=self._world.kill)
        with mock.patch.object(journal, "History", record):
            await self.store.load()
        if self.dead:
            return False
        self._running = asyncio.create_task(self._run())
        return True

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.store.run())
                tasks.create_task(self.reconciler.run())
                tasks.create_task(self.informer.run(self.reconciler.resync))
        except Exception as error:  # noqa: BLE001 - told by `check`
            self.crashed = error

    async def answered(self, call: Awaitable[object]) -> Answer:
        """What the caller hears, where the controller may be killed at any moment."""

        async def called() -> Answer:
            try:
                await call
            except (NotPersisted, NotPending, WishInvalid):
                return Answer.NONE if self.dead else Answer.NO
            return Answer.NONE if self.dead else Answer.YES

        asked, gone = asyncio.ensure_future(called()), asyncio.ensure_future(self.killed.wait())
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in (asked, gone):
            task.cancel()
        return asked.result() if asked.done() else Answer.NONE

    async def looks(self) -> None:
        """At what the file says now."""
        await self.answered(self.store.change(99, lambda wish: wish, "nobody"))

    async def end(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        await self.store.close()


def _described(path: Path) -> object:
    """All of it that a promise is about, without a step through a link."""
    if not path.is_symlink() and not path.exists():
        return None
    seen = path.lstat()
    kind = stat.S_IFMT(seen.st_mode)
    said = os.readlink(path) if stat.S_ISLNK(kind) else ""
    said = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(kind) else said
    return seen.st_ino, seen.st_mode, seen.st_uid, seen.st_gid, said
