"""Putting credentials under the key ring's active key, a batch at a time."""

from __future__ import annotations

from uuid import UUID

from gateway.core import ids, resealing
from gateway.core.resealing import Resealed
from gateway.platform.providers.models import ProviderRow
from gateway.platform.providers.services.credentials import place


def reseal(*, limit: int, after: UUID | None = None) -> Resealed:
    """Re-seal the next ``limit`` credentials of the organization in scope that another key seals; those that cannot be
    read go by their public ids."""
    return resealing.reseal(
        ProviderRow.objects.all(),
        "api_key",
        place=place,
        name=lambda row: ids.public("prv", row.id),
        limit=limit,
        after=after,
    )
