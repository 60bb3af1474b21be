"""The sandbox's embeddings: words hashed into a vector. Texts that share words are near each other, and that is all it
knows; the answer says so in ``method``.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import Any

import msgspec

from gateway.platform.providers.reading import decoded, wrong
from gateway.platform.providers.sandbox.words import count_tokens, stem
from gateway.platform.providers.types import TokenUsage

METHOD = "feature-hashing"
_DIMENSIONS, _MOST_DIMENSIONS, _MOST_INPUTS = 256, 3_072, 2_048


def answer(body: bytes, model: str) -> tuple[bytes, TokenUsage]:
    """(the answer in OpenAI's shape, its usage). Raises BadRequest naming the field."""
    fields = decoded(body)
    size = fields.get("dimensions")
    if size is not None and (type(size) is not int or not 1 <= size <= _MOST_DIMENSIONS):
        raise wrong("dimensions", f"must be a whole number from 1 to {_MOST_DIMENSIONS}")
    encoding = "float" if fields.get("encoding_format") is None else fields["encoding_format"]
    if encoding not in ("float", "base64"):
        raise wrong("encoding_format", "must be float or base64")
    inputs = _inputs(fields.get("input"))
    vectors = [_vector(features, size or _DIMENSIONS) for features, _ in inputs]
    rows = [
        {"object": "embedding", "index": at, "embedding": _packed(vector) if encoding == "base64" else vector}
        for at, vector in enumerate(vectors)
    ]
    tokens = sum(count for _, count in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    shown = {"object": "list", "data": rows, "model": model, "usage": usage, "method": METHOD}
    return msgspec.json.encode(shown), TokenUsage(tokens, 0)


def _inputs(given: Any) -> list[tuple[list[str], int]]:
    """Of each input (its words, or its tokens where it came as numbers; how many tokens it counts for)."""
    if isinstance(given, str) or _is_tokens(given):
        given = [given]
    if not isinstance(given, list) or not 0 < len(given) <= _MOST_INPUTS:
        raise wrong("input", f"must be text, tokens, or a list of up to {_MOST_INPUTS} of them")
    found = []
    for at, one in enumerate(given):
        if isinstance(one, str) and one:
            found.append(([stem(word) for word in one.split()], count_tokens(one)))
        elif _is_tokens(one):
            found.append(([str(token) for token in one], len(one)))
        else:
            raise wrong(f"input.{at}", "must be text or a list of tokens, not empty")
    return found


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(token) is int for token in value)


def _vector(features: list[str], size: int) -> list[float]:
    """A vector of length 1, the same for the same words."""
    sums = [0.0] * size
    for feature in features:
        digest = hashlib.sha256(feature.encode()).digest()
        sums[int.from_bytes(digest[:4]) % size] += 1.0 if digest[4] & 1 else -1.0
    length = math.sqrt(sum(value * value for value in sums))
    if length == 0.0:  # all cancelled out, which two words in very few dimensions can
        return [1.0, *([0.0] * (size - 1))]
    return [value / length for value in sums]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
