"""Who may run on a state folder: one controller, whatever became of the one before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import AlreadyRunning
from controller.main import only_one


def test_a_second_controller_on_the_same_state_is_turned_away_and_the_next_one_is_not(tmp_path: Path) -> None:
    with only_one(tmp_path / "state"):
        with pytest.raises(AlreadyRunning, match=r"process \d+"), only_one(tmp_path / "state"):
            pass
        with only_one(tmp_path / "another"):
            pass
    with only_one(tmp_path / "state"):
        pass
