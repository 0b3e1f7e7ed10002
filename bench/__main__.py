"""`make bench`: how fast session, wish and controller are, against floors of the same run and beside their peers."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import docker

from bench import actions, beside, controller, growth, page, session, wish
from bench.figure import HEADING, Figure
from bench.run import Run
from tests.support import IMAGE, Lab, a_lab, clear_away_leftovers

PARTS = {
    "growth": growth,
    "wish": wish,
    "session": session,
    "actions": actions,
    "controller": controller,
    "beside": beside,
}


def main() -> int:
    parts = (f"{name}: {part.__doc__}" for name, part in PARTS.items())
    description = "\n".join((str(__doc__), *parts))
    parser = argparse.ArgumentParser(
        prog="bench", description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part alone; may be said again")
    parser.add_argument("--quick", action="store_true", help="fewer of each, and few users: under five minutes")
    parser.add_argument("--image", default=IMAGE, help=f"session image that is measured (default {IMAGE})")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="for all samples (default bench.json)")
    parser.add_argument("--page", action="store_true", help="also write the tables and plots of docs/performance.md")
    asked = parser.parse_args()
    client = docker.from_env()
    clear_away_leftovers(client)
    began = time.monotonic()
    run = Run(_machine(client), f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    print(f"{run.machine}, {run.began}\n{HEADING}", flush=True)
    for part in asked.only or PARTS:
        with a_lab(client) as lab:
            asyncio.run(_measure(part, lab, asked, run)) if part != "growth" else _measure_growth(asked, run)
    run.minutes = (time.monotonic() - began) / 60
    asked.json.write_text(run.text())
    print(f"{run.minutes:.1f} minutes; all samples are in {asked.json}")
    if asked.page:
        page.write(run)
    missed = sum(figure.met is False for figures in run.figures.values() for figure in figures)
    print(f"{missed} goals were missed" if missed else "every goal was met")
    return 0


async def _measure(part: str, lab: Lab, asked: argparse.Namespace, run: Run) -> None:
    def tell(figure: Figure) -> None:
        run.figures.setdefault(part, []).append(figure)
        print(figure.line(), flush=True)

    match part:
        case "session":
            await session.measure(lab, asked.image, 3 if asked.quick else 20, tell)
        case "wish":
            await wish.measure(lab, tell)
        case "actions":
            await actions.measure(lab, 3 if asked.quick else 15, tell)
        case "controller":
            rounds, users, idle = (1, 10, 10) if asked.quick else (3, 100, 60)
            await controller.measure(lab, rounds, users, idle, tell)
        case "beside":
            batches, idle = ((5,), 3) if asked.quick else ((50, 20, 1, 29), 10)
            run.beside = await beside.measure(lab, batches, idle, lambda said: print(f"       {said}", flush=True))


def _measure_growth(asked: argparse.Namespace, run: Run) -> None:
    def tell(figure: Figure) -> None:
        run.figures.setdefault("growth", []).append(figure)
        print(figure.line(), flush=True)

    run.curves = growth.measure(growth.SIZES[:3] if asked.quick else growth.SIZES, tell)


def _machine(client: docker.DockerClient) -> str:
    engine = client.version()["Version"]
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    version = f"commit {commit.stdout.strip()}, " if commit.returncode == 0 else ""
    return (
        f"{version}Python {platform.python_version()}, Docker {engine}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}"
    )


if __name__ == "__main__":
    sys.exit(main())
