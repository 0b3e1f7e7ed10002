"""Makes sure that a Ctrl-C ends what waits.

Python tells of one by an exception, wherever it is just then. Where that is a finalizer or a callback of a weak
reference, it prints the exception and goes on, and a command that waits would wait as if nothing had been typed.
"""

from __future__ import annotations

import signal
from types import FrameType

_typed: list[int] = []


def heed() -> None:
    """Remember it from now on; not where whoever started us has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _heard)


def check() -> None:
    """Raises KeyboardInterrupt: it was typed, and its own exception may be lost."""
    if _typed:
        raise KeyboardInterrupt


def _heard(number: int, frame: FrameType | None) -> None:
    _typed.append(number)
    signal.default_int_handler(number, frame)
