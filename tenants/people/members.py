"""Who belongs to an organization, and the changes of that. One lock per organization orders all of them, so that two at
the same moment never leave it without an owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Count

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, Conflict, FieldProblem, NotFound
from gateway.core.journal import Actor, Change, record
from gateway.core.pagination import Page, page
from tenants.epoch import next_version
from tenants.models import ApiKeyRow, MembershipRow, OrganizationRow
from tenants.people.roles import Role
from tenants.sso.services import refuse_break_glass
from tenants.types import OrgRef

# Asked, under the lock, about every role that a change touches; raises Forbidden where the caller may not.
Permit = Callable[[str], None]
_SECOND_FACTORS = ("totp", "webauthn")


@dataclass(frozen=True, slots=True)
class Member:
    """A person in an organization. ``keys`` counts the working keys that they answer for."""

    id: UUID
    user_id: UUID
    email: str
    name: str
    role: str
    joined_at: datetime
    last_seen_at: datetime | None
    mfa: bool
    keys: int


@dataclass(frozen=True, slots=True)
class Removed:
    """Who left, and to whom how many keys went."""

    user_id: UUID
    keys: int
    to: UUID | None


def list_page(ref: OrgRef, *, limit: int, after: UUID | None = None) -> Page[Member]:
    """The members, the first one first."""
    rows = MembershipRow.objects.filter(organization_id=ref.id, removed_at=None).select_related("user").order_by("id")
    if after is not None:
        rows = rows.filter(id__gt=after)
    return page(_members(ref, list(rows[: limit + 1])), limit)


def get(ref: OrgRef, user_id: UUID) -> Member:
    """One member. Raises NotFound for somebody who is none."""
    return _members(ref, [_row(ref, user_id)])[0]


def count(ref: OrgRef) -> int:
    return MembershipRow.objects.filter(organization_id=ref.id, removed_at=None).count()


def join(ref: OrgRef, user_id: UUID, role: str) -> bool:
    """Make the person a member in this role, unless they are one in any; whether they became one."""
    with transaction.atomic():
        row = MembershipRow.objects.select_for_update().filter(organization_id=ref.id, user_id=user_id).first()
        if row is not None and row.removed_at is None:
            return False
        row = row or MembershipRow(organization_id=ref.id, user_id=user_id)
        row.role, row.removed_at, row.created_at, row.version = role, None, clock.now(), next_version()
        row.save()
    return True


def change_role(
    ref: OrgRef, user_id: UUID, role: str, *, actor: Actor, permit: Permit, request_id: UUID | None = None
) -> Member:
    """Give a member another role, on every worker within a second. Raises Conflict ``last_owner``."""
    with transaction.atomic():
        lock(ref)
        row = _row(ref, user_id)
        permit(row.role)
        permit(role)
        if row.role != role:
            refuse_break_glass(ref, user_id, "changing their role")
            _keep_an_owner(row)
            before, row.role, row.version = row.role, role, next_version()
            row.save(update_fields=["role", "version"])
            _note("member.role_changed", actor, user_id, request_id, {"before": before, "after": role})
    return get(ref, user_id)


def remove(
    ref: OrgRef,
    user_id: UUID,
    *,
    actor: Actor,
    permit: Permit,
    hand_over_to: UUID | None = None,
    request_id: UUID | None = None,
) -> Removed:
    """End a membership, on every worker within a second; the person's keys work on and go to ``hand_over_to`` (None:
    the longest-standing other owner).

    Raises NotFound, Conflict ``last_owner``, BadRequest for an heir who is no member.
    """
    with transaction.atomic():
        lock(ref)
        row = _row(ref, user_id)
        permit(row.role)
        refuse_break_glass(ref, user_id, "removing them")
        _keep_an_owner(row)
        heir = _heir(ref, user_id, hand_over_to)
        version = next_version()
        row.removed_at, row.version = clock.now(), version
        row.save(update_fields=["removed_at", "version"])
        owned = ApiKeyRow.objects.filter(organization_id=ref.id, owner_user_id=user_id)
        working = owned.filter(revoked_at=None).count()
        owned.update(owner_user_id=heir, version=version)
        left = str(actor) == str(Actor("user", ids.public("usr", user_id)))
        detail = {"role": row.role, "keys_handed_over": working, "to": ids.public("usr", heir) if heir else None}
        _note("member.left" if left else "member.removed", actor, user_id, request_id, detail)
    return Removed(user_id, working, heir)


def lock(ref: OrgRef) -> None:
    """Wait for, and then hold, the order of this organization's membership changes until the transaction ends."""
    OrganizationRow.objects.select_for_update(no_key=True).filter(pk=ref.id).values("pk").first()


def is_last_owner(ref: OrgRef, user_id: UUID) -> bool:
    """Whether the organization has this owner and no other; under ``lock`` it stays so."""
    owners = _owners(ref)
    return user_id in owners and len(owners) == 1


def _owners(ref: OrgRef) -> list[UUID]:
    rows = MembershipRow.objects.filter(
        organization_id=ref.id, removed_at=None, role=Role.OWNER, user__is_active=True
    ).order_by("created_at", "id")
    return list(rows.values_list("user_id", flat=True))


def _keep_an_owner(row: MembershipRow) -> None:
    if row.role == Role.OWNER and is_last_owner(OrgRef(row.organization_id, ""), row.user_id):
        raise Conflict("This is the last owner; make somebody else an owner first.", code="last_owner")


def _heir(ref: OrgRef, user_id: UUID, wanted: UUID | None) -> UUID | None:
    if wanted is None:
        return next((owner for owner in _owners(ref) if owner != user_id), None)
    known = MembershipRow.objects.filter(organization_id=ref.id, user_id=wanted, removed_at=None).exists()
    if not known or wanted == user_id:
        message = "must be another member of this organization"
        problem = FieldProblem("#/query/hand_over_to", "not_a_member", message)
        raise BadRequest(f"hand_over_to {message}.", problems=(problem,))
    return wanted


def _row(ref: OrgRef, user_id: UUID) -> MembershipRow:
    rows = MembershipRow.objects.filter(organization_id=ref.id, user_id=user_id, removed_at=None)
    row = rows.select_related("user").first()
    if row is None:
        raise NotFound("There is no such member.", code="member_not_found")
    return row


def _members(ref: OrgRef, rows: list[MembershipRow]) -> list[Member]:
    people = [row.user_id for row in rows]
    secured = Authenticator.objects.filter(user_id__in=people, type__in=_SECOND_FACTORS)
    with_mfa = set(secured.values_list("user_id", flat=True))
    owned = ApiKeyRow.objects.filter(organization_id=ref.id, owner_user_id__in=people, revoked_at=None)
    keys = dict(owned.values_list("owner_user_id").annotate(Count("id")))
    return [
        Member(
            id=row.id,
            user_id=row.user_id,
            email=row.user.email,
            name=row.user.name,
            role=row.role,
            joined_at=row.created_at,
            last_seen_at=row.last_seen_at,
            mfa=row.user_id in with_mfa,
            keys=keys.get(row.user_id, 0),
        )
        for row in rows
    ]


def _note(action: str, actor: Actor, user_id: UUID, request_id: UUID | None, detail: dict[str, object]) -> None:
    record(Change(action, actor, ids.public("usr", user_id), request_id=request_id, detail=detail))
