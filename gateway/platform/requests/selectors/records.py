"""One record, some, or a page of those that a search finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet

from gateway.core import clock
from gateway.core.endpoint import REHEARSAL
from gateway.core.pagination import Page, page
from gateway.platform.requests.errors import SearchTooSlow
from gateway.platform.requests.models import RequestRow
from gateway.platform.requests.query import SearchQuery, condition
from gateway.platform.requests.query.filters import between
from gateway.platform.requests.types import RequestFilter, RequestRecord
from tenants.types import Principal

# A search that reads a whole year for one row is answered with how to narrow it.
SEARCH_MS = 5_000
_QUERY_CANCELED = "57014"
_PLAIN = ("key_id", "user_id", "status", "state", "surface", "model", "persona_id", "subject_id")
_EVERYTHING = SearchQuery()


def get(request_id: UUID) -> RequestRecord | None:
    """One record, or None while it is still on its way (or nobody's)."""
    row = RequestRow.objects.filter(pk=request_id).first()
    return to_record(row) if row else None


def many(request_ids: Iterable[UUID]) -> dict[UUID, RequestRecord]:
    """The records that are there, by request id."""
    return {row.id: to_record(row) for row in RequestRow.objects.filter(pk__in=list(request_ids))}


def search(
    query: SearchQuery, wanted: RequestFilter, *, limit: int, after: UUID | None, principal: Principal | None = None
) -> Page[RequestRecord]:
    """Records that the search and the filter find, newest first; a scoped key sees its own, and others' of its
    personas and subjects. Raises SearchTooSlow after five seconds."""
    rows = matching(query, wanted, principal).order_by("-id")
    if after is not None:
        rows = rows.filter(id__lt=after)
    with limited(SEARCH_MS):
        found = list(rows[: limit + 1])
    return page([to_record(row) for row in found], limit, key=lambda one: one.request_id)


def list_page(
    wanted: RequestFilter, *, limit: int, after: UUID | None, principal: Principal | None = None
) -> Page[RequestRecord]:
    """``search`` without a search."""
    return search(_EVERYTHING, wanted, limit=limit, after=after, principal=principal)


def matching(query: SearchQuery, wanted: RequestFilter, principal: Principal | None) -> QuerySet[RequestRow]:
    """The rows that all three let through, in no order."""
    plain = {name: value for name in _PLAIN if (value := getattr(wanted, name)) is not None}
    fits = Q(**plain) & between(since=wanted.since, until=wanted.until) & condition(query, clock.now())
    return visible(RequestRow.objects.filter(fits), principal)


def visible(rows: QuerySet[RequestRow], principal: Principal | None) -> QuerySet[RequestRow]:
    """A key's own requests always; others' within its personas and subjects."""
    if principal is None:
        return rows
    allowed = Q()
    if principal.grant.subject_ids is not None:
        allowed &= Q(subject_id__in=principal.grant.subject_ids)
    if principal.grant.persona_ids is not None:
        allowed &= Q(persona_id__in=principal.grant.persona_ids)
    return rows.filter(allowed | Q(key_id=principal.grant.public_id)) if allowed else rows


def of_people(rows: QuerySet[RequestRow]) -> QuerySet[RequestRow]:
    """Without rehearsals, which nobody asked for."""
    return rows.exclude(surface=REHEARSAL)


@contextmanager
def limited(milliseconds: int) -> Iterator[None]:
    """A transaction whose statements end after so long. Raises SearchTooSlow."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != _QUERY_CANCELED:
            raise
        raise SearchTooSlow(
            "This search reads too many requests; narrow it, for example with since:24h, or page from a cursor."
        ) from None


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
        kind=row.kind,
        user_id=row.user_id,
        provider=row.provider,
        outcome=row.outcome,
        latency_ms=row.latency_ms,
        charged_micros=row.charged_micros,
        cached=row.cached,
        parent_id=row.parent_id,
        written_us=row.written_us,
    )
