"""Heads of plain requests. A client says the same head again and again, but for the length of its body: what one of
them means is read once, by the server's own parser, and kept by its hash.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import httptools

from gateway.surfaces.fast_lane import asked

# The hash of a plain request's credential, where its body begins, and where that ends.
Found = tuple[bytes, int, int]
_END = b"\r\n\r\n"
_LENGTHS = b"\r\ncontent-length: ", b"\r\nContent-Length: "
_MOST, _MOST_BYTES, _MOST_DIGITS = 4_096, 8 * 1024, 8


class Heads:
    """``first_line`` is what a request begins with that is looked at; ``most_bytes`` what its body may have."""

    def __init__(self, first_line: bytes, most_bytes: int) -> None:
        self._first_line, self._most_bytes = first_line, most_bytes
        self._kept: dict[bytes, bytes | None] = {}

    def read(self, data: bytes) -> Found | None:
        """The plain request that ``data`` begins with; None for any other."""
        if not data.startswith(self._first_line):
            return None
        end = data.find(_END)
        at = data.find(_LENGTHS[0], 0, end)
        if at < 0:
            at = data.find(_LENGTHS[1], 0, end)
        if at < 0 or not 0 < end < _MOST_BYTES:
            return None
        at += len(_LENGTHS[0])
        close = data.find(b"\r\n", at)
        digits = data[at:close]
        if not digits.isdigit() or len(digits) > _MOST_DIGITS or int(digits) > self._most_bytes:
            return None
        name = sha256(data[:at] + data[close:end]).digest()
        said = self._kept[name] if name in self._kept else self._keep(name, data[: end + len(_END)])
        begin = end + len(_END)
        return (said, begin, begin + int(digits)) if said is not None else None

    def _keep(self, name: bytes, head: bytes) -> bytes | None:
        if len(self._kept) >= _MOST:
            self._kept.clear()
        credential = _Reader(head).credential(self._most_bytes)
        said = self._kept[name] = None if credential is None else asked.hash_of(credential)
        return said


class _Reader:
    """One head as the server reads it."""

    def __init__(self, head: bytes) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._scope: dict[str, Any] | None = None
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._scope = None
        del self._parser  # it knows this object as this knows it

    def credential(self, most_bytes: int) -> bytes | None:
        """See ``asked.credential``."""
        return None if self._scope is None else asked.credential(self._scope, most_bytes)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser.should_keep_alive() and not parser.should_upgrade():
            self._scope = {"method": parser.get_method().decode(), "query_string": b"", "headers": self._headers}
