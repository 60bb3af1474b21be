"""Reads of the events of the organization in scope."""

from __future__ import annotations

from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Q

from gateway.core.pagination import Page, page
from gateway.platform.events.models import EventRow
from gateway.platform.events.types import EventView
from tenants.people import roles
from tenants.types import Principal


def list_page(
    *, limit: int, after: UUID | None, name: str | None = None, principal: Principal | None = None
) -> Page[EventView]:
    """Events, newest first; a scoped key sees only those of its own personas and subjects, and of proposals those
    of its own collections. A person whose role does not
    show the whole log sees those of decisions."""
    rows = EventRow.objects.order_by("-id")
    if name is not None:
        rows = rows.filter(name=name)
    if principal is not None and principal.grant.persona_ids is not None:
        rows = rows.filter(persona_id__in=principal.grant.persona_ids)
    if principal is not None and principal.grant.subject_ids is not None:
        rows = rows.filter(subject_id__in=principal.grant.subject_ids)
    if principal is not None and principal.grant.memory_scopes is not None:
        # What a proposal would write is memory: shown where its collection may be seen, and not where none was noted.
        proposals = Q(payload__has_key="proposal")
        rows = rows.filter(~proposals | Q(payload__proposal__memory_scope__in=principal.grant.memory_scopes))
    if principal is not None and roles.audit_view(principal.role) is not roles.View.ALL:
        rows = rows.filter(reduce(or_, (Q(name__startswith=prefix) for prefix in roles.DECISIONS)))
    if after is not None:
        rows = rows.filter(id__lt=after)
    return page([to_view(row) for row in rows[: limit + 1]], limit)


def to_view(row: EventRow) -> EventView:
    return EventView(row.id, row.name, row.version, row.payload, row.subject_id, row.persona_id, row.created_at)
