"""`make soak HOURS=…`: a controller under churn, edits and faults for hours, and whether what it uses stays flat.

What is kept has its limits, and only where they are reached does the disk show whether they hold. So its controller
keeps a hundredth of what others keep, which an hour replaces several times: like is compared with like.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import docker
import psutil

from bench.plot import plot
from bench.steady import Trend, Verdict, trend
from controller.cli.service import MALLOC
from controller.store.history import FILE
from tests.faults.engine import OwnEngine
from tests.faults.proxy import Answer, CutReply, Events, Fault, Gone, Late, LoseReply
from tests.faults.scorecard import Scorecard
from tests.faults.world import World, a_world
from tests.metered import Reading

FAULTS: dict[str, Fault] = {
    "hangs up": Gone(),
    "loses replies": LoseReply(),
    "cuts replies": CutReply(),
    "is late": Late(2),
    "says 500": Answer(500, b'{"message": "server error"}'),
    "says 503": Answer(503, b'{"message": "starting up"}'),
}
KINDS = [*FAULTS, *Events]
ANY = r"^(GET|POST|DELETE) /(containers|networks|info|version)"
ALLOWED = {"memory": 1.0, "descriptors": 1.0, "threads": 1.0, "tasks": 1.0, "disk": 100.0}
"""An hour, in the units below: less is nothing."""
UNITS = {"memory": "MiB", "descriptors": "", "threads": "", "tasks": "", "disk": "KiB"}
KEEPS_LITTLE = """
from controller.cli import main
from controller.store import history

history.KEPT //= 100
history.EVENTS_KEPT //= 100
history.AUDIT_KEPT //= 100
main(prog_name="matlabctl")
"""
"""The controller, for `python -c`: the last 10 generations, 200 events and 2,000 records are some 40 rounds' work."""


@dataclass(frozen=True)
class Sample:
    """What the controller's process used at a time."""

    seconds: float
    memory: float
    """MiB, resident."""
    descriptors: float
    threads: float
    tasks: float
    """Of the event loop."""
    files: Mapping[str, float]
    """KiB of each, of desired state and state folder: history, events and audit. The log belongs to who keeps it."""
    tables: Mapping[str, float]
    """KiB of each table and index of the history, and of what is free in it."""

    @property
    def disk(self) -> float:
        """KiB, of all files."""
        return sum(self.files.values())


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--svg", type=Path, default=Path("soak.svg"), help="where the plot goes (default soak.svg)")
    asked = parser.parse_args()
    os.environ |= MALLOC  # as the unit has it
    samples, rounds = asyncio.run(soak(asked.hours * 3600))
    print(f"\n{rounds} rounds of churn and faults, all of them converged; {len(samples)} samples")
    told = list(verdicts(samples))
    for line, _ in told:
        print(line)
    asked.svg.with_suffix(".json").write_text(json.dumps([asdict(each) for each in samples]))
    series = {f"{name} ({unit})": [float(getattr(each, name)) for each in samples] for name, unit in UNITS.items()}
    asked.svg.write_text(plot([each.seconds / 60 for each in samples], series, "minutes"))
    print(f"plot: {asked.svg}")
    return 1 if Verdict.GROWS in (verdict for _, verdict in told) else 0


def verdicts(samples: Sequence[Sample]) -> Iterator[tuple[str, Verdict | None]]:
    """A line for each thing that is judged, and below the disk's one for each part of it, what grew most first."""
    times = [each.seconds for each in samples]
    for name, unit in UNITS.items():
        values = [float(getattr(each, name)) for each in samples]
        found = trend(times, values)
        verdict = found.verdict(ALLOWED[name])
        yield f"{_told(name, values, unit, found)}: {verdict}", verdict
    for what in ("files", "tables"):
        parts: Sequence[Mapping[str, float]] = [getattr(each, what) for each in samples]
        series = {part: [each.get(part, 0.0) for each in parts] for part in sorted(set[str]().union(*parts))}
        found_of = {part: trend(times, values) for part, values in series.items()}
        for part in sorted(series, key=lambda part: -found_of[part].rate):
            yield _told(f"  {part}", series[part], "KiB", found_of[part]), None


def _told(name: str, values: Sequence[float], unit: str, found: Trend) -> str:
    return (
        f"{name:30} {values[0]:9.1f} → {values[-1]:9.1f} {unit:4} an hour: first half {found.warming:+8.2f}, "
        f"second half {found.rate:+8.2f} ({found.low:+.2f} to {found.high:+.2f})"
    )


async def soak(seconds: float) -> tuple[list[Sample], int]:
    """Samples, and how many rounds there were."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="mcm-soak-") as folder:
        engine = OwnEngine(Path(folder))
        await engine.start()
        with contextlib.closing(docker.from_env()) as usual:
            engine.take_images(usual)
        try:
            async with a_world(engine, Scorecard()) as world:
                await world.rig.stop()
                world.rig.program = ("-c", KEEPS_LITTLE)
                await world.serve()
                await world.settles()
                return await _churn(world, seconds, chance)
        finally:
            engine.clear()
            await engine.stop()


async def _churn(world: World, seconds: float, chance: random.Random) -> tuple[list[Sample], int]:
    began = time.monotonic()
    samples: list[Sample] = []
    rounds = 0
    while time.monotonic() - began < seconds:
        rounds += 1
        kind = chance.choice(KINDS)
        took = await _round(world, kind)
        samples.append(await _sample(world, time.monotonic() - began))
        print(f"{samples[-1].seconds:7.0f} s  {kind!s:20} {took:5.1f} s  {samples[-1].memory:6.1f} MiB", flush=True)
    return samples, rounds


async def _round(world: World, kind: str | Events) -> float:
    """Nine users have work done for them beside a fault; seconds until all is as wanted."""
    if isinstance(kind, Events):
        world.proxy.events = kind
    else:
        world.proxy.fault(FAULTS[kind], ANY, times=1)
    await world.deeds()
    took = await world.held("soak", str(kind), 1)
    world.proxy.lift()
    world.proxy.break_streams()
    return took


async def _sample(world: World, seconds: float) -> Sample:
    assert world.rig.process is not None
    process = psutil.Process(world.rig.process.pid)
    folder, state = world.lab.folder, world.lab.folder / "state"
    files = sizes(folder, [*folder.glob(f"*{world.rig.wish.name}*"), *state.rglob("*")])
    memory = process.memory_info().rss / 2**20
    async with aiohttp.ClientSession() as http, http.get(f"{world.rig.url}/metrics") as told:
        tasks = Reading(await told.text())("mcm_tasks")
    return Sample(seconds, memory, process.num_fds(), process.num_threads(), tasks, files, tables(state / FILE))


def sizes(folder: Path, files: Sequence[Path]) -> dict[str, float]:
    """KiB of each that is there, by its name in the folder."""
    found = {}
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # a write has just ended
            if file.is_file():
                found[str(file.relative_to(folder))] = file.stat().st_size / 1024
    return found


def tables(database: Path) -> dict[str, float]:
    """KiB of each, with what waits in the write-ahead log; nothing where this SQLite was built without `dbstat`."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        try:
            found = dict(db.execute("SELECT name, sum(pgsize) / 1024.0 FROM dbstat GROUP BY name"))
        except sqlite3.OperationalError:
            return {}
        [[free]] = db.execute("SELECT freelist_count * page_size / 1024.0 FROM pragma_freelist_count, pragma_page_size")
    return {**found, "(free)": free}


if __name__ == "__main__":
    raise SystemExit(main())
