"""Reads of policies."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.governance.policies.documents import from_json
from gateway.governance.policies.merge import merge
from gateway.governance.policies.models import OverlayRow
from gateway.governance.policies.types import EffectivePolicy, Fields, Level, Overlay, RequestedPolicy


def effective(
    *,
    persona_do: Sequence[str] = (),
    persona_dont: Sequence[str] = (),
    request: RequestedPolicy | None = None,
) -> EffectivePolicy:
    """What holds for a request with this persona, from the overlays as they are now. One query."""
    rows = OverlayRow.objects.filter(level=Level.ORG, target="")
    overlays = [to_overlay(row) for row in rows]
    return merge(overlays, persona_do=persona_do, persona_dont=persona_dont, request=request)


def overlay(level: Level | str = Level.ORG, target: str = "") -> Overlay:
    """One overlay; an empty one of version 0 when nobody has written it."""
    row = OverlayRow.objects.filter(level=level, target=target).first()
    return to_overlay(row) if row else Overlay(Level(level), target, Fields(), Fields())


def count() -> int:
    """How many overlays the organization has."""
    return OverlayRow.objects.count()


def to_overlay(row: OverlayRow) -> Overlay:
    return Overlay(
        Level(row.level), row.target, from_json(row.locks), from_json(row.defaults), row.precedence, row.version,
        row.updated_at, row.updated_by, row.id,
    )  # fmt: skip
