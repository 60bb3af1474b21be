"""Putting targets' secrets under the key ring's active key, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from gateway.core import crypto
from gateway.governance.proposals.models import TargetRow
from gateway.governance.proposals.targets import place


@dataclass(frozen=True, slots=True)
class Resealed:
    """What one batch came to. ``last`` is where the next one goes on, None at the end; ``unreadable`` names targets
    whose key is not on the ring any more."""

    changed: int
    unreadable: tuple[str, ...]
    last: UUID | None


def reseal(*, limit: int, after: UUID | None = None) -> Resealed:
    """Re-seal the next ``limit`` secrets of the organization in scope that another key seals. The secrets themselves
    stay sealed throughout."""
    with transaction.atomic():
        stale = TargetRow.objects.exclude(secret_kid=crypto.active_kid()).order_by("id")
        rows = list((stale.filter(id__gt=after) if after else stale).select_for_update()[:limit])
        unreadable = []
        for row in rows:
            try:
                row.secret_ciphertext, row.secret_kid = crypto.rewrap(
                    bytes(row.secret_ciphertext), row.secret_kid, *place(row.id)
                )
            except crypto.Unreadable:
                unreadable.append(f"write target {row.name}")
                continue
            row.save(update_fields=["secret_ciphertext", "secret_kid"])
    return Resealed(len(rows) - len(unreadable), tuple(unreadable), rows[-1].id if len(rows) == limit else None)
