"""What was written lately, in the order of writing: a live tail's source."""

from __future__ import annotations

from django.db.models import Max

from gateway.platform.requests.models import RequestRow
from gateway.platform.requests.query import SearchQuery
from gateway.platform.requests.selectors.records import SEARCH_MS, limited, matching, to_record
from gateway.platform.requests.types import RequestFilter, RequestRecord
from tenants.types import Principal


def last_written() -> int:
    """When the newest record was written, in microseconds; 0 when there is none."""
    newest = RequestRow.objects.aggregate(newest=Max("written_us"))["newest"]
    return newest or 0


def written_after(
    moment_us: int, query: SearchQuery, wanted: RequestFilter, *, limit: int, principal: Principal | None
) -> tuple[list[RequestRecord], int]:
    """(at most ``limit`` records written after a moment that the search finds, oldest first; up to which moment this
    is all of them)."""
    with limited(SEARCH_MS):
        upto = last_written()
        rows = matching(query, wanted, principal).filter(written_us__gt=moment_us, written_us__lte=upto)
        found = list(rows.order_by("written_us")[:limit])
    if len(found) == limit:
        upto = found[-1].written_us or upto
    return [to_record(row) for row in found], max(upto, moment_us)
