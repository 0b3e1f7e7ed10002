"""All sessions to another engine, one Docker host or a swarm, and the users' data to where that has it; back as well.

Whoever migrates holds the controller's lock, so that nobody starts a session meanwhile. What is done can be done
again: a migration that was ended halfway is begun anew, and finds what is left to do. The settings in force change
last, in one step; until then a controller that is started finds all as it was.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from controller import copying, datafolder, main
from controller.access import ON_THIS_MACHINE
from controller.copying import Amount, CopyFailed
from controller.disk_usage import nearest
from controller.engine import Engine, trial
from controller.engine.service import Terms
from controller.errors import DataFolderUnusable, EngineError, MatlabManagerError, Problem, WishInvalid
from controller.executor import Executor
from controller.model import Container, DesiredState, Phase, Remove, Retry, Wish
from controller.planner import TRANSIENT, plan
from controller.settings import Settings
from controller.sites import far_engine, read_wish, site_of
from controller.sizes import bytes_size
from controller.store import disk
from controller.store.home import Found, Moved
from controller.target import data_folder, resolve

KEPT = ("instance", "container_prefix", "session_user", "state_dir", "desired_state")
"""Settings that another engine has nothing to do with: desired state, history, names and owners stay what they are."""
NOBODY = 0
"""No user has this number: its folder is for trials."""
ENDED = frozenset({Phase.CREATED, Phase.EXITED, Phase.DEAD})
OWN_FILE_SYSTEMS = frozenset({"ext2/ext3", "xfs", "btrfs", "zfs", "tmpfs", "overlayfs"})
"""In the words of `stat`: none of them is another machine's as well."""
LONGEST_KNOWN = 60.0
"""Seconds for which this machine may go on taking a folder on a file server for what it was (nfs(5), `acdirmax`)."""
SETTINGS_LIMIT = 2**20

Tell = Callable[[str], None]


class MigrationFailed(MatlabManagerError):
    """Not all of it could be done. Nothing is lost: once what is said is mended, the same command goes on."""

    code = "migration_failed"
    hint = "Nothing is lost. Mend that and give the command again, or start the controller: it goes on as it was."


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a migration would do."""

    running: tuple[int, ...]
    """Users whose sessions it ends."""
    folders: tuple[int, ...]
    """Users whose data is copied; none where it stays where it is."""
    amount: Amount
    free: int
    """Bytes, where it is copied to."""
    problems: tuple[str, ...]
    """Why it cannot be done, in sentences with their mend."""


@dataclass(frozen=True, slots=True)
class Migration:
    source: Settings
    """In force."""
    target: Settings

    @property
    def moves_data(self) -> bool:
        """The folders are others there than here."""
        here, there = self.source.data_root, self.target.data_root
        return not (here == there or (here.exists() and there.exists() and here.samefile(there)))

    # ------------------------------------------------------------ before anything is touched

    async def look(self, engine: Engine, another: Engine) -> Prospect:
        """Changes nothing. `engine` is the source's, `another` the target's.

        Raises:
            MigrationFailed: one of them does not answer.
        """
        ours, there = await _asked(engine, "from"), await _asked(another, "to")
        folders = _users_with_data(self.source.data_root) if self.moves_data else ()
        problems = [*self._unlike(), *self._unwanted(ours), *self._in_the_way(ours, there)]
        amount, free = Amount(0, 0), shutil.disk_usage(nearest(self.target.data_root)).free
        if self.moves_data:
            problems += self._unfit(folders)
        if folders and not problems:
            try:
                amount = await asyncio.to_thread(copying.amount, self.source.data_root, self.target.data_root)
            except CopyFailed as failed:
                problems.append(str(failed))
            if amount.size > free:
                room = f"{bytes_size(amount.size)} are to be copied to {self.target.data_root}"
                problems.append(f"{room}, where {bytes_size(free)} are free: make room.")
        return Prospect(_running(ours), folders, amount, free, tuple(problems))

    def _unlike(self) -> Iterator[str]:
        for name in KEPT:
            if getattr(self.source, name) != getattr(self.target, name):
                was, other = (_shown(each, name) for each in (self.source, self.target))
                yield f"{name} is {was} now, and would be {other}: a migration leaves it as it is."
        for settings in (self.source, self.target):
            if settings.engine == "docker" and far_engine(settings) and self.moves_data:
                host = far_engine(settings)
                yield f"The engine is on {host}, and the users' data with it: give this command there."

    def _unwanted(self, ours: Mapping[int, tuple[Container, ...]]) -> Iterator[str]:
        try:
            wish = self.wish()
        except WishInvalid as error:
            for each in error.problems:
                yield f"The desired state does not suit the new settings: {each}."
            return
        if strangers := _listed(ours.keys() - wish.users.keys()):
            yield (
                f"The desired state does not know who has a session, {strangers}: start the controller, and let it end "
                "that (`matlabctl approve`), or want it (`matlabctl create`)."
            )
        if paused := _listed(user_id for user_id in ours if wish.pauses(user_id)):
            yield f"Nothing would be made there for who is paused, {paused}: `matlabctl resume` first."

    def _in_the_way(
        self, ours: Mapping[int, tuple[Container, ...]], there: Mapping[int, tuple[Container, ...]]
    ) -> Iterator[str]:
        for user_id, containers in sorted(ours.items()):
            lost = next((each.node.lost for each in containers if each.node and each.node.lost), "")
            if lost:
                yield f"User {user_id}'s session cannot be ended, and may still write. {lost}"
        one = (self.source.engine, self.source.docker_host) == (self.target.engine, self.target.docker_host)
        if twice := _listed(() if one else _running(there)):
            yield f"There are sessions of this instance there already, {twice}: end them first, and who made them."

    def _unfit(self, folders: Collection[int]) -> Iterator[str]:
        if shutil.which("rsync") is None:
            yield "There is no rsync on this machine: install it (`apt-get install rsync`)."
        for user_id in folders:
            here, there = self._folders(user_id)
            try:
                datafolder.there(here)
                datafolder.there(there)
            except DataFolderUnusable as error:
                yield f"{error} Move it away."
            if not os.access(here, os.R_OK | os.X_OK):
                yield f"{here} cannot be read by this user: give this command as root."

    def wish(self) -> DesiredState:
        """The desired state as the target's settings have it.

        Raises:
            WishInvalid: it does not suit them.
        """
        home = main.home_of(self.source)
        found = home.look() if home.numbered else Found(home.taken(), missing=True)
        if found.raw is None and not found.missing:
            raise WishInvalid((Problem(0, 0, found.fault),))
        return DesiredState() if found.raw is None else read_wish(found.raw, self.target)

    # ------------------------------------------------------------ on the nodes

    async def tried(self) -> Sequence[str]:
        """Have each node of the target's swarm try whether it could take sessions; why not, in sentences.

        Raises:
            EngineError, DataFolderUnusable: it cannot be tried.
        """
        if self.target.engine != "swarm":
            return ()
        wish, word = self.wish(), secrets.token_hex(16)
        terms = Terms(self.target.instance, main.placing_of(self.target), self.target.stop_grace_seconds)
        said: list[str] = []
        with _folder_of_nobody(self.target, word):
            for name in self._profiles(wish):
                spec = resolve(Wish(profile=name), NOBODY, 0, None, site_of(self.target, ON_THIS_MACHINE)).spec
                found = await trial.tried(self.target.docker_host, spec, terms, word)
                said += [f"Node {node}, profile {name}: {why}." for node, why in sorted(found.items()) if why]
                if not found:
                    said.append(f"No node takes sessions of profile {name}.")
        return said

    def _profiles(self, wish: DesiredState) -> Sequence[str]:
        usual = wish.default_profile or self.target.default_profile
        return sorted({each.profile or usual for each in wish.users.values()} or {usual})

    # ------------------------------------------------------------ and then

    async def carry_out(self, engine: Engine, lock: int, tell: Tell) -> None:
        """End the source's sessions, copy all data, and remove what is left of them.

        Args:
            lock: descriptor of the controller's lock, which outlives us as long as something is still copying.
            tell: gets a line whenever something is done.

        Raises:
            MigrationFailed, CopyFailed, EngineError: not all could be done.
        """
        users = sorted(await engine.survey())
        await _of_all(users, lambda user_id: _end(engine, user_id))
        if users:
            tell(f"Of {_listed(users)} no session runs any more.")
        if self.moves_data:
            await self._copy(lock, tell)
        await _of_all(users, lambda user_id: _remove(engine, user_id))
        if await engine.survey():
            raise MigrationFailed("Somebody has made sessions meanwhile.")

    async def _copy(self, lock: int, tell: Tell) -> None:
        if self.source.engine == "swarm" and not _is_own(self.source.data_root):
            tell(f"For {LONGEST_KNOWN:.0f} s now: until this machine sees all that nodes wrote to the file server.")
            await asyncio.sleep(LONGEST_KNOWN)
        self.target.data_root.mkdir(mode=0o755, parents=True, exist_ok=True)
        aside = self.target.data_root / f"before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        for user_id in _users_with_data(self.source.data_root):
            here, there = self._folders(user_id)
            done = await asyncio.to_thread(copying.copy, here, there, aside / there.name, (lock,))
            other = await asyncio.to_thread(copying.difference, here, there)
            if other:
                raise MigrationFailed(f"{other} of user {user_id} is not the same in {here} and {there}.")
            files = f"{done.files} file{'s' * (done.files != 1)}"
            tell(f"user {user_id}: {files} copied, {bytes_size(done.size)}; all is the same.")
        await asyncio.to_thread(os.sync)
        if aside.exists():
            tell(f"What was otherwise in {self.target.data_root} is in {aside}.")

    def _folders(self, user_id: int) -> tuple[Path, Path]:
        here, there = (Path(data_folder(str(each.data_root), user_id)) for each in (self.source, self.target))
        return here, there


def switch(file: Path, text: bytes) -> Path | None:
    """Put other settings in force, in one step. Those that there were are kept beside them; returns where.

    Raises:
        MigrationFailed: they cannot be written; then they are as they were.
    """
    found = disk.read(file, SETTINGS_LIMIT)
    before = file.with_name(f"{file.stem}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{file.suffix}")
    try:
        if not found.missing:
            os.link(os.path.realpath(file), before)
        disk.replace(file, text, found, SETTINGS_LIMIT)
    except (OSError, Moved) as error:
        with suppress(OSError):
            before.unlink()
        raise MigrationFailed(f"{file} cannot be written: {error}.") from error
    return None if found.missing else before


# ---------------------------------------------------------------- one user at a time


async def _of_all(users: Collection[int], deed: Callable[[int], Coroutine[None, None, None]]) -> None:
    """At once, as far as the engine lets them; whatever fails is told when all have ended."""
    done = await asyncio.gather(*(deed(user_id) for user_id in users), return_exceptions=True)
    failed = [each for each in done if isinstance(each, BaseException)]
    for each in failed:
        if not isinstance(each, MatlabManagerError):
            raise each
    if failed:
        raise MigrationFailed(" ".join(dict.fromkeys(map(str, failed)))) from failed[0]


async def _end(engine: Engine, user_id: int) -> None:
    """As the loop ends whoever is wanted no more, but for the removal."""
    while True:
        have = await engine.find(user_id)
        todo = plan(None, have, Retry(), datetime.now(UTC))
        if any(each.node is not None and each.node.lost for each in have if each.ours):
            raise MigrationFailed(f"User {user_id}'s session cannot be ended. {todo.waiting_for}")
        action = next((each for each in todo.actions if not isinstance(each, Remove)), None)
        if action is not None:
            await Executor(engine, ON_THIS_MACHINE).execute(action, None)
        elif todo.waiting_for:
            await asyncio.sleep(TRANSIENT.total_seconds())
        else:
            return


async def _remove(engine: Engine, user_id: int) -> None:
    have = await engine.find(user_id)
    for action in plan(None, have, Retry(), datetime.now(UTC)).actions:
        if not isinstance(action, Remove):
            raise MigrationFailed(f"Somebody has started user {user_id}'s session meanwhile.")
        await Executor(engine, ON_THIS_MACHINE).execute(action, None)


# ---------------------------------------------------------------- looks


async def _asked(engine: Engine, which: str) -> Mapping[int, tuple[Container, ...]]:
    """All of ours on it. Raises MigrationFailed."""
    try:
        await engine.info()
        return await engine.survey()
    except EngineError as error:
        raise MigrationFailed(f"The engine to migrate {which}: {error} {error.hint}".rstrip()) from error


def _listed(users: Iterable[int]) -> str:
    """`user 7`, or `users 7, 9`; empty for none."""
    ids = sorted(users)
    return f"user{'s' * (len(ids) > 1)} {', '.join(map(str, ids))}" if ids else ""


def _running(found: Mapping[int, tuple[Container, ...]]) -> tuple[int, ...]:
    return tuple(sorted(user_id for user_id, each in found.items() if any(c.phase not in ENDED for c in each)))


def _users_with_data(data_root: Path) -> tuple[int, ...]:
    """Of all that ever had a session, wanted or not."""
    names = (each.name for each in data_root.iterdir()) if data_root.is_dir() else ()
    return tuple(sorted(int(found[1]) for name in names if (found := re.fullmatch(r"user_([1-9]\d{0,2})", name, re.A))))


@contextmanager
def _folder_of_nobody(settings: Settings, word: str) -> Iterator[None]:
    """As a user's is, with this word in it; gone afterwards."""
    folder = Path(data_folder(str(settings.data_root), NOBODY))
    datafolder.prepare(folder, settings.session_user)
    try:
        (folder / "trial").unlink(missing_ok=True)  # of one that was killed
        (folder / "trial").write_text(f"{word}\n")
        (folder / "trial").chmod(0o444)
        yield
    except OSError as error:
        raise MigrationFailed(f"{error.filename} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()


def _is_own(folder: Path) -> bool:
    """It is on a file system of this machine's; as far as can be told."""
    told = subprocess.run(  # noqa: S603
        ["stat", "--file-system", "--format=%T", "--", folder],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() in OWN_FILE_SYSTEMS


def _shown(settings: Settings, name: str) -> str:
    return settings.desired_state_text if name == "desired_state" else str(getattr(settings, name))
