"""What is skipped in CI is not left out unnoticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

@pytest.fixture
def tool():
    pytest.skip("there is no tool")

def test_with_it(tool): ...

@pytest.mark.skipif(True, reason="there is no other tool")
def test_with_another(): ...

def test_of_the_large_image():
    pytest.skip("octave-full is not built")

@pytest.mark.xfail
def test_that_is_known_to_fail():
    assert False
"""


@pytest.mark.parametrize(("ci", "told"), [("true", "1 skipped, 1 xfailed, 2 errors"), ("", "3 skipped, 1 xfailed")])
def test_a_skip_that_is_not_named_fails_in_ci_and_nowhere_else(tmp_path: Path, ci: str, told: str) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    env = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert told in done.stdout, done.stdout + done.stderr
    assert done.returncode == (1 if ci else 0)
    assert ("in CI this may not be left out. Skipped: there is no tool" in done.stdout) is bool(ci)
