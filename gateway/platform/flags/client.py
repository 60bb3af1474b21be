"""The flags through OpenFeature, for whoever is not on the hot path::

    from gateway.platform.flags.client import flags
    if flags().get_boolean_value("enable_webhooks", False, of(organization)): ...

The SDK and our provider are loaded and joined on first use.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tenants.types import Organization

if TYPE_CHECKING:
    from openfeature.client import OpenFeatureClient
    from openfeature.evaluation_context import EvaluationContext

DOMAIN = "ikiro"


@lru_cache(maxsize=1)
def flags() -> OpenFeatureClient:
    """The OpenFeature client of this process, over the directory's snapshot. A domain of our own: an application that
    brings its own default provider does not replace ours."""
    from openfeature import api  # noqa: PLC0415 - worth half a megabyte, needed by few processes

    from gateway.platform.flags.provider import DirectoryProvider  # noqa: PLC0415 - likewise

    api.set_provider_and_wait(DirectoryProvider(), DOMAIN)
    return api.get_client(DOMAIN)


def of(organization: Organization) -> EvaluationContext:
    """The evaluation context of one organization."""
    from openfeature.evaluation_context import EvaluationContext  # noqa: PLC0415 - as above

    return EvaluationContext(targeting_key=organization.ref.public_id, attributes={"plan": organization.plan})
