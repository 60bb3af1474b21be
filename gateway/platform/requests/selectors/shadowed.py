"""What overlays in shadow would have decided otherwise, as the records of a window tell it."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from gateway.platform.requests.models import RequestRow
from gateway.platform.requests.selectors.records import SEARCH_MS, limited, of_people, visible
from gateway.platform.requests.types import RecordKind, Shadowed
from tenants.types import Principal

_SPOKEN_OF = Q(record__has_key="shadow")


def shadowed(
    *, since: datetime, limit: int, overlay: str | None = None, principal: Principal | None = None
) -> tuple[list[Shadowed], int]:
    """(the newest ``limit`` records since a moment that an overlay in shadow speaks of (``org``, ``team:sales``; None:
    any), how many calls there were in all), among those that the caller may see. Raises SearchTooSlow."""
    window = of_people(visible(RequestRow.objects.filter(occurred_at__gte=since), principal))
    told = window.filter(_SPOKEN_OF)
    if overlay is not None:
        told = told.filter(record__shadow__overlays__contains=[{"name": overlay}])
    fields = ("id", "occurred_at", "persona_id", "subject_id", "record__shadow")
    with limited(SEARCH_MS):
        rows = list(told.order_by("-id").values_list(*fields)[:limit])
        # A refusal did no work; one that a shadow speaks of was a call all the same.
        return [Shadowed(*row) for row in rows], window.filter(Q(kind=RecordKind.REQUEST) | _SPOKEN_OF).count()
