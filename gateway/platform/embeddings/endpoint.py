"""An organization's own embeddings endpoint: one of its providers that speaks OpenAI's wire, called through egress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec

from gateway.core.errors import BadRequest, GatewayError
from gateway.platform.embeddings.errors import EmbeddingRefused, EmbeddingUnavailable, EmbeddingUnusable
from gateway.platform.embeddings.types import Choice
from gateway.platform.embeddings.vectors import Vector, fitted
from gateway.platform.providers import snapshots
from gateway.platform.providers.attempts import Attempt
from gateway.platform.providers.entries import Route
from gateway.platform.providers.types import Shape
from tenants.types import Organization

# Endpoints take at least this many texts at once.
MAX_TEXTS = 32
# What a provider answers about the texts themselves. Anything else is about the account, the model or the hour.
_ABOUT_THE_TEXT = frozenset({400, 413, 422})


class _Row(msgspec.Struct):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Row]


_decode = msgspec.json.Decoder(_Answer).decode


async def route(organization: Organization, name: str) -> Route:
    """Where ``provider/model`` leads: to a provider of the organization's own, never to the platform's. Raises
    EmbeddingUnavailable when there is none of this name, Forbidden when it is disabled."""
    prefix, _, model = name.partition("/")
    entry = (await snapshots.of(organization)).entries.get(prefix)
    if entry is None or not model:
        raise EmbeddingUnavailable(f"There is no provider {prefix!r} of your own any more, and it was to embed.")
    entry.check()
    return Route(entry, model, name, None, organization.ref)


async def embed(
    organization: Organization, choice: Choice, texts: Sequence[str], *, retries: int | None = None
) -> list[Vector]:
    """A vector for each of at most 32 texts, in their order.

    Raises EmbeddingRefused when the endpoint does not take the texts, EmbeddingUnusable for an answer that holds no
    usable vectors, EmbeddingUnavailable or another UpstreamError when it gives none.
    """
    assert choice.endpoint is not None  # noqa: S101 - only such a choice is handed in
    led = await route(organization, choice.endpoint)
    asked: dict[str, Any] = {"model": led.model, "input": list(texts), "encoding_format": "float"}
    if choice.dimensions is not None:
        asked["dimensions"] = choice.dimensions
    made: list[Attempt] = []
    try:
        forwarded = await led.forward(
            msgspec.json.encode(asked), made, stream=False, shape=Shape.EMBEDDINGS, retries=retries
        )
        async with forwarded:
            body = b"".join([chunk async for chunk in forwarded])
    except GatewayError as error:
        _translate(error)
    return _read(body, choice, len(texts))


def _translate(error: GatewayError) -> NoReturn:
    """Tell what another text would change from what it would not."""
    if isinstance(error, BadRequest) or error.extra.get("provider_status") in _ABOUT_THE_TEXT:
        raise EmbeddingRefused(error.detail) from error
    raise error


def _read(body: bytes, choice: Choice, count: int) -> list[Vector]:
    try:
        rows = sorted(_decode(body).data, key=lambda row: row.index)
    except msgspec.DecodeError:
        raise EmbeddingUnusable("The endpoint's answer holds no vectors.") from None
    if [row.index for row in rows] != list(range(count)):
        raise EmbeddingUnusable(f"The endpoint answered {len(rows)} vectors to {count} texts.")
    vectors = [fitted(row.embedding, dimensions=choice.dimensions, shorten=choice.shorten) for row in rows]
    if len({len(vector) for vector in vectors}) != 1:
        raise EmbeddingUnusable("The endpoint's vectors are not of one length.")
    return vectors
