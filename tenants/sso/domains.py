"""Writes of domains: claimed with a token, proved by a TXT record, given up."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from uuid import UUID

from django.db import IntegrityError, transaction

from gateway.core import clock
from gateway.core.errors import Conflict, NotFound
from gateway.core.journal import Actor, Change, record
from tenants.sso import errors, selectors
from tenants.sso.models import DomainRow, SsoConnectionRow
from tenants.sso.names import claimable
from tenants.sso.types import Domain
from tenants.types import OrgRef

MOST = 20


def add(ref: OrgRef, name: str, *, actor: Actor, request_id: UUID | None = None) -> Domain:
    """Claim a domain; it counts once it is proved. Several organizations may claim one, only one can prove it.

    Raises BadRequest, or Conflict ``domain_exists``, ``domain_taken``, ``too_many_domains``.
    """
    domain = claimable(name)
    with transaction.atomic():
        mine = DomainRow.objects.filter(organization_id=ref.id)
        if mine.filter(domain=domain).exists():
            raise Conflict(f"{domain} is in your list already.", code="domain_exists")
        _refuse_taken(ref, domain)
        if mine.count() >= MOST:
            raise Conflict(f"An organization has at most {MOST} domains.", code="too_many_domains")
        row = DomainRow.objects.create(organization_id=ref.id, domain=domain, token=secrets.token_urlsafe(24))
        found = selectors.to_domain(row)
        record(Change("domain.added", actor, found.public_id, request_id=request_id, detail={"domain": domain}))
    return found


def verify(
    ref: OrgRef, domain_id: UUID, records: Sequence[str], *, actor: Actor, request_id: UUID | None = None
) -> Domain:
    """Decide by the TXT records that were found. Raises Conflict ``domain_record_missing``, ``domain_record_wrong`` or
    ``domain_taken``."""
    with transaction.atomic():
        row = _locked(ref, domain_id)
        found = selectors.to_domain(row)
        if row.verified_at is not None:
            return found
        _refuse_other_records(found, records)
        _refuse_taken(ref, row.domain)
        row.verified_at = clock.now()
        try:
            with transaction.atomic():
                row.save(update_fields=["verified_at"])
        except IntegrityError:
            raise _taken(row.domain) from None
        record(Change("domain.verified", actor, found.public_id, request_id=request_id, detail={"domain": row.domain}))
    return selectors.to_domain(row)


def remove(ref: OrgRef, domain_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> None:
    """Give a domain up; its people no longer sign in by this organization's provider."""
    with transaction.atomic():
        row = _locked(ref, domain_id)
        found = selectors.to_domain(row)
        is_enforced = SsoConnectionRow.objects.filter(
            organization_id=ref.id, state=SsoConnectionRow.State.ENFORCED
        ).exists()
        if row.verified_at is not None and is_enforced:
            raise errors.enforced(f"without {row.domain} its people could not sign in")
        row.delete()
        record(Change("domain.removed", actor, found.public_id, request_id=request_id, detail={"domain": row.domain}))


def _locked(ref: OrgRef, domain_id: UUID) -> DomainRow:
    row = DomainRow.objects.select_for_update().filter(organization_id=ref.id, pk=domain_id).first()
    if row is None:
        raise NotFound("There is no such domain.", code="domain_not_found")
    return row


def _refuse_taken(ref: OrgRef, domain: str) -> None:
    if DomainRow.objects.filter(domain=domain, verified_at__isnull=False).exclude(organization_id=ref.id).exists():
        raise _taken(domain)


def _taken(domain: str) -> Conflict:
    return Conflict(f"Another organization has proved that {domain} is its own.", code="domain_taken")


def _refuse_other_records(domain: Domain, records: Sequence[str]) -> None:
    if any(secrets.compare_digest(text.strip().encode(), domain.record_value.encode()) for text in records):
        return
    if not records:
        raise Conflict(
            f"There is no TXT record at {domain.record_name} yet. A new record can take a while to be seen everywhere.",
            code="domain_record_missing",
        )
    raise Conflict(
        f"The TXT record at {domain.record_name} says something else than {domain.record_value}.",
        code="domain_record_wrong",
        extra={"found": [text[:200] for text in records[:5]]},
    )
