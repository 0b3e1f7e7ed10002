"""PURE. The interpreter's terminal carries two things in one exact order: text for people, and frames for us.

A frame is an escape sequence (OSC) that begins with a prefix nobody prints by accident, holds one JSON object and
ends with BEL, which JSON never contains unescaped. What looks like a frame but is none is text.
"""

from __future__ import annotations

import codecs
import json
from typing import Any

Frame = dict[str, Any]

LONGEST_FRAME = 16 * 1024 * 1024
"""Bytes. The largest that there is has a block of complex numbers, 400,000 of up to 23 characters."""
BEL = b"\a"


def frame_prefix(nonce: str) -> str:
    return f"\x1b]5151;{nonce};"


class FrameReader:
    """Splits the bytes of one terminal, however they are cut into pieces, into text and frames."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()
        self._rest = bytearray()
        self._searched = 0
        """So many of the first bytes of a frame have been searched for its end."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> list[str | Frame]:
        """What these bytes completed, in order. A possible beginning of a frame is kept back until it is decided."""
        self._rest += data
        found: list[str | Frame] = []
        while (start := self._rest.find(self._prefix)) >= 0:
            end = self._rest.find(BEL, start + self._searched)
            if end < 0 and len(self._rest) - start <= LONGEST_FRAME:
                self._take_text(start, found)
                self._searched = len(self._rest)
                return found
            self._searched = 0
            frame = _parse(self._rest[start + len(self._prefix) : end]) if end >= 0 else None
            if frame is None:
                self._take_text(start + len(self._prefix), found)
            else:
                self._take_text(start, found)
                found.append(frame)
                del self._rest[: end - start + 1]
        self._take_text(len(self._rest) - self._possible_beginning(), found)
        return found

    def close(self) -> str:
        """The terminal is gone: what was kept back is text after all."""
        text = self._decoder.decode(self._rest, final=True)
        self._rest.clear()
        return text

    def _take_text(self, length: int, found: list[str | Frame]) -> None:
        if text := self._decoder.decode(self._rest[:length]):
            found.append(text)
        del self._rest[:length]

    def _possible_beginning(self) -> int:
        """How many of the last bytes could be the beginning of a prefix."""
        longest = min(len(self._prefix) - 1, len(self._rest))
        return next((n for n in range(longest, 0, -1) if self._prefix.startswith(self._rest[-n:])), 0)


def _parse(data: bytearray) -> Frame | None:
    try:
        frame = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None
