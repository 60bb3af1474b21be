"""Keeping bodies: sealed one by one, so that a copy of the database holds no conversation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from gateway.core import clock, crypto, ids, resealing
from gateway.core.plain import clean
from gateway.core.resealing import Resealed
from gateway.platform.requests.models import BodyRow
from gateway.platform.requests.places import place
from gateway.platform.requests.types import BodyDraft


def store_bodies(drafts: Sequence[BodyDraft], *, days: int) -> int:
    """Seal and store bodies of the organization in scope for so many days, or fewer where one asks for it; returns how
    many. A part that is there already stays as it is."""
    now = clock.now()
    rows = []
    for draft in drafts:
        row_id = ids.uuid7()
        sealed, kid = crypto.seal(crypto.Secret(clean(draft.text)), *place(row_id))
        rows.append(
            BodyRow(
                id=row_id,
                request_id=draft.request_id,
                part=draft.part.value,
                path=draft.path[:200],
                headers={name: clean(value) for name, value in draft.headers.items()},
                content_type=draft.content_type[:100],
                size=draft.size,
                truncated=draft.truncated,
                body_ciphertext=sealed,
                body_kid=kid,
                persona_id=_cut(draft.persona_id),
                subject_id=_cut(draft.subject_id),
                expires_at=now + timedelta(days=days if draft.days is None else min(days, draft.days)),
            )
        )
    BodyRow.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _cut(text: str | None) -> str | None:
    return None if text is None else clean(text)[:128]


def reseal(*, limit: int, after: UUID | None = None) -> Resealed:
    """Put the next ``limit`` bodies of the organization in scope under the ring's active key."""
    return resealing.reseal(
        BodyRow.objects.all(),
        "body",
        place=place,
        name=lambda row: f"the body of {ids.public('req', row.request_id)}",
        limit=limit,
        after=after,
    )
