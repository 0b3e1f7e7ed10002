"""What no other tool checks: the locks hold what pyproject.toml asks for, and no file names where it was made.

A lock that names a registry breaks behind a mirror; a path of one person's machine breaks on every other.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent

NAMES_A_PLACE = re.compile(
    r"\b(?:(?:deb|security|snapshot)\.debian|(?:files\.)?(?:test\.)?pypi|files\.pythonhosted|registry\.npmjs)\.org\b"
    r"|(?<![\w.$}~-])/(?:work|root)/"
)


def main() -> int:
    complaints = [*stale_locks(), *places_named()]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


def stale_locks() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime: list[str] = project["dependencies"]
    tools: list[str] = project["optional-dependencies"]["dev"]
    for name, wanted in (("requirements.lock", runtime), ("requirements-dev.lock", runtime + tools)):
        text = (ROOT / name).read_text()
        locked = {canonicalize_name(n): v for n, v in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)}
        for requirement in map(Requirement, wanted):
            version = locked.get(canonicalize_name(requirement.name))
            if version is None or version not in requirement.specifier:
                yield f"{name}: has {version or 'nothing'} for {requirement}; run `make lock` and commit it."
        if "://" in text:
            yield f"{name}: names an address; run `make lock` and commit it."


def places_named() -> Iterator[str]:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue  # deleted, and not yet committed so
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if found := NAMES_A_PLACE.search(line):
                yield f"{name}:{number}: names a place that other machines do not have: {found[0]}"


if __name__ == "__main__":
    sys.exit(main())
