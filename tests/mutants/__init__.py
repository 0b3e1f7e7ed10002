"""Planted bugs, a patch each, and the hunt that shows that the tests find them. Nothing of it is shipped."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutant:
    patch: Path
    promise: int
    what: str
    """What goes wrong with it, in a sentence."""
    found_by: str
    """The test that found it last, below `tests`."""

    @property
    def name(self) -> str:
        return self.patch.stem

    def apply(self, tree: Path, *options: str) -> str:
        """Put it into a tree, or with `--check` only try; why not, or empty."""
        command = ["git", "apply", *options, str(self.patch)]
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        return done.stderr.strip() if done.returncode else ""


def mutants() -> list[Mutant]:
    """By promise. Raises ValueError where a patch does not begin with what it breaks, how, and what shows it."""
    found = []
    for patch in Path(__file__).parent.glob("*.patch"):
        said = re.match(r"promise (\d+): (.+)\nfound by (.+)\n", patch.read_text())
        if said is None:
            raise ValueError(f"{patch} does not begin with `promise N: what goes wrong` and `found by` a test")
        found.append(Mutant(patch, int(said[1]), said[2], said[3]))
    return sorted(found, key=lambda mutant: (mutant.promise, mutant.name))
