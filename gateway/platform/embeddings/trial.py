"""One vector from an endpoint that somebody is about to choose."""

from __future__ import annotations

from gateway.platform.embeddings import endpoint
from gateway.platform.embeddings.types import Choice
from tenants.types import Organization

_TEXT = "That is a happy person"


async def trial(organization: Organization, model: str, *, dimensions: int | None, shorten: bool) -> int:
    """How many dimensions its vectors have. Raises EmbeddingUnavailable for a provider that is not there,
    EmbeddingUnusable for vectors that cannot be kept, EmbeddingRefused and UpstreamError when it makes none."""
    (vector,) = await endpoint.embed(organization, Choice(model, model, dimensions, shorten), [_TEXT], retries=0)
    return len(vector)
