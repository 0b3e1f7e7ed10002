"""Tables in the docs that tests keep true: what was seen has to be what stands there.

`CANARIES_WRITE=1` writes them anew instead.
"""

from __future__ import annotations

import os
from pathlib import Path


def stands(page: Path, text: str) -> None:
    """Raises AssertionError: the page says something else."""
    if os.environ.get("CANARIES_WRITE"):
        page.write_text(text)
    assert page.read_text() == text, "write it anew with CANARIES_WRITE=1"
