"""From an allauth session to a user token: who signed in, how, and for which organization.

Public scope, synchronous. The session's key never leaves this file: tokens carry ``sid_of`` it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.core.internal.sessionkit import get_session_user
from allauth.headless.internal.sessionkit import lookup_session
from django.db import transaction
from django.http import HttpRequest

from gateway.core import clock, ids
from gateway.core.errors import Unauthenticated
from gateway.core.journal import Actor, Change, record
from tenants import selectors, usertokens
from tenants.context import scope
from tenants.models import MembershipRow, OrganizationRow, SignInRow, User
from tenants.people.organizations import not_found
from tenants.people.sessions import sid_of
from tenants.sso import rule
from tenants.sso.selectors import rule_of
from tenants.types import Organization

_KEY = re.compile(r"[A-Za-z0-9]{8,64}")
_AMR = {"password": "pwd", "socialaccount": "sso", "totp": "otp", "recovery_codes": "rec", "webauthn": "webauthn"}


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that is fully authenticated. ``amr`` are the ways it proved who it is, in order; ``sso`` names the
    connections of single sign-on that it came by."""

    user: User
    sid: str
    amr: tuple[str, ...]
    authenticated_at: datetime
    sso: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Traded:
    """A user token and what it is for."""

    token: str
    expires_at: datetime
    user: User
    organization: Organization | None
    role: str | None


def open_session(session_token: str) -> SignedIn:
    """The session behind a token. Raises Unauthenticated ``session_invalid`` for one that is unknown, has ended, or
    still waits for a second factor or a verified address."""
    session = lookup_session(session_token) if _KEY.fullmatch(session_token) else None
    user = get_session_user(session) if session is not None else None
    if session is None or not isinstance(user, User) or session.session_key is None:
        raise Unauthenticated("This session has ended or is not complete; sign in again.", code="session_invalid")
    request = HttpRequest()
    request.session = session
    records = get_authentication_records(request, user)
    proved = [float(one["at"]) for one in records if "at" in one]
    last = datetime.fromtimestamp(max(proved), UTC) if proved else datetime.fromtimestamp(0, UTC)
    return SignedIn(user, sid_of(session.session_key), _ways(records), last, _connections(records))


def trade(session_token: str, slug: str | None) -> Traded:
    """A user token for the session; with a slug, for that organization. Raises Unauthenticated ``session_invalid``,
    NotFound for an organization that is not the person's."""
    signed_in = open_session(session_token)
    membership = _membership(signed_in.user, slug) if slug is not None else None
    if membership is not None:
        _require_sso(membership, signed_in)
        _note_use(membership, signed_in)
    token, expires_at = usertokens.mint(
        user_id=signed_in.user.pk,
        sid=signed_in.sid,
        org_id=membership.organization_id if membership else None,
        role=membership.role if membership else None,
        amr=signed_in.amr,
        sso=signed_in.sso,
        authenticated_at=signed_in.authenticated_at,
    )
    organization = selectors.to_organization(membership.organization) if membership else None
    return Traded(token, expires_at, signed_in.user, organization, membership.role if membership else None)


def _membership(user: User, slug: str) -> MembershipRow:
    rows = MembershipRow.objects.filter(user=user, organization__slug=slug, removed_at=None)
    found = rows.select_related("organization").first()
    if found is None:
        raise not_found(slug)
    return found


def _require_sso(membership: MembershipRow, signed_in: SignedIn) -> None:
    organization = selectors.to_organization(membership.organization)
    known = rule_of(organization.ref.id)
    rule.require(organization, known, user_id=signed_in.user.pk, by=signed_in.sso)
    rule.refuse_stranger(organization, known, amr=signed_in.amr, by=signed_in.sso)


def _note_use(membership: MembershipRow, signed_in: SignedIn) -> None:
    """The membership was used now; the organization's log says so once a session, not with every token."""
    MembershipRow.objects.filter(pk=membership.pk).update(last_seen_at=clock.now())
    organization = membership.organization
    if organization.state != OrganizationRow.State.READY:
        return  # it has no log yet
    ref = selectors.to_organization(organization).ref
    with scope(ref), transaction.atomic():
        _, new = SignInRow.objects.get_or_create(
            sid=signed_in.sid, organization=organization, defaults={"user_id": signed_in.user.pk}
        )
        if new:
            person = ids.public("usr", signed_in.user.pk)
            detail = {"role": membership.role, "amr": list(signed_in.amr)}
            record(Change("member.signed_in", Actor("user", person), person, detail=detail))


def _connections(records: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one["provider"]) for one in records if one.get("method") == "socialaccount"))


def _ways(records: list[dict[str, Any]]) -> tuple[str, ...]:
    found: list[str] = []
    for one in records:
        way = str(one.get("type") or one.get("method"))
        shown = _AMR.get(way, way)
        if shown not in found:
            found.append(shown)
    return tuple(found)
