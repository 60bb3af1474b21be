"""Putting credentials under the key ring's active key, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from gateway.core import crypto, ids
from gateway.platform.providers.models import ProviderRow
from gateway.platform.providers.services.credentials import place


@dataclass(frozen=True, slots=True)
class Resealed:
    """What one batch came to. ``last`` is where the next one goes on, None at the end; ``unreadable`` are the public
    ids of credentials whose key is not on the ring any more.
    """

    changed: int
    unreadable: tuple[str, ...]
    last: UUID | None


def reseal(*, limit: int, after: UUID | None = None) -> Resealed:
    """Re-seal the next ``limit`` credentials of the organization in scope that another key seals. The secrets
    themselves stay sealed throughout.
    """
    with transaction.atomic():
        stale = ProviderRow.objects.exclude(api_key_kid=crypto.active_kid()).order_by("id")
        rows = list((stale.filter(id__gt=after) if after else stale).select_for_update()[:limit])
        unreadable = []
        for row in rows:
            try:
                row.api_key_ciphertext, row.api_key_kid = crypto.rewrap(
                    bytes(row.api_key_ciphertext), row.api_key_kid, *place(row.id)
                )
            except crypto.Unreadable:
                unreadable.append(ids.public("prv", row.id))
                continue
            row.save(update_fields=["api_key_ciphertext", "api_key_kid"])
    last = rows[-1].id if len(rows) == limit else None
    return Resealed(len(rows) - len(unreadable), tuple(unreadable), last)
