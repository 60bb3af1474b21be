"""Reads of the audit of the organization in scope."""

from __future__ import annotations

from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Q, QuerySet

from gateway.core.errors import Forbidden
from gateway.core.journal import Actor
from gateway.core.pagination import Page, page
from gateway.platform.audit.canonical import content_hash, first_link, next_link
from gateway.platform.audit.models import AuditRow
from gateway.platform.audit.types import AuditEntry, AuditFilter, NotedEntry, Verification
from tenants.context import current
from tenants.people import roles
from tenants.selectors import keys_owned
from tenants.types import Principal

_CHUNK = 1_000


def list_page(
    wanted: AuditFilter, *, limit: int, after: UUID | None, principal: Principal | None = None
) -> Page[AuditEntry]:
    """Entries, newest first. A scoped key sees those of its personas and subjects; asking for another's raises
    Forbidden. A person sees what their role shows: all, what they and their keys did, or decisions.
    """
    rows = _visible(AuditRow.objects.order_by("-id"), wanted, principal)
    if wanted.subject_id is not None:
        rows = rows.filter(subject_id=wanted.subject_id)
    if wanted.persona_id is not None:
        rows = rows.filter(persona_id=wanted.persona_id)
    if wanted.target is not None:
        rows = rows.filter(target=wanted.target)
    if wanted.action is not None:
        prefix = wanted.action.removesuffix("*")
        rows = rows.filter(action__startswith=prefix) if prefix != wanted.action else rows.filter(action=prefix)
    if wanted.actor is not None:
        kind, colon, actor_id = wanted.actor.partition(":")
        rows = rows.filter(actor_kind=kind, actor_id=actor_id) if colon else rows.filter(actor_id=wanted.actor)
    if wanted.since is not None:
        rows = rows.filter(occurred_at__gte=wanted.since)
    if wanted.until is not None:
        rows = rows.filter(occurred_at__lt=wanted.until)
    if after is not None:
        rows = rows.filter(id__lt=after)
    return page([to_entry(row) for row in rows[: limit + 1]], limit)


def verify() -> Verification:
    """Recompute every content hash and every link. Takes time in proportion to the log, in constant memory."""
    sealed = 0
    bad: int | None = None
    head = first_link(current().id)
    for row in AuditRow.objects.filter(seq__isnull=False).order_by("seq").iterator(_CHUNK):
        sealed += 1
        content = _content(row)
        link = next_link(head, content)
        stored = (row.seq, _bytes(row.content_hash), _bytes(row.prev_hash), _bytes(row.chain_hash))
        if bad is None and stored != (sealed, content, head, link):
            bad = sealed
        head = _bytes(row.chain_hash)
    unsealed = bad_unsealed = 0
    for row in AuditRow.objects.filter(seq__isnull=True).order_by("id").iterator(_CHUNK):
        unsealed += 1
        bad_unsealed += _bytes(row.content_hash) != _content(row)
    return Verification(bad is None and not bad_unsealed, sealed, unsealed, bad, head, bad_unsealed)


def to_entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        occurred_at=row.occurred_at,
        action=row.action,
        actor=Actor(row.actor_kind, row.actor_id),
        target=row.target,
        subject_id=row.subject_id,
        persona_id=row.persona_id,
        request_id=row.request_id,
        provenance=row.provenance,
        detail=row.detail,
        content_hash=_bytes(row.content_hash),
        seq=row.seq,
        chain_hash=_bytes(row.chain_hash) if row.chain_hash is not None else None,
    )


def _visible(rows: QuerySet[AuditRow], wanted: AuditFilter, principal: Principal | None) -> QuerySet[AuditRow]:
    if principal is None:
        return rows
    if wanted.subject_id is not None and not principal.may_use_subject(wanted.subject_id):
        raise Forbidden(f"This key may not see subject {wanted.subject_id!r}.", code="subject_not_allowed")
    if wanted.persona_id is not None and not principal.may_use_persona(wanted.persona_id):
        raise Forbidden(f"This key may not see persona {wanted.persona_id!r}.", code="persona_not_allowed")
    if principal.grant.subject_ids is not None:
        rows = rows.filter(subject_id__in=principal.grant.subject_ids)
    if principal.grant.persona_ids is not None:
        rows = rows.filter(persona_id__in=principal.grant.persona_ids)
    view = roles.audit_view(principal.role)
    if view is roles.View.OWN:
        return rows.filter(actor_id__in=[principal.grant.public_id, *keys_owned(principal.ref, principal.grant.id)])
    if view is roles.View.DECISIONS:
        return rows.filter(reduce(or_, (Q(action__startswith=prefix) for prefix in roles.DECISIONS)))
    return rows


def _content(row: AuditRow) -> bytes:
    return content_hash(
        NotedEntry(
            id=row.id,
            occurred_at=row.occurred_at,
            action=row.action,
            actor=Actor(row.actor_kind, row.actor_id),
            target=row.target,
            subject_id=row.subject_id,
            persona_id=row.persona_id,
            request_id=row.request_id,
            provenance=row.provenance,
            detail=row.detail,
        )
    )


def _bytes(value: bytes | memoryview | None) -> bytes:
    return b"" if value is None else bytes(value)
