"""Putting what is sealed under the key ring's active key, a batch at a time; nothing is opened on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from gateway.core import crypto


@dataclass(frozen=True, slots=True)
class Resealed:
    """What one batch came to. ``last`` is where the next one goes on, None at the end; ``unreadable`` are names of rows
    whose key is not on the ring any more."""

    changed: int
    unreadable: tuple[str, ...]
    last: UUID | None


def reseal(
    rows: QuerySet[Any],
    prefix: str,
    *,
    place: Callable[[UUID], tuple[str | UUID, ...]],
    name: Callable[[Any], str],
    limit: int,
    after: UUID | None,
) -> Resealed:
    """Re-seal the next ``limit`` of ``rows`` that another key seals, in the order of their ids.

    The sealed value stands in ``<prefix>_ciphertext`` and ``<prefix>_kid``; ``place`` is what it is bound to, ``name``
    what a row is called where nobody can read it.
    """
    sealed, kid = f"{prefix}_ciphertext", f"{prefix}_kid"
    unreadable: list[str] = []
    with transaction.atomic():
        stale = rows.exclude(**{kid: crypto.active_kid()}).order_by("id")
        found = list((stale.filter(id__gt=after) if after else stale).select_for_update()[:limit])
        for row in found:
            try:
                ciphertext, active = crypto.rewrap(bytes(getattr(row, sealed)), getattr(row, kid), *place(row.id))
            except crypto.Unreadable:
                unreadable.append(name(row))
                continue
            setattr(row, sealed, ciphertext)
            setattr(row, kid, active)
            row.save(update_fields=[sealed, kid])
    return Resealed(len(found) - len(unreadable), tuple(unreadable), found[-1].id if len(found) == limit else None)
