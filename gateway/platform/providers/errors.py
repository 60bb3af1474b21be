"""What a provider's failures are called here.

UpstreamError
└── ProviderFailed              502  upstream_error
    ├── UpstreamAuth            502  provider_auth_failed    never 401: the caller's own key is fine
    ├── UpstreamRateLimited     429  upstream_rate_limited
    ├── UpstreamOverloaded      503  upstream_overloaded
    └── UpstreamRejected        400  upstream_rejected
NotFound
├── ModelNotFound               404  model_not_found
├── ProviderNotFound            404  provider_not_found
└── AliasNotFound               404  alias_not_found
"""

from __future__ import annotations

from typing import Any

from gateway.core.errors import BadRequest, Conflict, NotFound, UpstreamError


class ProviderFailed(UpstreamError):
    """``transient``: the same call may succeed in a moment. ``said`` is the provider's own message, its key masked."""

    def __init__(self, detail: str, *, transient: bool = False, said: str = "", **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.transient, self.said = transient, said


class UpstreamAuth(ProviderFailed):
    """The provider does not accept the credentials that are configured for it."""

    default_code = "provider_auth_failed"


class UpstreamRateLimited(ProviderFailed):
    """The provider's own limit. ``retry_after`` is the provider's, in seconds, when it gave one."""

    status, title, default_code = 429, "The model's provider asks to slow down", "upstream_rate_limited"


class UpstreamOverloaded(ProviderFailed):
    status, title, default_code = 503, "The model's provider is overloaded", "upstream_overloaded"


class UpstreamRejected(ProviderFailed):
    """The provider finds the request wrong; its message goes to the caller, who wrote that request."""

    status, title, default_code = 400, "The model's provider refused the request", "upstream_rejected"


class ModelNotFound(NotFound):
    default_code = "model_not_found"


class ProviderNotFound(NotFound):
    default_code = "provider_not_found"


class AliasNotFound(NotFound):
    default_code = "alias_not_found"


class ProviderExists(Conflict):
    default_code = "provider_exists"


class TooManyProviders(Conflict):
    default_code = "too_many_providers"


class TooManyAliases(Conflict):
    default_code = "too_many_aliases"


class InvalidProvider(BadRequest):
    default_code = "invalid_provider"


class InvalidAlias(BadRequest):
    default_code = "invalid_alias"
