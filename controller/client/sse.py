"""Server-sent events: bytes in whatever pieces they come, and the messages that they make up.

As the HTML standard has it (https://html.spec.whatwg.org/multipage/server-sent-events.html), but that a line ends with
a line feed, before which a carriage return may stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    event: str
    data: str


class Messages:
    def __init__(self) -> None:
        self._rest = b""
        self._event = ""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> Iterator[Message]:
        """The messages that this piece completes."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if text:
                self._take(*text.partition(":")[::2])
                continue
            if self._data:
                yield Message(self._event or "message", "\n".join(self._data))
            self._event, self._data = "", []

    def _take(self, name: str, value: str) -> None:
        """A comment has no name, and of other fields we have no use."""
        if name == "event":
            self._event = value.removeprefix(" ")
        elif name == "data":
            self._data.append(value.removeprefix(" "))
