"""`make soak HOURS=…`: a controller under churn, edits and faults for hours, and whether what it uses stays flat.

It begins with a history that is full: what is kept has its limits, and only then does the disk show whether they hold.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import docker
import psutil

from bench.plot import plot
from bench.steady import Verdict, trend
from controller.model import Event, EventKind, EventReason
from controller.store import history
from tests.faults.engine import OwnEngine
from tests.faults.proxy import Answer, CutReply, Events, Fault, Gone, Late, LoseReply
from tests.faults.scorecard import Scorecard
from tests.faults.world import World, a_world

FAULTS: dict[str, Fault] = {
    "hangs up": Gone(),
    "loses replies": LoseReply(),
    "cuts replies": CutReply(),
    "is late": Late(2),
    "says 500": Answer(500, b'{"message": "server error"}'),
    "says 503": Answer(503, b'{"message": "starting up"}'),
}
ANY = r"^(GET|POST|DELETE) /(containers|networks|info|version)"
ALLOWED = {"memory": 1.0, "descriptors": 1.0, "threads": 1.0, "disk": 100.0}
"""An hour, in the units below: less is nothing."""
UNITS = {"memory": "MiB", "descriptors": "", "threads": "", "disk": "KiB"}


@dataclass(frozen=True)
class Sample:
    """What the controller's process used at a time."""

    seconds: float
    memory: float
    """MiB, resident."""
    descriptors: float
    threads: float
    disk: float
    """KiB, of the state folder: history, events and audit."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--svg", type=Path, default=Path("soak.svg"), help="where the plot goes (default soak.svg)")
    asked = parser.parse_args()
    samples, rounds = asyncio.run(soak(asked.hours * 3600))
    print(f"\n{rounds} rounds of churn and faults, all of them converged; {len(samples)} samples")
    verdicts = []
    for name, unit in UNITS.items():
        values = [float(getattr(each, name)) for each in samples]
        found = trend([each.seconds for each in samples], values)
        verdicts.append(found.verdict(ALLOWED[name]))
        print(
            f"{name:12} {values[0]:9.1f} → {values[-1]:9.1f} {unit:4} an hour: first half {found.warming:+8.2f}, "
            f"second half {found.rate:+8.2f} ({found.low:+.2f} to {found.high:+.2f}): {verdicts[-1]}"
        )
    series = {f"{name} ({unit})": [float(getattr(each, name)) for each in samples] for name, unit in UNITS.items()}
    asked.svg.write_text(plot([each.seconds / 60 for each in samples], series, "minutes"))
    print(f"plot: {asked.svg}")
    return 1 if Verdict.GROWS in verdicts else 0


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
                await _fill_history(world)
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
        kind = chance.choice([*FAULTS, *Events])
        if isinstance(kind, Events):
            world.proxy.events = kind
        else:
            world.proxy.fault(FAULTS[kind], ANY, times=1)
        await world.deeds()
        took = await world.held("soak", str(kind), 1)
        world.proxy.lift()
        world.proxy.break_streams()
        samples.append(_sample(world, time.monotonic() - began))
        print(f"{samples[-1].seconds:7.0f} s  {kind!s:20} {took:5.1f} s  {samples[-1].memory:6.1f} MiB", flush=True)
    return samples, rounds


def _sample(world: World, seconds: float) -> Sample:
    assert world.rig.process is not None
    process = psutil.Process(world.rig.process.pid)
    used = sum(file.stat().st_size for file in (world.lab.folder / "state").rglob("*") if file.is_file())
    return Sample(seconds, process.memory_info().rss / 2**20, process.num_fds(), process.num_threads(), used / 1024)


_MESSAGE = "user 22: session_id from " + "x" * 60
"""No shorter than those that take its place, or the database would grow by the difference."""


async def _fill_history(world: World) -> None:
    """As that of a controller that has served for years."""
    for n in range(history.KEPT):
        entry = {"state": "stopped", "session_id": f"s{n}"}
        await world.ask({22: entry if n < history.KEPT - 1 else None})
    await world.rig.stop()
    kept = history.History(world.lab.folder / "state" / history.FILE)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    event = Event(
        EventKind.WISH, EventReason.CHANGED, _MESSAGE, user_id=22, generation=1, writer=f"api {'0' * 32}", before=0
    )
    kept.add_events([(long_ago, event)] * history.AUDIT_KEPT)
    kept.close()
    await world.serve()
    await world.settles()


if __name__ == "__main__":
    raise SystemExit(main())
