"""Reads of the decision records of the organization in scope."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from gateway.core.pagination import Page, page
from gateway.platform.requests.models import RequestRow
from gateway.platform.requests.types import RequestFilter, RequestRecord
from tenants.types import Principal


def get(request_id: UUID) -> RequestRecord | None:
    """One record, or None while it is still on its way (or nobody's)."""
    row = RequestRow.objects.filter(pk=request_id).first()
    return to_record(row) if row else None


def many(request_ids: Iterable[UUID]) -> dict[UUID, RequestRecord]:
    """The records that are there, by request id."""
    return {row.id: to_record(row) for row in RequestRow.objects.filter(pk__in=list(request_ids))}


def list_page(
    wanted: RequestFilter, *, limit: int, after: UUID | None, principal: Principal | None = None
) -> Page[RequestRecord]:
    """Records, newest first; a scoped key sees its own, and others' of its personas and subjects."""
    rows = RequestRow.objects.order_by("-id")
    for column in ("key_id", "status", "state", "surface", "model", "persona_id", "subject_id"):
        value = getattr(wanted, column)
        if value is not None:
            rows = rows.filter(**{column: value})
    if wanted.since is not None:
        rows = rows.filter(occurred_at__gte=wanted.since)
    if wanted.until is not None:
        rows = rows.filter(occurred_at__lt=wanted.until)
    if after is not None:
        rows = rows.filter(id__lt=after)
    return page(
        [to_record(row) for row in _visible(rows, principal)[: limit + 1]], limit, key=lambda found: found.request_id
    )


def _visible(rows: QuerySet[RequestRow], principal: Principal | None) -> QuerySet[RequestRow]:
    """A key's own requests always; others' within its personas and subjects."""
    if principal is None:
        return rows
    allowed = Q()
    if principal.grant.subject_ids is not None:
        allowed &= Q(subject_id__in=principal.grant.subject_ids)
    if principal.grant.persona_ids is not None:
        allowed &= Q(persona_id__in=principal.grant.persona_ids)
    return rows.filter(allowed | Q(key_id=principal.grant.public_id)) if allowed else rows


def to_record(row: RequestRow) -> RequestRecord:
    return RequestRecord(
        request_id=row.id,
        occurred_at=row.occurred_at,
        surface=row.surface,
        status=row.status,
        state=row.state,
        record=row.record,
        key_id=row.key_id,
        persona_id=row.persona_id,
        subject_id=row.subject_id,
        model=row.model,
    )
