"""Frames on the embedder's socket: a length, a number and a kind before each body. Standard library only, because both
ends use it.

    0 HELLO    from the embedder, once, first: JSON ``{"model": …, "dimensions": …}``
    1 QUERY    a JSON list of texts; answered before every batch
    2 BATCH    a JSON list of texts; computed while nothing else is asked for
    3 VECTORS  the answer: 32-bit floats, little endian, a row for each text; each row has length 1
    4 BUSY     the answer when too much waits already: ask again later
    5 REFUSED  the answer to what cannot be done, as a sentence

A number names a question of its connection, and its answer has the same; any number of them may be open at once.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum

# The vectors' space: another model, other vectors. It names the rows in ``memory_embedding``.
MODEL_ID = "ikiro/all-minilm-l6-v2"
DIMENSIONS = 384

MAX_TEXTS = 64
MAX_BODY = 1024 * 1024
_HEADER = struct.Struct("!IIB")


class Frame(IntEnum):
    """What a frame is."""

    HELLO = 0
    QUERY = 1
    BATCH = 2
    VECTORS = 3
    BUSY = 4
    REFUSED = 5


class FrameError(ValueError):
    """The other end does not speak this protocol, or its frame is too large. The connection is of no more use."""


def pack(kind: Frame, number: int, body: bytes = b"") -> bytes:
    """One frame. Raises FrameError for a body over ``MAX_BODY``."""
    if len(body) > MAX_BODY:
        raise FrameError(f"A frame of {len(body)} bytes is larger than {MAX_BODY}.")
    return _HEADER.pack(len(body), number, kind) + body


def pack_texts(kind: Frame, number: int, texts: Sequence[str]) -> bytes:
    """One question. Raises FrameError for more than ``MAX_TEXTS`` texts or too many characters."""
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise FrameError(f"A question has 1 to {MAX_TEXTS} texts, not {len(texts)}.")
    return pack(kind, number, json.dumps(list(texts), ensure_ascii=False).encode("utf-8", "replace"))


def read_texts(body: bytes) -> list[str]:
    """The texts of a question. Raises FrameError for anything else."""
    try:
        texts = json.loads(body)
    except ValueError:
        raise FrameError("A question is a JSON list of texts.") from None
    if not isinstance(texts, list) or not 1 <= len(texts) <= MAX_TEXTS or not all(isinstance(t, str) for t in texts):
        raise FrameError(f"A question is a JSON list of 1 to {MAX_TEXTS} texts.")
    return texts


def read_vectors(body: bytes, count: int) -> list[tuple[float, ...]]:
    """The rows of an answer to ``count`` texts. Raises FrameError when their number is another."""
    if len(body) != count * DIMENSIONS * 4:
        raise FrameError(f"{len(body)} bytes are not {count} vectors.")
    width = DIMENSIONS * 4
    return [struct.unpack(f"<{DIMENSIONS}f", body[at : at + width]) for at in range(0, len(body), width)]


def hello() -> bytes:
    """What the embedder says first."""
    return pack(Frame.HELLO, 0, json.dumps({"model": MODEL_ID, "dimensions": DIMENSIONS}).encode())


def check_hello(kind: Frame, body: bytes) -> None:
    """Raise FrameError unless this is the greeting of an embedder with our model."""
    try:
        said = json.loads(body) if kind is Frame.HELLO else None
    except ValueError:
        said = None
    if said != {"model": MODEL_ID, "dimensions": DIMENSIONS}:
        raise FrameError("That is not the embedder of this version.")


class Reader:
    """Puts frames together from what a socket gives."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._held)

    def feed(self, data: bytes) -> Iterator[tuple[Frame, int, bytes]]:
        """Every frame that is complete now: kind, number, body. Raises FrameError as soon as a header is wrong."""
        self._held += data
        while len(self._held) >= _HEADER.size:
            length, number, kind = _HEADER.unpack_from(self._held)
            if length > MAX_BODY or kind not in Frame.__members__.values():
                raise FrameError(f"A frame of kind {kind} and {length} bytes is none of ours.")
            end = _HEADER.size + length
            if len(self._held) < end:
                return
            body = bytes(self._held[_HEADER.size : end])
            del self._held[:end]
            yield Frame(kind), number, body
