"""Putting targets' secrets under the key ring's active key, a batch at a time."""

from __future__ import annotations

from uuid import UUID

from gateway.core import resealing
from gateway.core.resealing import Resealed
from gateway.governance.proposals.models import TargetRow
from gateway.governance.proposals.targets import place


def reseal(*, limit: int, after: UUID | None = None) -> Resealed:
    """Re-seal the next ``limit`` secrets of the organization in scope that another key seals."""
    return resealing.reseal(
        TargetRow.objects.all(),
        "secret",
        place=place,
        name=lambda row: f"write target {row.name}",
        limit=limit,
        after=after,
    )
