"""Why something has no vector."""

from __future__ import annotations

from gateway.core.errors import BadRequest, Unavailable, UpstreamError


class EmbeddingUnavailable(Unavailable):
    """Nobody makes vectors at the moment: the embedder is away, or the organization's provider is gone or disabled."""

    default_code = "embedding_unavailable"


class EmbeddingUnusable(UpstreamError):
    """The endpoint answered with something that is no vector, or one that is too long."""

    default_code = "embedding_unusable"


class EmbeddingRefused(BadRequest):
    """The endpoint does not take these texts; another text may do."""

    default_code = "embedding_refused"
