"""The end of an organization: asked for by an owner, taken back within a week, then carried out by a worker.

From the request on, every worker refuses the organization's keys and tokens (``organization_closing``); people still
come in. What deletes it is in ``tenants.provisioning.removal``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, Conflict, FieldProblem, Forbidden
from gateway.core.journal import Change, record
from tenants.epoch import next_version
from tenants.models import OrganizationRow, User
from tenants.people import proof
from tenants.people.closing_mail import tell_owners
from tenants.people.roles import Role
from tenants.types import Account, Principal

NOTICE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Closing:
    """How an organization stands: ``requested_at`` and what follows are None while nobody asked for its end."""

    requested_at: datetime | None
    requested_by: str | None
    closes_at: datetime | None


def request(principal: Principal, *, confirm: str, password: str | None, request_id: UUID | None = None) -> Closing:
    """Ask for the end; the second time it changes nothing. Runs in the organization's scope.

    Raises BadRequest unless ``confirm`` is its slug, Forbidden unless an owner proves who they are.
    """
    account = _owner(principal)
    organization = principal.organization
    if confirm != organization.slug:
        message = f"must be the organization's slug, {organization.slug!r}"
        raise BadRequest(
            f"confirm {message}.",
            code="confirmation_wrong",
            problems=(FieldProblem("#/confirm", "confirmation_wrong", message),),
        )
    with transaction.atomic():
        proof.require(User.objects.get(pk=account.person.id), account.session, password)
        row = _held(organization.ref.id)
        if row.closing_at is None:
            row.closing_at, row.closing_by = clock.now(), account.person.id
            row.closes_at, row.version = row.closing_at + NOTICE, next_version()
            row.save(update_fields=["closing_at", "closing_by", "closes_at", "version"])
            detail = {"closes_at": row.closes_at.isoformat()}
            record(
                Change(
                    "organization.closing_requested",
                    principal.actor,
                    organization.ref.public_id,
                    request_id=request_id,
                    detail=detail,
                )
            )
            tell_owners.send(str(row.pk), row.closing_at.isoformat())
        return _shown(row)


def prove(principal: Principal, password: str | None) -> None:
    """Nothing, for an owner who proves who they are. Raises Forbidden."""
    account = _owner(principal)
    proof.require(User.objects.get(pk=account.person.id), account.session, password)


def cancel(principal: Principal, *, request_id: UUID | None = None) -> Closing:
    """Take the request back: keys work again within a second. Raises Conflict ``organization_not_closing``, Forbidden
    for whoever is no owner."""
    _owner(principal)
    with transaction.atomic():
        row = _held(principal.ref.id)
        if row.closing_at is None:
            raise Conflict("Nobody asked for this organization to be deleted.", code="organization_not_closing")
        row.closing_at = row.closes_at = row.closing_by = None
        row.version = next_version()
        row.save(update_fields=["closing_at", "closing_by", "closes_at", "version"])
        record(
            Change("organization.closing_cancelled", principal.actor, principal.ref.public_id, request_id=request_id)
        )
        tell_owners.send(str(row.pk), None)
        return _shown(row)


def of(org_id: UUID) -> Closing:
    """How an organization stands."""
    return _shown(OrganizationRow.objects.get(pk=org_id))


def _owner(principal: Principal) -> Account:
    """The owner who calls. A key has no part in this, whatever its scopes."""
    if principal.role != Role.OWNER or principal.user is None or principal.session is None:
        raise Forbidden("Only an owner can do this. Ask an owner.", code="owner_required")
    return Account(principal.user, principal.session)


def _held(org_id: UUID) -> OrganizationRow:
    row: OrganizationRow = OrganizationRow.objects.select_for_update().get(pk=org_id)
    if row.state != OrganizationRow.State.READY:
        raise Conflict(f"The organization is {row.state}; this comes too late.", code="org_not_ready")
    return row


def _shown(row: OrganizationRow) -> Closing:
    by = ids.public("usr", row.closing_by) if row.closing_by is not None else None
    return Closing(row.closing_at, by, row.closes_at)
