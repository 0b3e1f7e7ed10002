"""`make bench`: how fast session, wish and controller are, where it can be as ratios to floors of the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from pathlib import Path

import docker

from bench import controller, session, wish
from bench.figure import HEADING, Figure, Tell
from tests.support import IMAGE, Lab, a_lab, clear_away_leftovers

PARTS = {"session": session, "wish": wish, "controller": controller}


def main() -> int:
    parts = (f"{name}: {part.__doc__}" for name, part in PARTS.items())
    description = "\n".join((str(__doc__), *parts))
    parser = argparse.ArgumentParser(
        prog="bench", description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, help="measure this part alone")
    parser.add_argument("--pairs", type=int, default=15, help="pairs of single creates (default 15)")
    parser.add_argument("--idle", type=float, default=60, help="seconds of idling that are measured (default 60)")
    parser.add_argument("--image", default=IMAGE, help=f"session image that is measured (default {IMAGE})")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    client = docker.from_env()
    clear_away_leftovers(client)
    print(_machine(client), flush=True)
    figures: list[Figure] = []

    def tell(figure: Figure) -> None:
        figures.append(figure)
        print(figure.line(), flush=True)

    print(HEADING)
    for part in PARTS if asked.only is None else (asked.only,):
        with a_lab(client) as lab:
            asyncio.run(_measure(part, lab, asked, tell))
    if asked.json:
        asked.json.write_text(json.dumps([vars(figure) for figure in figures], indent=2) + "\n")
    return 1 if any(figure.met is False for figure in figures) else 0


async def _measure(part: str, lab: Lab, asked: argparse.Namespace, tell: Tell) -> None:
    match part:
        case "session":
            await session.measure(lab, asked.image, asked.idle, tell)
        case "wish":
            await wish.measure(lab, tell)
        case "controller":
            await controller.measure(lab, asked.pairs, asked.idle, tell)


def _machine(client: docker.DockerClient) -> str:
    engine = client.version()["Version"]
    return f"Python {platform.python_version()}, Docker {engine}, {os.cpu_count()} cores, Linux {platform.release()}"


if __name__ == "__main__":
    sys.exit(main())
