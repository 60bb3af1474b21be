"""Arithmetic on vectors of length 1, as tuples of numbers: a few hundred of them need no library."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gateway.platform.embeddings.errors import EmbeddingUnusable
from gateway.platform.embeddings.types import MAX_DIMENSIONS

Vector = tuple[float, ...]


def similarity(first: Sequence[float], second: Sequence[float]) -> float:
    """The cosine of two vectors of one space, from -1 to 1. Raises ValueError for vectors of different lengths."""
    return sum(a * b for a, b in zip(first, second, strict=True))


def normalised(values: Sequence[float]) -> Vector:
    """The same direction with length 1. Raises EmbeddingUnusable where there is no direction."""
    length = math.sqrt(sum(value * value for value in values))
    if not math.isfinite(length) or length < 1e-12:
        raise EmbeddingUnusable("The endpoint answered with a vector that points nowhere.")
    return tuple(value / length for value in values)


def fitted(values: Sequence[float], *, dimensions: int | None, shorten: bool) -> Vector:
    """A vector as it may be kept: no wider than asked, at most 512 numbers, of length 1.

    A wider one is cut where ``shorten`` says that its model bears that, and refused otherwise (EmbeddingUnusable).
    """
    most = dimensions or MAX_DIMENSIONS
    if len(values) > most:
        if not shorten:
            raise EmbeddingUnusable(
                f"The endpoint answered with {len(values)} dimensions, and {most} are the most. Ask it for fewer "
                "(dimensions), or allow it to be shortened (shorten)."
            )
        values = values[:most]
    return normalised(values)
