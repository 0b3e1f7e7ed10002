"""The races have a target of their own, `make race`, which sets the variable."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("RACE") else ["test_*race.py"]
