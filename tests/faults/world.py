"""A controller with eleven users before a faulty engine, what is wanted of each, and a judge of what came of it.

The judge knows nothing of the controller's own ideas: it asks the engine past all faults, and compares with what the
API acknowledged.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import docker.errors
from docker.models.containers import Container

from tests.faults.engine import STAND_IN, OwnEngine
from tests.faults.proxy import FaultProxy, Rule
from tests.faults.scorecard import Scorecard
from tests.rig import Rig
from tests.support import MIB, Lab, a_lab, eventually

LENGTH = int(os.environ.get("FAULTS") or "1")
"""How many times longer than usual `make faults` is to search."""
T = 30.0
"""Seconds within which all is as wanted after the last fault, by the sixth promise."""
RESYNC = 1.0
PROFILES = f"""\
profiles:
  standard: {{image: "{STAND_IN}", cpus: 1, memory: 64m, shm: 64m}}
  large: {{image: "{STAND_IN}", cpus: 2, memory: 96m, shm: 64m}}
  roomy: {{image: "{STAND_IN}", cpus: 1, memory: 64m, shm: 128m}}
"""
MEMORY = {"standard": 64 * MIB, "large": 96 * MIB, "roomy": 64 * MIB}
SHM = {"standard": 64 * MIB, "large": 64 * MIB, "roomy": 128 * MIB}
SETTINGS = {
    "MCM_RESYNC_SECONDS": str(RESYNC),
    "MCM_PROBE_READY_SECONDS": "2",
    "MCM_STOP_GRACE_SECONDS": "1",
}

BYSTANDER = 11
"""Nothing is ever done to this user's session."""
BLOCKED = 90
"""Somebody else's container has this user's name."""
USERS = (*range(1, BYSTANDER + 1), BLOCKED)


@dataclass(frozen=True)
class Want:
    """As this user's entry says."""

    running: bool = True
    profile: str = "standard"
    restart_at: str = ""


@asynccontextmanager
async def a_world(engine: OwnEngine, scorecard: Scorecard) -> AsyncIterator[World]:
    """A world of its own on this engine, in place; and gone afterwards."""
    with a_lab(engine.client) as lab:
        proxy = FaultProxy(lab.folder / "proxy.sock", engine.socket)
        await proxy.open()
        world = World(engine, proxy, lab, scorecard)
        try:
            await world.found()
            yield world
        finally:
            await world.close()
            await proxy.close()


class World:
    def __init__(self, engine: OwnEngine, proxy: FaultProxy, lab: Lab, scorecard: Scorecard) -> None:
        self.engine = engine
        self.proxy = proxy
        self.lab = lab
        self.rig = Rig(lab)
        self.scorecard = scorecard
        self.wants: dict[int, Want] = dict.fromkeys(USERS, Want())
        self.aside: set[int] = {BLOCKED}
        """Users in trouble, of whom the judge expects nothing."""
        self._round = 0
        self._began = time.monotonic()
        self._known_ids: set[str] = set()
        self._foreigners: dict[str, str] = {}
        self._manifest: dict[str, str] = {}
        self._bystander = ""
        (lab.folder / "controller.yaml").write_text(PROFILES)

    async def found(self) -> None:
        """All users in place, data in their folders, and strangers about."""
        await asyncio.to_thread(self._strangers_come)
        await self.serve()
        await self.ask({n: {} for n in USERS})
        await eventually(self.as_wanted, T)
        self._leave_data()
        self._bystander = self._started(BYSTANDER)
        await self.settles()

    async def serve(self, wait: bool = True, **changes: str) -> None:
        await self.rig.start(wait, **{"DOCKER_HOST": f"unix://{self.proxy.socket}", **SETTINGS, **changes})

    # ------------------------------------------------------------ what people do

    async def ask(self, entries: Mapping[int, Mapping[str, object] | None]) -> None:
        """Change these users' entries, however many sessions that ends, until it is acknowledged."""
        users = {str(n): entry if entry is None else dict(entry) for n, entry in entries.items()}
        body = {"users": users, "force": True}

        async def done() -> bool:
            try:
                status, said = await self.rig.call("PATCH", "/v1/users", body)
            except (aiohttp.ClientError, TimeoutError):
                return False  # it may have been done: to say it again does no harm
            assert status in (200, 503), (status, said)
            return status == 200

        await eventually(done, T)
        for n, entry in entries.items():
            if entry is None:
                self.wants.pop(n, None)
                continue
            was = self.wants.get(n, Want())
            self.wants[n] = replace(
                was,
                running=entry.get("state", "running" if was.running else "stopped") == "running",
                profile=str(entry.get("profile", was.profile)),
                restart_at=str(entry.get("restart_at", was.restart_at)),
            )

    async def deeds(self) -> None:
        """Something that needs doing, for nine users: every kind of change that a controller makes."""
        self._round += 1
        odd = self._round % 2 == 1
        await self.ask(
            {
                1: None if odd else {},
                2: {"state": "stopped" if odd else "running"},
                3: {"profile": "large" if odd else "standard"},
                4: {"profile": "roomy" if odd else "standard"},
                5: {"restart_at": datetime.now(UTC).isoformat(timespec="milliseconds")},
                **{n: {} for n in range(6, BYSTANDER)},  # changes nothing, but forgets their failures so far
            }
        )
        await asyncio.to_thread(self.hands)

    def hands(self) -> None:
        """What somebody does at the host's shell."""
        deeds: list[tuple[int, Callable[[Container], object]]] = [
            (6, lambda c: c.kill()),
            (7, lambda c: c.pause()),
            (8, lambda c: c.rename(f"{self.lab.instance}-astray-{self._round}")),
            (9, lambda c: c.remove(force=True)),
            (10, lambda c: c.update(mem_limit=80 * MIB, memswap_limit=80 * MIB)),
        ]
        for n, deed in deeds:
            try:
                deed(self.lab.container(n))
            except (docker.errors.APIError, docker.errors.NotFound):
                continue  # it is not there just now, or not in a state for this: a hand finds what it finds

    def everything_may_have_ended(self) -> None:
        """A fault of the engine has ended sessions, or may have: ours and others'."""
        self._bystander = ""
        self._foreigners = {str(c.id): _likeness(c) for c in self._all() if c.id in self._foreigners}

    def watch(self, stranger: Container) -> None:
        """Nobody is to touch this one, either."""
        self._foreigners[str(stranger.id)] = _likeness(stranger)

    def forget(self, stranger: Container) -> None:
        """It is going to go."""
        del self._foreigners[str(stranger.id)]

    # ------------------------------------------------------------ the judge

    def as_wanted(self) -> bool:
        """Whether the engine holds exactly what the API acknowledged."""
        others = self._foreigners.keys()
        in_trouble = {self.lab.name(n) for n in self.aside}
        try:
            found = self.lab.containers()
        except docker.errors.APIError:
            return False  # of a container that is just being removed Docker 20.10 now and then says 500
        rows = [row for row in found if row.id not in others and row.name not in in_trouble]
        by_name = {row.name: row for row in rows}
        if len(rows) != len(by_name):
            return False
        wanted = {self.lab.name(n): (n, want) for n, want in self.wants.items() if n not in self.aside}
        if by_name.keys() - wanted.keys():
            return False
        for name, (n, want) in wanted.items():
            row = by_name.get(name)
            if row is None:
                if want.running:
                    return False
                continue
            if not _is(row.attrs, n, want):
                return False
        return True

    async def settles(self) -> float:
        """Seconds from now, or from the last fault before the engine, until all was as wanted for good.

        Raises:
            AssertionError: it was not so in time.
        """
        called = time.monotonic()
        while True:
            asked = time.monotonic()
            if await asyncio.to_thread(self.as_wanted):
                await self._resyncs(2)
                if not self.proxy.changes_since(asked) and await asyncio.to_thread(self.as_wanted):
                    return max(asked - max(called, self.proxy.struck_at), 0.0)
            late = asked - max(called, self.proxy.struck_at) > T
            assert not late, f"6: not within {T:g} s\n{self._account()}\n{self.rig.log()[-6000:]}"
            await asyncio.sleep(0.05)

    async def _resyncs(self, number: int) -> None:
        begun = await self._resynced()
        await eventually(lambda: self._more_than(begun + number - 1), T, every=0.1)

    async def _resynced(self) -> int:
        _, said = await self.rig.call("GET", "/v1/status")
        return int(said["queue"]["resyncs"])

    async def _more_than(self, number: int) -> bool:
        return await self._resynced() > number

    async def held(self, group: str, kind: str, struck: int | Rule, note: str = "") -> float:
        """The fault is over: wait until all is as wanted, see that every promise was kept, and write it down."""
        took = await self.settles()
        points = struck if isinstance(struck, int) else struck.points
        if not self._bystander:
            self._bystander = self._started(BYSTANDER)
        await asyncio.to_thread(self.promises_held)
        await self._told_by_api()
        self.scorecard.record(group, kind, points, [took], note)
        return took

    def promises_held(self) -> None:
        """Those that can be seen from outside at any time. The number is that of the promise."""
        containers = self._all()
        mine = [
            c for c in containers if c.id not in self._foreigners and c.labels.get("mcm.instance") == self.lab.instance
        ]
        users = Counter(c.labels["mcm.user-id"] for c in mine)
        assert max(users.values(), default=0) <= 1, f"3: two containers of one user: {users}"
        strangers = {c.id: _likeness(c) for c in containers if c.id in self._foreigners}
        assert strangers == self._foreigners, "4: a foreign container was touched"
        self._known_ids |= self.proxy.made
        for call in self.proxy.calls:
            if not call.changes or not call.path.startswith("/containers/") or call.path == "/containers/create":
                continue
            container_id = call.path.split("/")[2]
            assert container_id in self._known_ids, f"4: {call} was made to a container that is not ours, or by name"
        assert self._manifest.items() <= self._data().items(), "5: a user's data was changed"
        assert self._started(BYSTANDER) == self._bystander, "14: a session that nobody touched was ended"
        log = self.rig.log()
        assert "Traceback" not in log, f"22: {log[log.index('Traceback') - 500 :][:3000]}"
        often = Counter((c.method, c.path) for c in self.proxy.changes_since(self._began) if "create" not in c.path)
        assert max(often.values(), default=0) <= 25, f"23: a hot loop: {often.most_common(3)}"
        self._began = time.monotonic()
        self.proxy.calls = []

    async def _told_by_api(self) -> None:
        """What callers are told is so; 1 and 25: all that was acknowledged is in the history, and from whom it came."""
        _, said = await self.rig.call("GET", "/v1/users")
        rows = {row["user_id"]: row for row in said["users"]}
        assert rows[BLOCKED]["observed"] is None or rows[BLOCKED]["observed"].get("status") != "running"
        _, listed = await self.rig.call("GET", "/list")
        running = {row["user_id"] for row in listed["containers"] if row["status"] == "running"} - self.aside
        assert running == {n for n, want in self.wants.items() if want.running} - self.aside
        _, told = await self.rig.call("GET", "/v1/history")
        assert all(each["writer"] for each in told["generations"])

    # ------------------------------------------------------------ strangers and data

    def _strangers_come(self) -> None:
        """Containers that are none of ours, though some look so."""
        make = self.lab.client.containers.run
        ours = {"mcm.instance": self.lab.instance}
        strangers = [
            make(STAND_IN, detach=True, name=f"{self.lab.instance}-somebodys"),
            make(STAND_IN, detach=True, name=f"{self.lab.instance}-elses", labels={"mcm.instance": "another"}),
            make(STAND_IN, detach=True, name=f"{self.lab.instance}-forged", labels={**ours, "mcm.user-id": "3"}),
            self.lab.client.containers.create(STAND_IN, name=self.lab.name(BLOCKED)),
            make(STAND_IN, detach=True, name=self.lab.name(91), labels={"com.example": "theirs"}),
        ]
        for each in strangers:
            each.reload()
        self._foreigners = {str(each.id): _likeness(each) for each in strangers}

    def _leave_data(self) -> None:
        """Files as users have them, with modes, owners and links that a careless hand would change."""
        for n in range(1, BYSTANDER + 1):
            home = self.rig.data / f"user_{n}"
            (home / "work").mkdir()
            for name, mode in (("results.mat", 0o600), ("run.m", 0o755), ("read only.csv", 0o444)):
                file = home / "work" / name
                file.write_bytes(os.urandom(300))
                file.chmod(mode)
                os.chown(file, 1000 + n, 1000)
            (home / "work" / "link").symlink_to("/etc/passwd")
            (home / "work").chmod(0o2750)
        self._manifest = self._data()

    def _data(self) -> dict[str, str]:
        return {str(path): _fingerprint(path) for path in sorted(self.rig.data.rglob("*"))}

    def _all(self) -> list[Container]:
        return self.lab.client.containers.list(all=True, ignore_removed=True)

    def runs(self) -> dict[str, str]:
        """Each session that runs, and since when."""
        return {str(c.name): c.attrs["State"]["StartedAt"] for c in self.lab.containers() if c.status == "running"}

    def _started(self, user_id: int) -> str:
        return str(self.lab.container(user_id).attrs["State"]["StartedAt"])

    def _account(self) -> str:
        rows = {c.name: (c.status, c.attrs["HostConfig"]["Memory"] // MIB) for c in self.lab.containers()}
        return f"wanted {self.wants}\nthere {rows}"

    async def close(self) -> None:
        await self.rig.close()


def _is(said: Mapping[str, Any], user_id: int, want: Want) -> bool:
    """Whether an inspect tells of what is wanted of this user."""
    state, host = said["State"], said["HostConfig"]
    if said["Config"]["Labels"]["mcm.user-id"] != str(user_id) or (state["Status"] == "running") != want.running:
        return False
    if not want.running:
        return bool(state["Status"] in ("exited", "created"))
    return bool(
        host["Memory"] == host["MemorySwap"] == MEMORY[want.profile]
        and host["ShmSize"] == SHM[want.profile]
        and host["NanoCpus"] == (2 if want.profile == "large" else 1) * 1_000_000_000
        and host["CapDrop"] == ["ALL"]
        and host["ReadonlyRootfs"]
        and (not want.restart_at or _moment(state["StartedAt"]) >= _moment(want.restart_at))
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _likeness(container: Container) -> str:
    """What there is to be known of a container but for how its run goes on by itself."""
    said = container.attrs
    state = {name: said["State"][name] for name in ("Status", "StartedAt", "FinishedAt", "Pid", "Paused")}
    return repr((said["Id"], said["Name"], state, said["HostConfig"], said["Config"]))


def _fingerprint(path: Path) -> str:
    said = path.lstat()
    content = (
        os.readlink(path)
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        if stat.S_ISREG(said.st_mode)
        else ""
    )
    return f"{said.st_mode:o} {said.st_uid}:{said.st_gid} {content}"
