"""Invitations by link. The link's token is made of the invitation's id and the installation's secret, so that the mail
can be written by a worker without the token ever lying in a queue; the database has only its hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, Conflict, FieldProblem, Forbidden, Gone, NotFound
from gateway.core.journal import Actor, Change, record
from gateway.core.pagination import Page, page
from tenants import selectors
from tenants.models import InvitationRow, MembershipRow
from tenants.people import members
from tenants.people.links import token_of, url_of
from tenants.people.mail import send_invitation
from tenants.types import Account, Organization, OrgRef

LIFETIME = timedelta(days=7)
MAX_PENDING = 500
_TOKEN = re.compile(r"[a-z2-7]{52}")


@dataclass(frozen=True, slots=True)
class Invitation:
    """One invitation. ``url`` is there once, in the answer that makes it; ``error`` says why there is none."""

    id: UUID | None
    email: str
    role: str
    state: str | None
    expires_at: datetime | None
    created_at: datetime | None
    invited_by: UUID | None
    url: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _By:
    user_id: UUID
    actor: Actor
    request_id: UUID | None


def create(
    ref: OrgRef, emails: Sequence[str], role: str, *, invited_by: UUID, actor: Actor, request_id: UUID | None = None
) -> list[Invitation]:
    """Invite each address, by link and by mail. An address that is invited already gets a new link, and the old one
    ends; a member gets none (``error``). Raises BadRequest naming an address that is none."""
    wanted = _addresses(emails)
    with transaction.atomic():
        members.lock(ref)
        if _pending(ref).count() + len(wanted) > MAX_PENDING:
            raise Conflict(
                f"At most {MAX_PENDING} invitations can be open at once; revoke some first.",
                code="too_many_invitations",
            )
        inside = MembershipRow.objects.filter(organization_id=ref.id, removed_at=None, user__email__in=wanted)
        known = set(inside.values_list("user__email", flat=True))
        _pending(ref).filter(email__in=wanted).update(revoked_at=clock.now())
        return [
            Invitation(None, email, role, None, None, None, None, error="already_member")
            if email in known
            else _invite(ref, email, role, _By(invited_by, actor, request_id))
            for email in wanted
        ]


def list_page(ref: OrgRef, *, limit: int, after: UUID | None = None) -> Page[Invitation]:
    """All invitations, newest first."""
    rows = InvitationRow.objects.filter(organization_id=ref.id).order_by("-id")
    if after is not None:
        rows = rows.filter(id__lt=after)
    return page([to_invitation(row) for row in rows[: limit + 1]], limit)


def exists(ref: OrgRef) -> datetime | None:
    """When the organization first invited somebody; None when it never did."""
    rows = InvitationRow.objects.filter(organization_id=ref.id).order_by("id")
    return rows.values_list("created_at", flat=True).first()


def revoke(ref: OrgRef, invitation_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> Invitation:
    """End a pending invitation's link. One that was used or revoked stays as it is."""
    with transaction.atomic():
        row = InvitationRow.objects.select_for_update().filter(organization_id=ref.id, pk=invitation_id).first()
        if row is None:
            raise NotFound("There is no such invitation.", code="invitation_not_found")
        if row.accepted_at is None and row.revoked_at is None:
            row.revoked_at = clock.now()
            row.save(update_fields=["revoked_at"])
            _note("invitation.revoked", actor, row, request_id)
    return to_invitation(row)


def by_token(token: str) -> tuple[Invitation, Organization]:
    """The invitation behind a link. Raises NotFound ``invitation_invalid`` for one that was never made."""
    row = _found(token)
    organization = selectors.organization(row.organization_id)
    if organization is None:
        raise _invalid()
    return to_invitation(row), organization


def accept(token: str, account: Account, *, request_id: UUID | None = None) -> str:
    """Join the organization in scope as the invitation says; returns the role. Somebody who is a member already keeps
    theirs. Raises Forbidden for another address, Gone for an invitation that ended."""
    person = account.person
    with transaction.atomic():
        ref = OrgRef(_found(token).organization_id, "")
        members.lock(ref)  # before the row's own lock, in the order that ``create`` takes them
        row = _found(token, lock=True)
        if not EmailAddress.objects.filter(user_id=person.id, email__iexact=row.email, verified=True).exists():
            raise Forbidden(
                "This invitation is for another address. Sign in with the account that it was sent to.",
                code="invitation_for_other_email",
            )
        _require_open(row)
        row.accepted_at = clock.now()
        row.save(update_fields=["accepted_at"])
        if members.join(ref, person.id, row.role):
            _note("member.joined", account.actor, row, request_id, target=person.public_id)
        return members.get(ref, person.id).role


def to_invitation(row: InvitationRow, *, url: str | None = None) -> Invitation:
    return Invitation(
        row.id, row.email, row.role, _state(row), row.expires_at, row.created_at, row.invited_by_user_id, url
    )


def _invite(ref: OrgRef, email: str, role: str, by: _By) -> Invitation:
    invitation_id = ids.uuid7()
    row = InvitationRow.objects.create(
        id=invitation_id, organization_id=ref.id, email=email, role=role, invited_by_user_id=by.user_id,
        token_sha256=_hash(token_of(invitation_id)), expires_at=clock.now() + LIFETIME,
    )  # fmt: skip
    _note("member.invited", by.actor, row, by.request_id)
    send_invitation.send(str(invitation_id))
    return to_invitation(row, url=url_of(invitation_id))


def _addresses(emails: Sequence[str]) -> list[str]:
    found: list[str] = []
    for index, email in enumerate(emails):
        plain = email.strip().lower()
        try:
            validate_email(plain)
        except ValidationError:
            problem = FieldProblem(f"#/emails/{index}", "not_an_address", "is not an e-mail address")
            raise BadRequest(f"{email!r} is not an e-mail address.", problems=(problem,)) from None
        if plain not in found:
            found.append(plain)
    return found


def _pending(ref: OrgRef) -> QuerySet[InvitationRow]:
    return InvitationRow.objects.filter(
        organization_id=ref.id, accepted_at=None, revoked_at=None, expires_at__gt=clock.now()
    )


def _found(token: str, *, lock: bool = False) -> InvitationRow:
    if not _TOKEN.fullmatch(token):
        raise _invalid()
    rows = InvitationRow.objects.select_for_update() if lock else InvitationRow.objects.all()
    row = rows.filter(token_sha256=_hash(token)).first()
    if row is None:
        raise _invalid()
    return row


def _invalid() -> NotFound:
    return NotFound("There is no such invitation; ask for a new link.", code="invitation_invalid")


def _require_open(row: InvitationRow) -> None:
    state = _state(row)
    if state == "accepted":
        raise Gone("This invitation was used already.", code="invitation_used")
    if state == "revoked":
        raise Gone("This invitation was taken back; ask for a new one.", code="invitation_revoked")
    if state == "expired":
        raise Gone("This invitation has expired; ask for a new one.", code="invitation_expired")


def _state(row: InvitationRow) -> str:
    if row.accepted_at is not None:
        return "accepted"
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at <= clock.now() else "pending"


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _note(action: str, actor: Actor, row: InvitationRow, request_id: UUID | None, *, target: str | None = None) -> None:
    detail = {"role": row.role, "invitation": ids.public("inv", row.id)}
    record(Change(action, actor, target or ids.public("inv", row.id), request_id=request_id, detail=detail))
