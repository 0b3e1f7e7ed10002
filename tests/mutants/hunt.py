"""`make mutants`: plants each bug in a copy of the tree and tells which test finds it.

First the test that found it the last time is run, which its patch names; where that lets it through, all that need no
engine, those that find most first, up to the first that fails. Two hunts go on at a time, each in a copy of its own. A
bug that stops the tests from being collected counts as not found: any linter would see it. Names as arguments choose
some: make mutants ARGS="no-resync act-by-name".
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from tests.mutants import ROOT, Mutant, mutants

WITHOUT_A_LOOP = ("planner", "workqueue", "datafolder", "audit", "brake", "status", "policy", "fence", "main")
WITH_THE_API = ("api_contract", "doorkeeper", "api_input", "flat")
SUITES = (
    [*(f"tests/unit/test_{name}.py" for name in WITHOUT_A_LOOP), "tests/integration/test_strange_answers.py"],
    ["tests/model"],
    ["tests/unit/test_store.py", "tests/unit/test_store_brake.py", "tests/unit/test_store_edits.py"],
    ["tests/integration/test_loop.py", *(f"tests/unit/test_{name}.py" for name in WITH_THE_API)],
    ["tests/unit", "tests/property"],
)
LONGEST = 600.0
"""Seconds for one suite: a bug that makes the tests hang is found as well."""
AT_ONCE = 2
"""Hunts: CI's machine has two processors."""


def main(names: list[str]) -> int:
    chosen = [each for each in mutants() if not names or each.name in names]
    unknown = set(names) - {each.name for each in chosen}
    if unknown:
        print(f"There is no such patch: {', '.join(sorted(unknown))}.")
        return 2
    width = max(len(each.name) for each in chosen)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        trees = Trees(Path(folder))
        sound = pool.submit(unharmed, trees, sorted({f"tests/{each.found_by}" for each in chosen}))
        hunts = [pool.submit(caught, each, trees, width) for each in chosen]
        found, why = sound.result()
        if found or why:
            pool.shutdown(cancel_futures=True)
            print(f"Without any bug the tests do not pass: {found or why}")
            return 2
        alive = [each.name for each, hunt in zip(chosen, hunts, strict=True) if not hunt.result()]
    minutes = (time.monotonic() - began) / 60
    print(f"\n{len(chosen) - len(alive)} of {len(chosen)} planted bugs were found in {minutes:.1f} minutes.")
    if alive:
        print(f"Not found: {', '.join(alive)}. The promise is not tested, or the patch needs to be made anew.")
    return 1 if alive else 0


class Trees:
    """Copies of the tree, each for one hunt at a time."""

    def __init__(self, folder: Path) -> None:
        self._free: SimpleQueue[Path] = SimpleQueue()
        for n in range(AT_ONCE):
            copy(folder / str(n))
            self._free.put(folder / str(n))

    @contextmanager
    def one(self) -> Iterator[Path]:
        tree = self._free.get()
        try:
            yield tree
        finally:
            self._free.put(tree)


def copy(tree: Path) -> None:
    """All that git knows or would take, as it is now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)


def unharmed(trees: Trees, suite: list[str]) -> tuple[str, str]:
    """As `hunted`, without any bug."""
    with trees.one() as tree:
        return hunted(tree, suite)


def caught(mutant: Mutant, trees: Trees, width: int) -> bool:
    """Plant it, hunt it, take it out again, and print a line about it."""
    with trees.one() as tree:
        began = time.monotonic()
        found, why = hunt(mutant, tree)
    told = f"found by {found}" if found else f"NOT FOUND: {why or mutant.what}"
    seconds = time.monotonic() - began
    print(f"{mutant.name:{width}}  promise {mutant.promise:2}  {seconds:5.1f} s  {told}", flush=True)
    return bool(found)


def hunt(mutant: Mutant, tree: Path) -> tuple[str, str]:
    """The test that found it, or why none did; each may be empty."""
    why = mutant.apply(tree)
    if why:
        return "", f"the patch does not apply any more: {why}"
    found = ""
    try:
        for suite in ([f"tests/{mutant.found_by}"], *SUITES):
            found, why = hunted(tree, suite)
            if found or why:
                break
    finally:
        mutant.apply(tree, "--reverse")
    elsewhere = found and not found.startswith(f"tests/{mutant.found_by}")
    if elsewhere and hunted(tree, [found])[0]:
        return "", f"{found} fails without the bug as well"
    return found, why


def hunted(tree: Path, suite: list[str]) -> tuple[str, str]:
    """The first test of a suite that fails, and why the suite could not be run; each may be empty."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.mutants.quick",
    ]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    env.pop("MODEL", None)
    env.pop("CI", None)  # a copy of the sources has not all that the tests need, and no bug is found by that
    try:
        done = subprocess.run(
            [*command, *suite], cwd=tree, env=env, capture_output=True, text=True, check=False, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        return f"{suite[0]}, which did not come to its end", ""
    failed = re.search(r"^FAILED (.+?)(?: - |$)", done.stdout, re.MULTILINE)
    if failed:
        return failed[1], ""
    return "", "" if done.returncode == 0 else (done.stdout + done.stderr)[-500:]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
