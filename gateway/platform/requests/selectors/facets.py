"""Which values the newest requests have, to suggest what to search for."""

from __future__ import annotations

from collections import Counter

from gateway.platform.requests.models import RequestRow
from gateway.platform.requests.query.terms import FIELDS, Kind
from gateway.platform.requests.selectors.records import limited, visible
from gateway.platform.requests.types import Facet
from tenants.types import Principal

NEWEST, SHOWN = 5_000, 20
_FACETS_MS = 1_000
_FIELDS = {
    name: field.column for name, field in FIELDS.items() if field.kind in (Kind.TEXT, Kind.WORD) or name == "status"
}


def facets(principal: Principal | None = None) -> tuple[tuple[Facet, ...], int]:
    """(for each field the most frequent values, how many of the newest requests were looked at). Reads at most
    ``NEWEST`` of them."""
    with limited(_FACETS_MS):
        rows = visible(RequestRow.objects.order_by("-id"), principal)
        found = list(rows.values_list(*_FIELDS.values())[:NEWEST])
    columns = list(zip(*found, strict=True)) if found else [()] * len(_FIELDS)
    counted = [Counter(str(value) for value in column if value not in (None, "")) for column in columns]
    shown = (Facet(name, tuple(counts.most_common(SHOWN))) for name, counts in zip(_FIELDS, counted, strict=True))
    return tuple(shown), len(found)
