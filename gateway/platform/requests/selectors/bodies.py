"""Kept bodies, opened."""

from __future__ import annotations

from uuid import UUID

from gateway.core import clock, crypto
from gateway.platform.requests.models import BodyRow
from gateway.platform.requests.places import place
from gateway.platform.requests.types import Body, Part


def bodies(request_id: UUID) -> tuple[Body, ...]:
    """The kept parts of one request that have not expired, the request first."""
    rows = BodyRow.objects.filter(request_id=request_id, expires_at__gt=clock.now()).order_by("part")
    return tuple(opened(row) for row in rows)


def parts(request_id: UUID) -> tuple[str, ...]:
    """Which parts of one request are kept; nothing is opened."""
    rows = BodyRow.objects.filter(request_id=request_id, expires_at__gt=clock.now()).order_by("part")
    return tuple(rows.values_list("part", flat=True))


def body(request_id: UUID, part: Part) -> Body | None:
    """One part, or None when it was not kept or has expired."""
    return next((one for one in bodies(request_id) if one.part == part), None)


def opened(row: BodyRow) -> Body:
    """One kept body with its text unsealed."""
    text = crypto.unseal(bytes(row.body_ciphertext), row.body_kid, *place(row.id)).reveal()
    return Body(
        part=row.part,
        path=row.path,
        headers=row.headers,
        content_type=row.content_type,
        text=text,
        size=row.size,
        truncated=row.truncated,
        persona_id=row.persona_id,
        subject_id=row.subject_id,
        expires_at=row.expires_at,
    )
