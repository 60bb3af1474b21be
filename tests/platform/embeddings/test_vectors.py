"""A vector may be kept when it is short enough and points somewhere; then it has length 1."""

from __future__ import annotations

import math

import pytest

from gateway.platform.embeddings.errors import EmbeddingUnusable
from gateway.platform.embeddings.vectors import fitted, normalised, similarity


def test_fitted__within_bounds__is_brought_to_length_one() -> None:
    assert fitted([3.0, 4.0], dimensions=None, shorten=False) == pytest.approx((0.6, 0.8))
    assert len(fitted([1.0] * 512, dimensions=None, shorten=False)) == 512


@pytest.mark.parametrize(("size", "dimensions"), [(513, None), (1536, None), (65, 64)])
def test_fitted__too_long__is_refused_or_shortened_and_renormalised(size: int, dimensions: int | None) -> None:
    with pytest.raises(EmbeddingUnusable, match=f"{size} dimensions, and {dimensions or 512} are the most"):
        fitted([1.0] * size, dimensions=dimensions, shorten=False)
    short = fitted([1.0] * size, dimensions=dimensions, shorten=True)
    assert len(short) == (dimensions or 512)
    assert math.fsum(value * value for value in short) == pytest.approx(1.0)


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]], ids=str)
def test_normalised__no_direction__is_refused(values: list[float]) -> None:
    with pytest.raises(EmbeddingUnusable, match="points nowhere"):
        normalised(values)


def test_similarity__of_two_lengths__is_an_error() -> None:
    assert similarity((1.0, 0.0), (0.0, 1.0)) == 0.0
    with pytest.raises(ValueError, match="argument"):
        similarity((1.0,), (1.0, 0.0))
