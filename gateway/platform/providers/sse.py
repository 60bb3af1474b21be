"""Server-sent events out of a byte stream, however the network cut it up (WHATWG HTML, section "server-sent
events").
"""

from __future__ import annotations

import re

# Atomic groups: a lone "\r\n" must not be taken for two line ends.
_END_OF_EVENT = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_MAX_EVENT = 8 * 1024 * 1024


class EventTooLarge(ValueError):
    """One event has more than 8 MB."""


class EventSplitter:
    """Cuts a stream into raw events, each with the blank line that ends it. Joined, they are the input again."""

    def __init__(self) -> None:
        self._held = b""
        self._scanned = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The events completed by ``data``. Raises EventTooLarge."""
        held = self._held + data if self._held else data
        events, at = [], 0
        for end in _END_OF_EVENT.finditer(held, self._scanned):
            if end.end() == len(held) and held.endswith(b"\r"):
                break  # the "\r" at the very end may be the first half of a "\r\n"
            events.append(held[at : end.end()])
            at = end.end()
        self._held = held[at:]
        self._scanned = max(0, len(self._held) - 3)  # a blank line may straddle the next piece
        if len(self._held) > _MAX_EVENT:
            raise EventTooLarge
        return events

    def rest(self) -> bytes:
        """What stands after the last blank line. A stream that ends inside an event leaves it here."""
        held, self._held, self._scanned = self._held, b"", 0
        return held


def data_of(event: bytes) -> bytes | None:
    """The ``data`` of one raw event, its lines joined by a newline; None when it has none (comments, other fields)."""
    lines = []
    for line in _LINE_END.split(event):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line == b"data":
            lines.append(b"")
    return b"\n".join(lines) if lines else None
