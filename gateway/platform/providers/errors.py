"""What a provider answered with, said in our own terms. A provider's 401 is our trouble (502), never the caller's."""

from __future__ import annotations

from gateway.core.errors import NotFound, UpstreamError


class UpstreamAuth(UpstreamError):
    """The provider does not accept the credentials the operator configured."""

    default_code = "upstream_auth"


class UpstreamRateLimited(UpstreamError):
    """The provider's own limit. ``retry_after`` is the provider's, in seconds, when it gave one."""

    status, title, default_code = 429, "The model's provider asks to slow down", "upstream_rate_limited"


class UpstreamRejected(UpstreamError):
    """The provider finds the request wrong; its message goes to the caller, who wrote that request."""

    status, title, default_code = 400, "The model's provider refused the request", "upstream_rejected"


class ModelNotFound(NotFound):
    default_code = "model_not_found"
